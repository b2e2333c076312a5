// Package sequencer is the one writer of a region. Commands are decided one
// after another by functions that see the effect of all before them; many of
// them share one block: one transaction of the view, one durable append.
//
// A command is answered after its records are durable and visible. If the
// append fails, nothing of the block is visible and the sequencer stops: what
// became of the block is unknown until the ledger is opened again.
//
// It knows no owner of records: what a record sets off (a run that starts, a
// run that goes on) comes from the [Follower] of its kind, decided in the same
// block, so that cause and consequence are durable together or not at all.
package sequencer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// A Command decides what to append. It sees the view, changes nothing, and
// does the same when asked twice. The drafts get the sequence numbers
// tx.Next(), tx.Next()+1, … in order.
type Command func(tx *view.Tx, now time.Time) ([]ledger.Draft, error)

// A JSONAppender is the data of a draft that was encoded beforehand, outside
// the sequencer, where it holds up nobody. It appends one valid JSON object
// without line breaks.
type JSONAppender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// A Follower says what a record sets off. It is called once, when the record
// is decided, after it was applied; never on replay.
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

// Config says what a Sequencer works with. All but MaxBlock is required.
type Config struct {
	View      *view.View
	Committer Committer
	Followers map[string][]Follower // by kind of record
	// Committed is called with the records of each durable block, in order, on
	// the sequencer's goroutine: it must not block.
	Committed []func([]ledger.Record)
	// RolledBack is called when records that followers saw are not durable
	// after all, so that what they remembered is forgotten.
	RolledBack []func()
	Now        func() time.Time
	MaxBlock   int // commands in a block; 0 means 256
	Log        *slog.Logger
}

// maxChain bounds how many records one command may set off, maxDepth how long
// a chain of causes may be.
const (
	maxChain = 20_000
	maxDepth = 64
)

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

	last time.Time // time of the newest record; owned by Run

	mu  sync.Mutex
	err error // why it stopped
}

type pending struct {
	ctx     context.Context //nolint:containedctx // the caller's, to skip commands nobody waits for
	cmd     Command
	records []ledger.Record
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
// does not hold up the others. The error joins those of all.
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
		select {
		case <-p.done:
			return Result{Records: p.records}, p.err
		default:
			return Result{}, s.stopped()
		}
	case <-ctx.Done():
		return Result{}, fmt.Errorf("wait for the sequencer: %w", ctx.Err())
	}
}

func (s *Sequencer) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("%w: %w", ErrStopped, s.err)
	}
	return ErrStopped
}

// Err is why the sequencer stopped by itself; nil while it works.
func (s *Sequencer) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Run decides blocks until ctx ends or a block could not be made durable.
func (s *Sequencer) Run(ctx context.Context) error {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-s.queue:
			if err := s.block(ctx, s.gather(p)); err != nil {
				s.mu.Lock()
				s.err = err
				s.mu.Unlock()
				return err
			}
		}
	}
}

