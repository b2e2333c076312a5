package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	if err := l.tidyTails(); err != nil {
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
func (l *Log) tidyTails() error {
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
	if err := l.sweep(first); err != nil {
		return err
	}
	file, err := l.c.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	l.tail = &tailWriter{file: file, first: first, size: int64(len(b))}
	l.tails = []uint64{first}
	return nil
}

// sweep removes all tail files but one, and what was never finished.
func (l *Log) sweep(keep uint64) error {
	names, err := l.c.FS.Names(l.path(tailDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := parseFileName(name); ok && name != fileName(keep) || strings.HasSuffix(name, tmpSuffix) {
			if err := l.c.FS.Remove(l.path(tailDir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
