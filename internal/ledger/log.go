package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"beffroi.dev/internal/merkle"
)

// Names in the ledger's directory.
const (
	lockName       = "lock"
	keyName        = "ledger.key"
	pubName        = "ledger.pub"
	checkpointName = "checkpoint"
	tailDir        = "tail"
	packDir        = "pack"
)

// Config says which ledger to open, and how.
type Config struct {
	Dir string // where the ledger is kept; made when it is missing
	// Origin is the first line of checkpoints and the name of the key:
	// "beffroi/eu/3f2a…". Empty takes what the ledger has, or makes one.
	Origin string
	// ReadOnly opens a ledger beside the process that writes it: without a
	// lock, without recovery, and with the newest checkpoint on disk.
	ReadOnly bool
	// CheckpointEvery bounds how old the checkpoint on disk is; 0 means a second.
	CheckpointEvery time.Duration
	FS              FS           // nil means the disk
	Log             *slog.Logger // nil means none

	limits limits // zero means those of defaultLimits
}

// limits are when work is done in the background; smaller in tests.
type limits struct {
	tail    int64 // bytes of a tail file before the next one is begun
	seal    int   // records that wait before they are sealed at once; fewer are sealed with the next checkpoint
	waiting int   // bytes of records that are not sealed; beyond, Append seals first
}

func defaultLimits() limits { return limits{tail: 4 << 20, seal: 16 * tileWidth, waiting: 64 << 20} }

// A Log is an open ledger. Its methods may be called concurrently.
type Log struct {
	c        Config
	keys     keys
	lock     io.Closer
	packs    *packReader
	recovery Recovery
	signer   checkpointer

	appendMu sync.Mutex // held by the one Append under way
	tail     *tailWriter

	sealMu sync.Mutex // held by the one seal under way
	sealer packWriter

	kick   chan struct{} // asks the keeper to seal
	stop   chan struct{} // closed by Close
	kept   chan struct{} // closed when the keeper has ended
	closed sync.Once

	mu     sync.RWMutex // guards what follows; never held while waiting for the disk
	s      state
	tails  []uint64 // first records of the tail files that are durable, in order
	broken error    // why nothing can be written any more
}

// A state is what readers see. It is replaced, never changed in place; slices
// grow beyond what an older state sees.
type state struct {
	sealed sealed
	tree   merkle.Frontier // over all records
	lines  [][]byte        // records from sealed.records() on
	leaves []merkle.Hash   // their hashes
	bytes  int             // sum of lines
}

func (s state) size() uint64 { return s.tree.Size() }

// A tailWriter is the tail file that takes the next block; owned by Append.
type tailWriter struct {
	file  File
	first uint64
	size  int64
}

// Open opens the ledger in c.Dir, makes it when there is none, and recovers
// it from whatever a crash has left.
func Open(c Config) (*Log, error) {
	if c.FS == nil {
		c.FS = disk{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = time.Second
	}
	if c.limits == (limits{}) {
		c.limits = defaultLimits()
	}
	l := &Log{
		c: c, packs: newPackReader(c.FS, c.Dir),
		kick: make(chan struct{}, 1), stop: make(chan struct{}), kept: make(chan struct{}),
	}
	if c.ReadOnly {
		return l, l.openReadOnly()
	}
	if err := l.openToWrite(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	go l.keep()
	return l, nil
}

// Size is the number of durable records, and the sequence number of the next.
func (l *Log) Size() uint64 { s := l.state(); return s.size() }

// Root is the root of the tree over the durable records, and their number.
func (l *Log) Root() (merkle.Hash, uint64) {
	s := l.state()
	return s.tree.Root(), s.size()
}

// Recovery is what Open found and did.
func (l *Log) Recovery() Recovery { return l.recovery }

// Key is the verifier key of the ledger, for [CheckProof] and note verifiers.
func (l *Log) Key() string { return l.keys.public }

// Origin is the first line of the ledger's checkpoints.
func (l *Log) Origin() string { return l.keys.verifier.Name() }

func (l *Log) state() state {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.s
}

// Append makes a block of records durable, all or none, with one fsync. Each
// line is a record's line with the next sequence number. What is refused for
// its form leaves the log as it was; after any other error the log is broken.
func (l *Log) Append(ctx context.Context, lines [][]byte) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.ready(ctx, lines); err != nil || len(lines) == 0 {
		return err
	}
	s := l.state()
	if s.bytes > l.c.limits.waiting {
		if err := l.seal(); err != nil {
			return err
		}
		s = l.state()
	}
	block, inside := encodeBlock(s.size(), lines)
	written := make(chan error, 1)
	go func() { written <- l.writeBlock(s.size(), block) }()
	tree, leaves := grow(s.tree, inside)
	if err := <-written; err != nil {
		return l.fail(fmt.Errorf("append to the ledger's tail: %w", err))
	}
	l.publish(tree, inside, leaves)
	return nil
}

// ready says whether lines can be appended.
func (l *Log) ready(ctx context.Context, lines [][]byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append to the ledger: %w", err)
	}
	if err := l.usable(); err != nil {
		return err
	}
	size, total := l.Size(), 0
	var want []byte
	for i, line := range lines {
		seq := size + uint64(i)
		if len(line) > MaxLine {
			return fmt.Errorf("append record %d of %d bytes: %w", seq, len(line), ErrTooLarge)
		}
		want = append(strconv.AppendUint(append(want[:0], `{"seq":`...), seq, 10), ',')
		if !bytes.HasPrefix(line, want) || line[len(line)-1] != '}' || bytes.IndexByte(line, '\n') >= 0 || !utf8.Valid(line) {
			return fmt.Errorf("append record %d: the line is not a record with this number", seq)
		}
		total += 2 + len(line)
	}
	if total > maxBlock {
		return fmt.Errorf("append %d records of %d bytes together: %w", len(lines), total, ErrTooLarge)
	}
	return nil
}