// gather takes what else is waiting, without waiting itself.
func (s *Sequencer) gather(p *pending) []*pending {
	batch := append(make([]*pending, 0, s.c.MaxBlock), p)
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

// block decides the commands of batch. A command whose records cannot be
// applied is taken out and the rest is decided again, so that it alone fails.
func (s *Sequencer) block(ctx context.Context, batch []*pending) error {
	for len(batch) > 0 {
		bad, err := s.try(ctx, batch)
		if err != nil {
			for _, p := range batch {
				p.finish(nil, fmt.Errorf("%w: %w", ErrStopped, err))
			}
			return err
		}
		if bad == nil {
			return nil
		}
		rest := batch[:0:0]
		for _, p := range batch {
			if p != bad && !p.finished() {
				rest = append(rest, p)
			}
		}
		bad.finish(nil, bad.err)
		batch = rest
	}
	return nil
}

// try decides and commits a batch. It returns the command to take out when
// one of them could not be applied.
func (s *Sequencer) try(ctx context.Context, batch []*pending) (bad *pending, err error) {
	tx, err := s.c.View.Begin()
	if err != nil {
		return nil, err
	}
	first := tx.Next()
	var refused []*pending
	for _, p := range batch {
		p.records, p.err = nil, nil
		if p.err = p.ctx.Err(); p.err != nil {
			refused = append(refused, p)
			continue
		}
		var touched bool
		if touched, p.err = s.decide(tx, p); p.err == nil {
			continue
		}
		if !touched {
			refused = append(refused, p)
			continue
		}
		s.c.Log.ErrorContext(ctx, "command could not be applied", "err", p.err)
		s.rolledBack()
		return p, tx.Rollback()
	}
	if err := s.commit(ctx, tx, first); err != nil {
		s.rolledBack()
		return nil, err
	}
	var all []ledger.Record
	for _, p := range batch {
		all = append(all, p.records...)
	}
	if len(all) > 0 {
		for _, f := range s.c.Committed {
			f(all)
		}
	}
	for _, p := range refused {
		p.finish(nil, p.err)
	}
	for _, p := range batch {
		if !p.finished() {
			p.finish(p.records, nil)
		}
	}
	return nil, nil
}

func (s *Sequencer) commit(ctx context.Context, tx *view.Tx, first uint64) error {
	if tx.Next() == first {
		return tx.Rollback()
	}
	// The block must not be cut short by a caller that goes away or by the
	// shutdown of the node.
	if err := s.c.Committer.Commit(context.WithoutCancel(ctx), Block{First: first, Lines: tx.Lines()}); err != nil {
		return errors.Join(fmt.Errorf("append %d records: %w", len(tx.Lines()), err), tx.Rollback())
	}
	return tx.Commit()
}

func (s *Sequencer) rolledBack() {
	for _, f := range s.c.RolledBack {
		f()
	}
}

// decide runs one command and applies its records and what they set off.
// touched says that the view may have been changed, even when it failed.
func (s *Sequencer) decide(tx *view.Tx, p *pending) (touched bool, err error) {
	now := s.now()
	drafts, err := p.cmd(tx, now)
	if err != nil {
		return false, err
	}
	return true, s.apply(tx, p, drafts, now, 0)
}

// apply gives drafts their places, and then, record by record, applies what
// each sets off. A group is applied as soon as it is decided, so that its
// decider may count on the numbers from tx.Next().
func (s *Sequencer) apply(tx *view.Tx, p *pending, drafts []ledger.Draft, now time.Time, depth int) error {
	if depth > maxDepth || len(p.records)+len(drafts) > maxChain {
		return fmt.Errorf("internal error: a command set off more than %d records, or a chain of more than %d", maxChain, maxDepth)
	}
	from := len(p.records)
	for _, d := range drafts {
		rec, line, err := encode(d, tx.Next(), now)
		if err != nil {
			return err
		}
		if err := tx.Apply(rec, line); err != nil {
			return err
		}
		p.records = append(p.records, rec)
	}
	for _, rec := range p.records[from : from+len(drafts) : from+len(drafts)] {
		for _, f := range s.c.Followers[rec.Kind] {
			more, err := f(tx, rec)
			if err != nil {
				return fmt.Errorf("follow %s %d: %w", rec.Kind, rec.Seq, err)
			}
			if err := s.apply(tx, p, more, now, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// now never runs backwards: a record is not older than the one before it.
func (s *Sequencer) now() time.Time {
	t := s.c.Now().UTC().Truncate(time.Microsecond)
	if t.Before(s.last) {
		return s.last
	}
	s.last = t
	return t
}

func encode(d ledger.Draft, seq uint64, now time.Time) (ledger.Record, []byte, error) {
	var data []byte
	var err error
	if a, ok := d.Data.(JSONAppender); ok {
		data, err = a.AppendJSON(nil)
	} else {
		data, err = json.Marshal(d.Data)
	}
	if err != nil {
		return ledger.Record{}, nil, fmt.Errorf("encode %s: %w", d.Kind, err)
	}
	rec := ledger.Record{Seq: seq, Time: now, Kind: d.Kind, Subject: d.Subject, Actor: d.Actor, Data: data}
	line, err := ledger.Encode(rec)
	if err != nil {
		return ledger.Record{}, nil, fmt.Errorf("encode %s: %w", d.Kind, err)
	}
	return rec, line, nil
}

func (p *pending) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *pending) finish(records []ledger.Record, err error) {
	p.records, p.err = records, err
	close(p.done)
}
