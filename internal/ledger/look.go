package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"beffroi.dev/internal/merkle"
)

// A found is what stands on disk, read without changing it.
type found struct {
	state
	tails    []uint64     // first records of the tail files, in order
	gap      *DamageError // what is missing between tail files, unless packs have it
	torn     int          // bytes of a block that is not whole
	packs    []uint64     // numbers of the pack files, in order
	head     treeHead
	headless bool // there is no checkpoint
}

// look reads the ledger. It trusts what Append and seal have promised: all
// records before the first tail file are durable in packs, and the tail files
// have the rest. So what packs hold beyond is not looked at: it was being
// written when the process died, and the tails have it too.
func look(c Config, packs *packReader, k keys) (f found, err error) {
	// The checkpoint is read first: what it covers was durable before, so the
	// tails and packs that are read after it have it.
	_, f.head, err = loadCheckpoint(c, k.verifier)
	if f.headless = errors.Is(err, fs.ErrNotExist); err != nil && !f.headless {
		return found{}, err
	}
	first, lines, err := f.readTailsBeside(c)
	if err != nil {
		return found{}, err
	}
	if err := f.readPacks(c, first); err != nil {
		return found{}, err
	}
	f.tree = f.sealed.frontier()
	if err := f.overlap(packs, first, lines); err != nil {
		return found{}, err
	}
	if end := first + uint64(len(lines)); end > f.tree.Size() {
		f.lines = lines[f.tree.Size()-first:]
	}
	return f, f.plant(packs)
}

// readTailsBeside is readTails beside a process that writes, which may remove
// a tail file between our list and our look.
func (f *found) readTailsBeside(c Config) (first uint64, lines [][]byte, err error) {
	for tries := 0; ; tries++ {
		f.tails, f.gap, f.torn = nil, nil, 0
		first, lines, err = f.readTails(c)
		gone := errors.Is(err, fs.ErrNotExist) || err == nil && len(f.tails) == 0
		if !c.ReadOnly || !gone || tries == 10 {
			return first, lines, err
		}
	}
}

// readTails reads the tail files as one run of records. Where there is a gap
// the run begins anew: tail files that were needless may come back after a
// power cut, some and not others. Then packs have what is before, or else the
// gap is damage.
func (f *found) readTails(c Config) (first uint64, lines [][]byte, err error) {
	l := Log{c: c}
	names, err := c.FS.Names(l.path(tailDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, nil, fmt.Errorf("list tail files: %w", err)
	}
	for _, name := range names {
		if n, ok := parseFileName(name); ok {
			f.tails = append(f.tails, n)
		}
	}
	for i, n := range f.tails {
		name := tailDir + "/" + fileName(n)
		b, err := readTail(c, l.path(tailDir, fileName(n)))
		if err != nil {
			return 0, nil, fmt.Errorf("read %s: %w", name, err)
		}
		scan, damage := scanTail(n, b)
		if damage != nil {
			damage.File = name
			return 0, nil, damage
		}
		end := first + uint64(len(lines))
		if i == 0 || n > end {
			if i > 0 {
				f.gap = &DamageError{File: tailDir + "/" + fileName(f.tails[i-1]), From: end, To: n, Msg: "these records are missing"}
			}
			first, lines, end = n, nil, n
		}
		same := min(int(end-n), len(scan.lines))
		for k, line := range scan.lines[:same] {
			if at := n - first + uint64(k); !bytes.Equal(lines[at], line) {
				return 0, nil, &DamageError{File: name, From: first + at, To: first + at + 1, Msg: "the tail file before it has another record"}
			}
		}
		lines, f.torn = append(lines, scan.lines[same:]...), scan.torn
	}
	return first, lines, nil
}

// readTail reads a tail file and makes durable what it read: a process that
// reads beside the writer must not show what a power cut may take back.
func readTail(c Config, name string) ([]byte, error) {
	f, err := c.FS.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	b, err := readAll(f)
	if err == nil && c.ReadOnly {
		// A disk that cannot be written has nothing left to write.
		if err = f.Sync(); errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL) {
			err = nil
		}
	}
	return b, errors.Join(err, f.Close())
}

