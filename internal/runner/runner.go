// Package runner makes the calls that runs want made. What is to be made
// follows from the view, so a node that was killed goes on where the records
// say: each call is made at least once, always with the same idempotency key,
// and its outcome is recorded once.
//
// A slow or dead connection holds up its own calls only: each connection has
// its own queue and its own limit of concurrent calls.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// A Request is one call to make.
type Request struct {
	Run        uint64
	Case       uint64
	Action     string
	Op         string
	Connection string
	With       map[string]any
	Timeout    time.Duration // 0: that of the connection
	Key        string        // idempotency key
	Playbook   string        // who asks
}

// An Outcome is what became of a call: a result or an error.
type Outcome struct {
	Result  any             // JSON value
	Error   *playbook.Error // why it failed
	Request json.RawMessage // what was sent, secrets redacted; may be empty
}

// A Performer makes calls of some operations.
type Performer interface {
	Perform(ctx context.Context, r Request) Outcome
}

// Config says what a Runner works with. Every field but the limits is required.
type Config struct {
	View          *view.View
	Sequencer     *sequencer.Sequencer
	Runs          *store.Runs
	Performer     func(op string) (Performer, bool)
	PerConnection int           // concurrent calls of one connection; 0 means 64
	Timeout       time.Duration // of a call whose step names none; 0 means a minute
	Log           *slog.Logger
}

// A Runner makes calls while Run runs.
type Runner struct {
	c Config

	mu    sync.Mutex
	lanes map[string]*lane    // guarded by mu; by connection, else operation
	known map[uint64]struct{} // guarded by mu; calls that are in a lane
	ctx   context.Context     //nolint:containedctx // guarded by mu; of Run, nil while it does not run
	wg    sync.WaitGroup      // of the calls that are being made
}

// A lane is the queue of one connection.
type lane struct {
	waiting []uint64 // records of calls, oldest first
	busy    int
}

// New checks c and starts nothing.
func New(c Config) (*Runner, error) {
	if c.View == nil || c.Sequencer == nil || c.Runs == nil || c.Performer == nil || c.Log == nil {
		return nil, errors.New("internal error: runner needs a view, a sequencer, runs, performers and a log")
	}
	if c.PerConnection == 0 {
		c.PerConnection = 64
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	return &Runner{c: c, lanes: map[string]*lane{}, known: map[uint64]struct{}{}}, nil
}

// Run makes calls until ctx ends, and waits for those that are under way; their
// context ends with ctx.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	defer r.wg.Wait()
	defer func() {
		r.mu.Lock()
		r.ctx = nil
		r.mu.Unlock()
	}()
	if err := r.resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// resume queues the calls that were open when the node started.
func (r *Runner) resume(ctx context.Context) error {
	const page = 1000
	var after uint64
	for {
		var calls []store.OpenStep
		err := r.c.View.Read(ctx, func(tx *view.Tx) (err error) {
			calls, err = store.Calls(tx, after, page)
			return err
		})
		if err != nil {
			return fmt.Errorf("load open calls: %w", err)
		}
		for _, c := range calls {
			after = c.Seq
			call, _, err := r.load(ctx, c.Seq)
			if err != nil {
				return err
			}
			r.enqueue(c.Seq, call, true)
		}
		if len(calls) < page {
			return nil
		}
	}
}

// Committed takes the calls out of a durable block. It is one of the
// sequencer's Committed hooks, so it does not block.
func (r *Runner) Committed(recs []ledger.Record) {
	for _, rec := range recs {
		if rec.Kind != store.KindCall {
			continue
		}
		call, err := ledger.Decode[store.Call](rec)
		if err != nil {
			r.c.Log.Error("call cannot be read", "seq", rec.Seq, "err", err)
			continue
		}
		r.enqueue(rec.Seq, call, false)
	}
}

// enqueue makes a call when its lane has room. One that was read from the view
// may have been made since, so it is looked up again.
func (r *Runner) enqueue(seq uint64, call store.Call, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, dup := r.known[seq]; dup || r.ctx == nil {
		return // it is being made, or resume will find it
	}
	r.known[seq] = struct{}{}
	key := call.Connection
	if key == "" {
		key = "operation " + call.Op
	}
	l := r.lanes[key]
	if l == nil {
		l = &lane{}
		r.lanes[key] = l
	}
	if l.busy >= r.c.PerConnection {
		l.waiting = append(l.waiting, seq)
		return
	}
	l.busy++
	ctx := r.ctx
	r.wg.Go(func() {
		if again {
			r.performAt(ctx, seq)
		} else {
			r.perform(ctx, call)
		}
		r.drain(ctx, key, l, seq)
	})
}

// drain makes the calls that wait in a lane, after the one that was made.
func (r *Runner) drain(ctx context.Context, key string, l *lane, seq uint64) {
	for {
		r.mu.Lock()
		delete(r.known, seq)
		if len(l.waiting) == 0 || ctx.Err() != nil {
			if l.busy--; l.busy == 0 {
				delete(r.lanes, key)
			}
			r.mu.Unlock()
			return
		}
		seq = l.waiting[0]
		l.waiting = l.waiting[1:]
		r.mu.Unlock()
		r.performAt(ctx, seq)
	}
}

// performAt makes the call of a record, if it is still wanted.
func (r *Runner) performAt(ctx context.Context, seq uint64) {
	call, open, err := r.load(ctx, seq)
	if err != nil {
		r.c.Log.ErrorContext(ctx, "call cannot be read", "seq", seq, "err", err)
	} else if open {
		r.perform(ctx, call)
	}
}

// perform makes one call and records its outcome. When the node stops first,
// the call is made again when it starts.
func (r *Runner) perform(ctx context.Context, call store.Call) {
	start := time.Now()
	out := r.outcome(ctx, call)
	if ctx.Err() != nil {
		return
	}
	if err := r.c.Runs.Finish(ctx, call, out.Result, out.Error, out.Request, time.Since(start)); err != nil && ctx.Err() == nil {
		r.c.Log.ErrorContext(ctx, "outcome of a call could not be recorded", "run", call.Run, "action", call.Action, "err", err)
	}
}

func (r *Runner) outcome(ctx context.Context, call store.Call) Outcome {
	p, ok := r.c.Performer(call.Op)
	if !ok {
		return Outcome{Error: &playbook.Error{Kind: playbook.Invalid, Message: "there is no operation " + call.Op}}
	}
	with, err := r.c.Runs.Arguments(call)
	if err != nil {
		return Outcome{Error: &playbook.Error{Kind: playbook.Unavailable, Message: "the arguments of the call cannot be read: " + err.Error()}}
	}
	timeout := time.Duration(call.Timeout)
	if timeout == 0 {
		timeout = r.c.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return p.Perform(ctx, Request{
		Run: call.Run, Case: call.Case, Action: call.Action, Op: call.Op, Connection: call.Connection,
		With: with, Timeout: timeout, Key: call.Key, Playbook: call.Playbook,
	})
}

// load reads a call from the ledger, and whether it is still wanted.
func (r *Runner) load(ctx context.Context, seq uint64) (call store.Call, open bool, err error) {
	err = r.c.View.Read(ctx, func(tx *view.Tx) error {
		rec, err := tx.Record(seq)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(rec.Data, &call); err != nil {
			return fmt.Errorf("decode call %d: %w", seq, err)
		}
		open, err = store.IsOpen(tx, call.Run, call.Action)
		return err
	})
	return call, open, err
}
