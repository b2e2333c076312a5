package ledger

import (
	"fmt"
	"os"
	"slices"

	"beffroi.dev/internal/merkle"
)

// A packWriter is the pack that grows; guarded by Log.sealMu.
type packWriter struct {
	file File // nil when the next bundle begins a pack
}

// sealBatch is how many bundles are written with one fsync.
const sealBatch = 64

// seal moves the bundles that are full from the tail to their pack: it writes
// and syncs them, and then removes the tail files that they have made needless.
func (l *Log) seal() error {
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	for {
		if err := l.usable(); err != nil {
			return err
		}
		s := l.state()
		n := min(len(s.lines)/tileWidth, sealBatch, packBundles-len(s.sealed.open))
		if n == 0 {
			return nil
		}
		next, err := l.writeChunks(s, n)
		if err != nil {
			return l.fail(fmt.Errorf("seal records from %d on: %w", s.sealed.records(), err))
		}
		if err := l.dropTails(l.trim(next, n*tileWidth)); err != nil {
			return l.fail(fmt.Errorf("remove needless tails: %w", err))
		}
	}
}

// writeChunks makes the first n bundles of the window durable in their pack.
func (l *Log) writeChunks(s state, n int) (sealed, error) {
	next, pack := s.sealed, uint64(len(s.sealed.packs))
	created := false
	if l.sealer.file == nil {
		f, err := l.c.FS.OpenFile(l.path(packFile(pack)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return sealed{}, err
		}
		l.sealer.file, created = f, true
	}
	buf := make([]byte, 0, n*(chunkHead+tileBytes)+bundleSize(s.lines[:n*tileWidth])/4)
	for i := range n {
		from, to := i*tileWidth, (i+1)*tileWidth
		ref := chunkRef{offset: next.end + int64(len(buf))}
		var err error
		if buf, ref.root, err = appendChunk(buf, next.bundles(), s.lines[from:to], s.leaves[from:to]); err != nil {
			return sealed{}, err
		}
		next.open = append(next.open, ref)
	}
	full := len(next.open) == packBundles
	var root merkle.Hash
	if full {
		buf, root = appendFoot(buf, pack, next.open)
	}
	if _, err := l.sealer.file.WriteAt(buf, next.end); err != nil {
		return sealed{}, err
	}
	if err := l.sealer.file.Sync(); err != nil {
		return sealed{}, err
	}
	next.end += int64(len(buf))
	if created {
		if err := l.c.FS.SyncDir(l.path(packDir)); err != nil {
			return sealed{}, err
		}
	}
	if full {
		next = sealed{packs: append(next.packs, root)}
		err := l.sealer.file.Close()
		l.sealer.file = nil
		return next, err
	}
	return next, nil
}

// trim takes n records out of the window that now stand in packs, and returns
// the tail files that hold nothing else.
func (l *Log) trim(next sealed, n int) (needless []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.s.lines[:n] {
		l.s.bytes -= len(line)
	}
	l.s.sealed = next
	l.s.lines = slices.Clone(l.s.lines[n:])
	l.s.leaves = slices.Clone(l.s.leaves[n:])
	for len(l.tails) > 1 && l.tails[1] <= next.records() {
		needless = append(needless, l.tails[0])
		l.tails = l.tails[1:]
	}
	return needless
}

func (l *Log) dropTails(firsts []uint64) error {
	for _, first := range firsts {
		if err := l.c.FS.Remove(l.path(tailDir, fileName(first))); err != nil {
			return err
		}
	}
	return nil
}