// usable says whether the log can write.
func (l *Log) usable() error {
	if l.c.ReadOnly {
		return errReadOnly
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.broken
}

// fail breaks the log for ever.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		l.c.Log.Error("ledger stopped", "err", err)
	}
	return l.broken
}

// writeBlock writes a block and waits until it is durable.
func (l *Log) writeBlock(first uint64, block []byte) error {
	if t := l.tail; t != nil && t.size < l.c.limits.tail {
		if _, err := t.file.WriteAt(block, t.size); err != nil {
			return err
		}
		t.size += int64(len(block))
		return t.file.Sync()
	}
	return l.nextTail(first, block)
}

// nextTail begins a tail file with its first block.
func (l *Log) nextTail(first uint64, block []byte) error {
	if l.tail != nil {
		if err := l.tail.file.Close(); err != nil {
			return err
		}
		l.tail = nil
	}
	f, err := l.c.FS.OpenFile(l.path(tailDir, fileName(first)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	l.tail = &tailWriter{file: f, first: first}
	b := append(encodeTailHead(first), block...)
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.tail.size = int64(len(b))
	return l.c.FS.SyncDir(l.path(tailDir))
}

// grow returns the tree with more records, and the hashes of these.
func grow(tree merkle.Frontier, lines [][]byte) (merkle.Frontier, []merkle.Hash) {
	leaves := leafHashes(lines)
	tree = tree.Clone()
	for _, h := range leaves {
		tree.Add(h)
	}
	return tree, leaves
}

func leafHashes(lines [][]byte) []merkle.Hash {
	leaves := make([]merkle.Hash, len(lines))
	for i, line := range lines {
		leaves[i] = merkle.LeafHash(line)
	}
	return leaves
}

// publish shows readers the records of a durable block.
func (l *Log) publish(tree merkle.Frontier, lines [][]byte, leaves []merkle.Hash) {
	l.mu.Lock()
	l.s.tree = tree
	l.s.lines = append(l.s.lines, lines...)
	l.s.leaves = append(l.s.leaves, leaves...)
	for _, line := range lines {
		l.s.bytes += len(line)
	}
	if first := l.tail.first; len(l.tails) == 0 || l.tails[len(l.tails)-1] != first {
		l.tails = append(l.tails, first)
	}
	full := len(l.s.lines) >= l.c.limits.seal
	l.mu.Unlock()
	if full {
		select {
		case l.kick <- struct{}{}:
		default: // asked already
		}
	}
}

// keep seals bundles and writes checkpoints until the log is closed or broken.
func (l *Log) keep() {
	defer close(l.kept)
	tick := time.NewTicker(l.c.CheckpointEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-l.stop:
			return
		case <-l.kick:
			err = l.seal()
		case <-tick.C:
			err = l.settle()
		}
		if err != nil {
			return
		}
	}
}

// settle seals what is full and writes the checkpoint.
func (l *Log) settle() error {
	if err := l.seal(); err != nil {
		return err
	}
	if err := l.persist(); err != nil {
		return l.fail(err)
	}
	return nil
}

// Close seals what is full, writes the checkpoint and lets go of the lock.
func (l *Log) Close() (err error) {
	l.closed.Do(func() {
		if l.c.ReadOnly {
			return
		}
		close(l.stop)
		<-l.kept
		l.appendMu.Lock()
		defer l.appendMu.Unlock()
		if l.usable() == nil {
			err = l.finish()
		}
		l.mu.Lock()
		l.broken = ErrClosed
		l.mu.Unlock()
		err = errors.Join(err, l.release())
	})
	return err
}

// finish leaves the files as [Open] likes to find them.
func (l *Log) finish() error {
	if err := l.settle(); err != nil {
		return err
	}
	if l.tail.first == l.s.sealed.records() {
		return nil
	}
	old := l.tails
	if err := l.tail.file.Close(); err != nil {
		return l.fail(err)
	}
	l.tail = nil
	if err := l.tidyTails(old); err != nil {
		return l.fail(err)
	}
	return nil
}

// release closes what is open.
func (l *Log) release() error {
	var all []error
	if l.tail != nil {
		all = append(all, l.tail.file.Close())
	}
	if l.sealer.file != nil {
		all = append(all, l.sealer.file.Close())
	}
	if l.lock != nil {
		all = append(all, l.lock.Close())
	}
	l.tail, l.sealer.file, l.lock = nil, nil, nil
	return errors.Join(all...)
}

func (l *Log) path(name ...string) string {
	return filepath.Join(append([]string{l.c.Dir}, name...)...)
}
