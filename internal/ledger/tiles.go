package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"beffroi.dev/internal/merkle"
)

// Media types of C2SP tlog-tiles resources.
const (
	typeCheckpoint = "text/plain; charset=utf-8"
	typeTile       = "application/octet-stream"
)

// Resource returns one of the static resources of C2SP tlog-tiles by its path:
// "checkpoint", "tile/<L>/<N>[.p/<W>]", "tile/entries/<N>[.p/<W>]". Of a tile
// every width that it has had so far is served. All but the checkpoint never
// change.
func (l *Log) Resource(path string) (body []byte, contentType string, err error) {
	if path == checkpointName {
		body, err = l.Checkpoint()
		return body, typeCheckpoint, err
	}
	t, ok := parseTilePath(path)
	s := l.state()
	if !ok || !s.has(t) {
		return nil, "", notFound("there is no %q in the ledger", path)
	}
	if t.entries {
		body, err = l.packs.entries(s, t.n, t.width)
	} else {
		body, err = l.packs.tile(s, t.level, t.n, t.width)
	}
	return body, typeTile, err
}

// A tileName is what the path of a tile or bundle says.
type tileName struct {
	entries bool
	level   int
	n       uint64
	width   int
}

// parseTilePath accepts the one spelling that C2SP tlog-tiles gives a path.
func parseTilePath(path string) (t tileName, ok bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return t, false
	}
	level, rest, _ := strings.Cut(rest, "/")
	t.width = tileWidth
	if at := strings.LastIndex(rest, ".p/"); at >= 0 {
		w, err := strconv.Atoi(rest[at+3:])
		if err != nil || w < 1 || w >= tileWidth {
			return t, false
		}
		t.width, rest = w, rest[:at]
	}
	if t.entries = level == "entries"; !t.entries {
		n, err := strconv.Atoi(level)
		if err != nil || n < 0 || n > 63 {
			return t, false
		}
		t.level = n
	}
	n, err := strconv.ParseUint(strings.NewReplacer("x", "", "/", "").Replace(rest), 10, 63)
	t.n = n
	return t, err == nil && t.path() == path
}

func (t tileName) path() string {
	n := fmt.Sprintf("%03d", t.n%1000)
	for rest := t.n / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	level := strconv.Itoa(t.level)
	if t.entries {
		level = "entries"
	}
	if t.width < tileWidth {
		n += ".p/" + strconv.Itoa(t.width)
	}
	return "tile/" + level + "/" + n
}

// has says whether the tile is part of the tree, as wide as asked for.
func (s state) has(t tileName) bool {
	if t.level > 7 {
		return false // would take 2^64 records
	}
	hashes := s.size() >> (tileLevel * t.level)
	return t.n <= hashes/tileWidth && t.n*tileWidth+uint64(t.width) <= hashes
}

// entries is a bundle in the form of C2SP tlog-tiles, or the beginning of one.
func (r *packReader) entries(s state, n uint64, width int) ([]byte, error) {
	first := n * tileWidth
	var lines [][]byte
	if sealed := s.sealed.records(); first >= sealed {
		lines = s.lines[first-sealed:][:width]
	} else {
		b, err := r.bundle(s.sealed, n)
		if err != nil {
			return nil, err
		}
		if width == tileWidth {
			return b.raw, nil
		}
		lines = b.lines[:width]
	}
	raw := make([]byte, 0, bundleSize(lines))
	for _, line := range lines {
		raw = appendEntry(raw, line)
	}
	return raw, nil
}

// tile is a tile of C2SP tlog-tiles, or the beginning of one.
func (r *packReader) tile(s state, level int, n uint64, width int) ([]byte, error) {
	if level == 0 && n < s.sealed.bundles() {
		b, err := r.bundle(s.sealed, n)
		if err != nil {
			return nil, err
		}
		return b.tile[:width*merkle.HashSize], nil
	}
	b := make([]byte, 0, width*merkle.HashSize)
	for i := range uint64(width) {
		h, err := r.hash(s, level, n*tileWidth+i)
		if err != nil {
			return nil, err
		}
		b = append(b, h[:]...)
	}
	return b, nil
}

// hash is hash i of a level, that is of the tree's level 8*level: from where
// it is kept, or made of the hashes below.
func (r *packReader) hash(s state, level int, i uint64) (merkle.Hash, error) {
	switch {
	case level == 0 && i < s.sealed.records():
		b, err := r.bundle(s.sealed, i/tileWidth)
		if err != nil {
			return merkle.Hash{}, err
		}
		return merkle.Hash(b.tile[i%tileWidth*merkle.HashSize:]), nil
	case level == 0:
		return s.leaves[i-s.sealed.records()], nil
	case level == 1 && i/packBundles < uint64(len(s.sealed.packs)):
		f, err := r.foot(i / packBundles)
		if err != nil {
			return merkle.Hash{}, err
		}
		return f.tile[i%packBundles], nil
	case level == 1 && i < s.sealed.bundles():
		return s.sealed.open[i%packBundles].root, nil
	case level == 2 && i < uint64(len(s.sealed.packs)):
		return s.sealed.packs[i], nil
	}
	below := make([]merkle.Hash, tileWidth)
	for k := range below {
		var err error
		if below[k], err = r.hash(s, level-1, i*tileWidth+uint64(k)); err != nil {
			return merkle.Hash{}, err
		}
	}
	return merkle.PerfectRoot(below), nil
}

// hashes gives package tlog the hashes of a state, by their storage index.
// They come as they are stored: the caller holds the result against a root.
func (r *packReader) hashes(s state) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(at))
		for i, index := range at {
			t := tlog.TileForIndex(tileLevel, index)
			data, err := r.tile(s, t.L, uint64(t.N), t.W)
			if err != nil {
				return nil, err
			}
			if hashes[i], err = tlog.HashFromTile(t, data, index); err != nil {
				return nil, fmt.Errorf("hash from tile: %w", err)
			}
		}
		return hashes, nil
	})
}

// rootAt is the root that the tree had when it had that size.
func (r *packReader) rootAt(s state, size uint64) (merkle.Hash, error) {
	h, err := tlog.TreeHash(int64(size), r.hashes(s))
	if err != nil {
		return merkle.Hash{}, fmt.Errorf("root of %d records: %w", size, err)
	}
	return h, nil
}
