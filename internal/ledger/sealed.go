package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"beffroi.dev/internal/merkle"
)

// A chunkRef is where a chunk begins in its pack, and its hash of level 1.
type chunkRef struct {
	offset int64
	root   merkle.Hash
}

// sealed is the part of the ledger that stands in packs: whole bundles. It is a
// value: who adds to it makes a new one, so readers need no lock.
type sealed struct {
	packs []merkle.Hash // hashes of level 2, one for each pack that is full
	open  []chunkRef    // of the pack that grows
	end   int64         // where the next chunk of the pack that grows begins
}

func (s sealed) bundles() uint64 { return uint64(len(s.packs))*packBundles + uint64(len(s.open)) }
func (s sealed) records() uint64 { return s.bundles() * tileWidth }

// frontier is the tree over the sealed records.
func (s sealed) frontier() merkle.Frontier {
	var f merkle.Frontier
	for _, h := range s.packs {
		f.AddPerfect(packLevel, h)
	}
	for _, c := range s.open {
		f.AddPerfect(tileLevel, c.root)
	}
	return f
}

func packFile(pack uint64) string { return filepath.Join(packDir, fileName(pack*packRecords)) }

// A packReader reads packs. It keeps what is asked for often; what it returns
// is shared and must not be changed.
type packReader struct {
	fs      FS
	dir     string
	bundles *lru[*bundle] // by number of bundle
	feet    *lru[foot]    // by number of pack
}

const (
	bundleCache = 8 << 20 // bytes
	footCache   = 64
)

func newPackReader(fsys FS, dir string) *packReader {
	return &packReader{fs: fsys, dir: dir, bundles: newLRU[*bundle](bundleCache), feet: newLRU[foot](footCache)}
}

// bundle returns a sealed bundle.
func (r *packReader) bundle(s sealed, number uint64) (*bundle, error) {
	if b, ok := r.bundles.get(number); ok {
		return b, nil
	}
	from, to, err := r.place(s, number)
	if err != nil {
		return nil, err
	}
	b, err := r.readChunk(number, from, to)
	if err != nil {
		return nil, err
	}
	r.bundles.put(number, b, int(to-from)+len(b.raw)+24*tileWidth)
	return b, nil
}

// stream returns a sealed bundle without keeping it, for readers that pass by
// all of them.
func (r *packReader) stream(s sealed, number uint64) (*bundle, error) {
	from, to, err := r.place(s, number)
	if err != nil {
		return nil, err
	}
	return r.readChunk(number, from, to)
}

// place is where the chunk of a bundle stands in its pack.
func (r *packReader) place(s sealed, number uint64) (from, to int64, err error) {
	pack, i := number/packBundles, int(number%packBundles)
	if pack == uint64(len(s.packs)) {
		if i == len(s.open)-1 {
			return s.open[i].offset, s.end, nil
		}
		return s.open[i].offset, s.open[i+1].offset, nil
	}
	f, err := r.foot(pack)
	if err != nil {
		return 0, 0, err
	}
	return f.chunk(i)
}

// chunk is where chunk i of a full pack stands.
func (f foot) chunk(i int) (from, to int64, err error) {
	from, to = f.offsets[i], f.begin
	if i+1 < packBundles {
		to = f.offsets[i+1]
	}
	if from < 0 || to-from < int64(chunkHead+tileBytes) || to-from > int64(chunkHead+tileBytes+maxBundle) {
		return 0, 0, errEntries
	}
	return from, to, nil
}

func (r *packReader) foot(pack uint64) (foot, error) {
	if f, ok := r.feet.get(pack); ok {
		return f, nil
	}
	f, err := readFoot(r.fs, r.dir, pack)
	if err == nil {
		r.feet.put(pack, f, 1)
	}
	return f, err
}

// readFoot reads the foot of a full pack, which ends its file.
func readFoot(fsys FS, dir string, pack uint64) (f foot, err error) {
	name := packFile(pack)
	damage := func(err error) error {
		return &DamageError{File: name, From: pack * packRecords, To: (pack + 1) * packRecords, Msg: "the foot of the pack cannot be read", Err: err}
	}
	file, err := fsys.OpenFile(filepath.Join(dir, name), os.O_RDONLY, 0)
	if err != nil {
		return foot{}, damage(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return foot{}, fmt.Errorf("read %s: %w", name, err)
	}
	begin := size - int64(footBytes)
	if begin < 0 {
		return foot{}, damage(errors.New("the file is too short"))
	}
	b := make([]byte, footBytes)
	if _, err := file.ReadAt(b, begin); err != nil && !errors.Is(err, io.EOF) {
		return foot{}, fmt.Errorf("read %s: %w", name, err)
	}
	if f, err = parseFoot(b, pack); err != nil {
		return foot{}, damage(err)
	}
	f.begin = begin
	return f, nil
}

func (r *packReader) readChunk(number uint64, from, to int64) (b *bundle, err error) {
	name := packFile(number / packBundles)
	damage := func(err error) error {
		return &DamageError{File: name, From: number * tileWidth, To: (number + 1) * tileWidth, Msg: "the bundle cannot be read", Err: err}
	}
	f, err := r.fs.OpenFile(filepath.Join(r.dir, name), os.O_RDONLY, 0)
	if err != nil {
		return nil, damage(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw := make([]byte, to-from)
	if _, err := f.ReadAt(raw, from); err != nil {
		return nil, damage(err)
	}
	if b, err = decodeChunk(raw, number); err != nil {
		return nil, damage(err)
	}
	return b, nil
}
