package ledger

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

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
		if err := l.openReadOnly(); err != nil {
			return nil, err
		}
		return l, nil
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
	if err := l.tail.file.Close(); err != nil {
		return l.fail(err)
	}
	l.tail = nil
	if err := l.tidyTails(); err != nil {
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
