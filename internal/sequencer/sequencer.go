// Package sequencer is the one writer of a region. Commands are decided one
// after another by functions that see the effect of all before them; many of
// them share one block: one transaction of the view, one durable append.
//
// It promises:
//
//   - A command is answered after its records are durable and visible, and a
//     command that is refused leaves nothing.
//   - What a record sets off is durable together with it or not at all. It
//     comes from the [Follower] of its kind, decided in the same block: the
//     package knows no owner of records.
//   - A command whose records cannot be applied fails alone.
//   - If the append fails, nothing of the block is visible and the sequencer
//     stops: what became of the block is unknown until the ledger is opened
//     again.
//   - Records have the order of their times: the clock may run back, they do not.
//
// It never waits for more commands: a block is what came while the one before
// it was made durable.
package sequencer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// A Command decides what to append. It sees the view, changes nothing, does
// the same when asked twice, and asks the sequencer for nothing itself. The
// drafts get the sequence numbers tx.Next(), tx.Next()+1, … in order.
type Command func(tx *view.Tx, now time.Time) ([]ledger.Draft, error)

// A JSONAppender is the data of a draft that was encoded beforehand, outside
// the sequencer, where it holds up nobody. It appends one valid JSON object.
type JSONAppender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// A Follower says what a record sets off. It is called when the record is
// decided, after it was applied with its siblings, and never on replay. It is
// called again when the block has to be decided again; RolledBack is called in
// between. Its drafts get the sequence numbers from tx.Next() on.
type Follower func(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error)

// A Block is what is appended in one go.
type Block struct {
	First uint64   // sequence number of the first record
	Lines [][]byte // records as they will stand in the ledger
}

// A Committer makes a block durable. After an error the block may or may not
// be there.
type Committer interface {
	Commit(ctx context.Context, b Block) error
}

// Config says what a Sequencer works with. View, Committer, Now and Log are
// required.
type Config struct {
	View      *view.View
	Committer Committer
	Followers map[string][]Follower // by kind of record
	// Committed is called with the records of each durable block, in order, on
	// the sequencer's goroutine: it must not block, nor call Do.
	Committed []func([]ledger.Record)
	// RolledBack is called when records that followers saw are not durable
	// after all, so that what they remembered is forgotten.
	RolledBack []func()
	Now        func() time.Time
	MaxBlock   int // commands in a block; 0 means 256
	Log        *slog.Logger
}

// ErrStopped says that the sequencer takes no commands any more.
var ErrStopped = errs.E(errs.Unavailable, "this node is not accepting changes")

// A Result is what became of a command.
type Result struct {
	Records []ledger.Record // its own and those that they set off, in order
}

// A Sequencer is started by Run and takes commands through Do.
type Sequencer struct {
	c     Config
	queue chan *pending
	done  chan struct{} // closed when Run has returned

	// owned by Run
	last   time.Time // time of the newest record
	behind bool      // the clock was seen to be behind it

	mu  sync.Mutex
	err error // why it stopped; guarded by mu
}

// A pending is a command on its way. Run owns it until it closes done.
type pending struct {
	ctx     context.Context //nolint:containedctx // the caller's, to skip commands nobody waits for
	cmd     Command
	records []ledger.Record
	bytes   int // of the records' lines
	err     error
	done    chan struct{}
}

// New checks c and starts nothing.
func New(c Config) (*Sequencer, error) {
	if c.View == nil || c.Committer == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("internal error: sequencer needs a view, a committer, a clock and a log")
	}
	if c.MaxBlock == 0 {
		c.MaxBlock = 256
	}
	return &Sequencer{c: c, queue: make(chan *pending, c.MaxBlock), done: make(chan struct{})}, nil
}

// Do decides cmd and returns when its records are durable and visible. When
// ctx ends first, the command may still be carried out.
func (s *Sequencer) Do(ctx context.Context, cmd Command) (Result, error) {
	p, err := s.enqueue(ctx, cmd)
	if err != nil {
		return Result{}, err
	}
	return s.wait(ctx, p)
}

// DoAll decides commands in their order, each on its own: one that is refused
// does not hold up the others. The results are those of the commands, the zero
// Result for one that failed; the error joins those of all.
func (s *Sequencer) DoAll(ctx context.Context, cmds []Command) ([]Result, error) {
	queued := make([]*pending, 0, len(cmds))
	var all error
	for _, cmd := range cmds {
		p, err := s.enqueue(ctx, cmd)
		if err != nil {
			all = err
			break
		}
		queued = append(queued, p)
	}
	results := make([]Result, len(cmds))
	for i, p := range queued {
		var err error
		if results[i], err = s.wait(ctx, p); err != nil {
			all = errors.Join(all, err)
		}
	}
	return results, all
}

func (s *Sequencer) enqueue(ctx context.Context, cmd Command) (*pending, error) {
	p := &pending{ctx: ctx, cmd: cmd, done: make(chan struct{})}
	select {
	case s.queue <- p:
		return p, nil
	case <-s.done:
		return nil, s.stopped()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the sequencer: %w", ctx.Err())
	}
}

func (s *Sequencer) wait(ctx context.Context, p *pending) (Result, error) {
	select {
	case <-p.done:
		return Result{Records: p.records}, p.err
	case <-s.done:
		if p.finished() {
			return Result{Records: p.records}, p.err
		}
		return Result{}, s.stopped()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("wait for the sequencer: %w", ctx.Err())
	}
}

func (s *Sequencer) stopped() error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStopped, err)
	}
	return ErrStopped
}

// Err is why the sequencer stopped by itself; nil while it works.
func (s *Sequencer) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Run decides blocks until ctx ends or a block could not be made durable. The
// block under way is finished first; commands that wait get [ErrStopped].
func (s *Sequencer) Run(ctx context.Context) error {
	defer close(s.done)
	err := s.recall(ctx)
	if err != nil && ctx.Err() != nil {
		return nil // told to stop before it began
	}
	for rest := []*pending(nil); err == nil; {
		batch := s.gather(ctx, rest)
		if len(batch) == 0 {
			return nil
		}
		rest, err = s.block(ctx, batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	return err
}

// recall reads the time of the newest record.
func (s *Sequencer) recall(ctx context.Context) error {
	n := s.c.View.Applied()
	if n == 0 {
		return nil
	}
	return s.c.View.Read(ctx, func(tx *view.Tx) error {
		rec, err := tx.Record(n - 1)
		s.last = rec.Time
		return err
	})
}

// gather adds to rest, or to the next command, what else is waiting, without
// waiting itself. It returns none when ctx has ended.
func (s *Sequencer) gather(ctx context.Context, rest []*pending) []*pending {
	if ctx.Err() != nil {
		return nil
	}
	batch := append(make([]*pending, 0, s.c.MaxBlock), rest...)
	if len(batch) == 0 {
		select {
		case <-ctx.Done():
			return nil
		case p := <-s.queue:
			batch = append(batch, p)
		}
	}
	for len(batch) < s.c.MaxBlock {
		select {
		case p := <-s.queue:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

func (p *pending) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
