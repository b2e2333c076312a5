package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"beffroi.dev/internal/merkle"
)

// A Recovery says what [Open] found and did. Every start takes the same path;
// after a clean stop there is little to say.
type Recovery struct {
	Size  uint64   // records in the ledger
	Made  bool     // there was no ledger, and one was made
	Notes []string // what was finished or dropped, a sentence each; empty after a clean stop
}

// String is one line for a person.
func (r Recovery) String() string {
	s := fmt.Sprintf("%d records", r.Size)
	if r.Made {
		s = "a new ledger"
	}
	if len(r.Notes) > 0 {
		s += "; " + strings.Join(r.Notes, "; ")
	}
	return s
}

func (r *Recovery) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

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
		err = f.Sync()
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

// openReadOnly looks at the ledger beside the process that writes it.
func (l *Log) openReadOnly() (err error) {
	if l.keys, err = loadPublicKey(l.c); err != nil {
		return err
	}
	return l.Refresh()
}

// Refresh lets a log that is open for reading see what was written since. For
// a log that is open for writing it does nothing.
func (l *Log) Refresh() error {
	if !l.c.ReadOnly {
		return nil
	}
	f, err := look(l.c, l.packs, l.keys)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s, l.recovery.Size = f.state, f.size()
	return nil
}

// openToWrite takes the lock and brings the files into the state that every
// start begins with: all full bundles in packs, one tail file with the rest,
// and a checkpoint over all.
func (l *Log) openToWrite() (err error) {
	for _, dir := range []string{l.c.Dir, l.path(tailDir), l.path(packDir)} {
		if err := l.c.FS.MkdirAll(dir); err != nil {
			return fmt.Errorf("make the ledger's directory: %w", err)
		}
	}
	if l.lock, err = l.c.FS.Lock(l.path(lockName)); err != nil {
		return fmt.Errorf("lock the ledger in %s: %w", l.c.Dir, err)
	}
	if l.keys, err = loadKeys(l.c); err != nil {
		return err
	}
	f, err := look(l.c, l.packs, l.keys)
	if err != nil {
		return err
	}
	l.describe(f)
	if err := l.tidy(f); err != nil {
		return fmt.Errorf("recover the ledger in %s: %w", l.c.Dir, err)
	}
	return nil
}

// describe says what was found.
func (l *Log) describe(f found) {
	r := &l.recovery
	r.Size, r.Made = f.size(), len(f.tails) == 0
	if f.torn > 0 {
		r.note("dropped %d bytes of a block that was never acknowledged", f.torn)
	}
	switch {
	case r.Made:
	case f.headless:
		r.note("there was no checkpoint; signed one for %d records", r.Size)
	case f.head.size < r.Size:
		r.note("signed a checkpoint for %d records, the last one was for %d", r.Size, f.head.size)
	}
}

// tidy writes anew all that was not promised durable: after a failed fsync the
// system may show bytes that are not on disk, so nothing is taken for durable
// because it can be read.
func (l *Log) tidy(f found) error {
	if err := l.tidyPacks(f); err != nil {
		return err
	}
	l.s = f.state
	if err := l.seal(); err != nil {
		return err
	}
	if err := l.tidyTails(f.tails); err != nil {
		return err
	}
	if err := l.c.FS.SyncDir(l.c.Dir); err != nil {
		return err
	}
	if l.recovery.Made {
		if err := l.c.FS.SyncDir(filepath.Dir(l.c.Dir)); err != nil {
			return err
		}
	}
	return l.persist()
}

// tidyPacks cuts off what is not trusted; seal writes it again from the tail.
func (l *Log) tidyPacks(f found) error {
	keep := uint64(len(f.sealed.packs))
	for _, pack := range slices.Backward(f.packs) {
		if pack > keep || pack == keep && len(f.sealed.open) == 0 {
			if err := l.c.FS.Remove(l.path(packFile(pack))); err != nil {
				return err
			}
			l.recovery.note("removed the unfinished %s, to write it again", packFile(pack))
		}
	}
	if len(f.sealed.open) == 0 {
		return nil
	}
	file, err := l.c.FS.OpenFile(l.path(packFile(keep)), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	l.sealer.file = file
	size, err := file.Size()
	if err != nil {
		return err
	}
	if size > f.sealed.end {
		l.recovery.note("cut %d bytes of unfinished bundles from %s, to write them again", size-f.sealed.end, packFile(keep))
		return file.Truncate(f.sealed.end)
	}
	return nil
}

// tidyTails puts the records that are not sealed into one new tail file, and
// removes the old ones.
func (l *Log) tidyTails(old []uint64) error {
	first := l.s.sealed.records()
	b := encodeTailHead(first)
	if len(l.s.lines) > 0 {
		block, _ := encodeBlock(first, l.s.lines)
		b = append(b, block...)
	}
	name := l.path(tailDir, fileName(first))
	if err := replaceFile(l.c.FS, name, b, 0o600); err != nil {
		return err
	}
	for _, n := range old {
		if n == first {
			continue
		}
		if err := l.c.FS.Remove(l.path(tailDir, fileName(n))); err != nil {
			return err
		}
	}
	file, err := l.c.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	l.tail = &tailWriter{file: file, first: first, size: int64(len(b))}
	l.tails = []uint64{first}
	return nil
}