// readPacks reads where the bundles before the record bound stand.
func (f *found) readPacks(c Config, bound uint64) error {
	l := Log{c: c}
	names, err := c.FS.Names(l.path(packDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list packs: %w", err)
	}
	for _, name := range names {
		if n, ok := parseFileName(name); ok && n%packRecords == 0 {
			f.packs = append(f.packs, n/packRecords)
		}
	}
	if len(f.tails) == 0 {
		if len(f.packs) > 0 || f.head.size > 0 {
			return &DamageError{File: tailDir, Msg: "the newest records are missing: there is no tail file"}
		}
		return nil
	}
	if err := f.readSealed(c, (bound+tileWidth-1)/tileWidth); err != nil {
		if f.gap != nil {
			return f.gap
		}
		return err
	}
	return nil
}

// readSealed reads where the first bundles stand.
func (f *found) readSealed(c Config, bundles uint64) error {
	for pack := range bundles / packBundles {
		foot, err := readFoot(c.FS, c.Dir, pack)
		if err != nil {
			return err
		}
		f.sealed.packs = append(f.sealed.packs, foot.root)
	}
	return f.readOpenPack(c, int(bundles%packBundles))
}

// readOpenPack reads the heads of the first n chunks of the pack that grows.
func (f *found) readOpenPack(c Config, n int) (err error) {
	if n == 0 {
		return nil
	}
	l, pack := Log{c: c}, uint64(len(f.sealed.packs))
	damage := func(err error) error {
		from := f.sealed.records()
		return &DamageError{File: packFile(pack), From: from, To: from + tileWidth, Msg: "the bundle cannot be read", Err: err}
	}
	file, err := c.FS.OpenFile(l.path(packFile(pack)), os.O_RDONLY, 0)
	if err != nil {
		return damage(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for range n {
		var head [chunkHead]byte
		if _, err := file.ReadAt(head[:], f.sealed.end); err != nil {
			return damage(err)
		}
		h, err := parseChunkHead(head[:], f.sealed.bundles())
		if err != nil {
			return damage(err)
		}
		f.sealed.open = append(f.sealed.open, chunkRef{offset: f.sealed.end, root: h.root})
		f.sealed.end += h.size()
	}
	return nil
}

// overlap compares the records that stand in both the tails and the packs.
func (f *found) overlap(packs *packReader, first uint64, lines [][]byte) error {
	for seq := first; seq < f.sealed.records() && seq < first+uint64(len(lines)); seq++ {
		b, err := packs.bundle(f.sealed, seq/tileWidth)
		if err != nil {
			return err
		}
		if !bytes.Equal(b.lines[seq%tileWidth], lines[seq-first]) {
			return &DamageError{File: tailDir + "/" + fileName(first), From: seq, To: seq + 1, Msg: "its pack has another record"}
		}
	}
	return nil
}

// plant grows the tree over the window and holds it against the checkpoint.
func (f *found) plant(packs *packReader) error {
	size := f.tree.Size() + uint64(len(f.lines))
	if f.head.size > size {
		return f.missing(size)
	}
	var root merkle.Hash
	if f.head.size <= f.tree.Size() {
		var err error
		if root, err = packs.rootAt(f.state, f.head.size); err != nil {
			return err
		}
	} else {
		tree, _ := grow(f.tree, f.lines[:f.head.size-f.tree.Size()])
		root = tree.Root()
	}
	if !f.headless && root != f.head.root {
		return &DamageError{File: checkpointName, Msg: fmt.Sprintf("the first %d records do not add up to the signed root", f.head.size)}
	}
	f.tree, f.leaves = grow(f.tree, f.lines)
	for _, line := range f.lines {
		f.bytes += len(line)
	}
	return nil
}

// missing says that the ledger ends before its checkpoint does.
func (f *found) missing(size uint64) *DamageError {
	e := &DamageError{File: checkpointName, From: size, To: f.head.size, Msg: "signed for these records, and they are missing"}
	if f.torn > 0 {
		e.File = tailDir + "/" + fileName(f.tails[len(f.tails)-1])
		e.Msg = "these records were acknowledged, and the block that held them is not as it was written"
	}
	return e
}
