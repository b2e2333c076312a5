package sequencer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// Bounds of what is decided in one go.
const (
	maxChain = 20_000   // records that one command may set off
	maxDepth = 10_000   // links of a chain of causes
	maxBytes = 64 << 20 // of the records of one command
	// fullBlock is how many bytes a block has when no more commands join it.
	// With maxBytes it stays far below what the ledger takes.
	fullBlock = 4 << 20
)

// An unappliedError says that a command failed after it may have changed the
// view.
type unappliedError struct{ error }

func (e unappliedError) Unwrap() error { return e.error }

// block decides the commands of batch, makes their records durable and visible
// and answers them. It returns those that did not fit; after an error all of
// batch is answered.
func (s *Sequencer) block(ctx context.Context, batch []*pending) (rest []*pending, err error) {
	tx, n, err := s.decideAll(batch)
	if err == nil {
		err = s.commit(ctx, tx)
	}
	if err != nil {
		s.rolledBack()
		err = fmt.Errorf("the sequencer stopped: %w", err)
		for _, p := range batch {
			p.finish(nil, fmt.Errorf("%w: %w", ErrStopped, err))
		}
		return nil, err
	}
	var records []ledger.Record
	for _, p := range batch[:n] {
		records = append(records, p.records...)
	}
	if len(records) > 0 {
		for _, f := range s.c.Committed {
			f(records)
		}
	}
	for _, p := range batch[:n] {
		p.finish(p.records, p.err)
	}
	return batch[n:], nil
}

// commit makes what was decided durable, then visible.
func (s *Sequencer) commit(ctx context.Context, tx *view.Tx) error {
	lines := tx.Lines()
	if len(lines) == 0 {
		return tx.Rollback()
	}
	b := Block{First: tx.Next() - uint64(len(lines)), Lines: lines}
	// The block must not be cut short by the shutdown of the node.
	if err := s.c.Committer.Commit(context.WithoutCancel(ctx), b); err != nil {
		return errors.Join(fmt.Errorf("append %d records: %w", len(lines), err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return nil
}

func (s *Sequencer) rolledBack() {
	for _, f := range s.c.RolledBack {
		f()
	}
}

// decideAll decides the first n commands of batch, as many as fit. That none
// fails is the rule, so it goes without savepoints; when one does, all are
// decided again with them.
func (s *Sequencer) decideAll(batch []*pending) (tx *view.Tx, n int, err error) {
	tx, n, err = s.attempt(batch, s.decide)
	if err == nil || !errors.As(err, new(unappliedError)) {
		return tx, n, err
	}
	s.rolledBack()
	return s.attempt(batch, func(tx *view.Tx, p *pending) error {
		err := tx.Try(func() error { return s.decide(tx, p) })
		if errors.As(err, new(unappliedError)) && !view.Failed(err) {
			p.refuse(err)
			s.rolledBack()
			return nil
		}
		return err
	})
}

// attempt begins a block and decides commands until it is full. After an error
// nothing of it is left.
func (s *Sequencer) attempt(batch []*pending, decide func(*view.Tx, *pending) error) (*view.Tx, int, error) {
	tx, err := s.c.View.Begin()
	if err != nil {
		return nil, 0, err
	}
	bytes := 0
	for n, p := range batch {
		if bytes >= fullBlock {
			return tx, n, nil
		}
		if err := decide(tx, p); err != nil {
			return nil, 0, errors.Join(err, tx.Rollback())
		}
		bytes += p.bytes
	}
	return tx, len(batch), nil
}

// decide runs one command and applies its records and what they set off. A
// refusal is the answer to the command, not an error.
func (s *Sequencer) decide(tx *view.Tx, p *pending) error {
	p.records, p.bytes, p.err = nil, 0, nil
	if err := p.ctx.Err(); err != nil {
		p.refuse(fmt.Errorf("wait for the sequencer: %w", err))
		return nil
	}
	now := s.now()
	var drafts []ledger.Draft
	err := guard(func() (err error) {
		drafts, err = p.cmd(tx, now)
		return err
	})
	switch {
	case view.Failed(err):
		return err
	case err != nil:
		p.refuse(err)
		return nil
	}
	err = guard(func() error { return s.apply(tx, p, drafts, now, 0) })
	if err != nil && !view.Failed(err) {
		return unappliedError{err}
	}
	return err
}

// guard turns a panic into an error: one command, whose input came from
// outside, must not end the node.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}

// refuse is the answer to a command that leaves nothing.
func (p *pending) refuse(err error) { p.records, p.bytes, p.err = nil, 0, err }

func (p *pending) finish(records []ledger.Record, err error) {
	p.records, p.err = records, err
	close(p.done)
}
