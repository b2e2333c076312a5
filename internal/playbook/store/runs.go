package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Playbooks is where playbooks come from.
type Playbooks interface {
	// Active lists the playbooks in force, by name.
	Active() []*playbook.Playbook
	// Version returns a playbook as it was, for runs that started with it.
	Version(tx *view.Tx, name, version string) (*playbook.Playbook, error)
}

// Facts are what runs know of alerts and cases.
type Facts interface {
	// Alert is the finding of an alert.received record. It never changes.
	Alert(tx *view.Tx, id uint64) (map[string]any, error)
	// Case is a case as it stands.
	Case(tx *view.Tx, id uint64) (map[string]any, error)
}

// Blobs keeps long values; see package blob.
type Blobs interface {
	Put(ctx context.Context, b []byte) (name string, err error)
	Get(name string) ([]byte, error)
}

// Config says what Runs work with. Every field is required.
type Config struct {
	Playbooks Playbooks
	Facts     Facts
	Blobs     Blobs
	Reach     func(target string) []string // whom a target such as team/blue/on_call means now
	View      *view.View
	Sequencer func() *sequencer.Sequencer // it is made after the Runs that it follows
}

// Runs decides what becomes of runs.
type Runs struct {
	c Config

	mu    sync.Mutex
	cache map[uint64]*held // guarded by mu; runs in memory
	order []uint64         // guarded by mu; in the order they were taken up

	hooks  sync.Once   // looks whether a run waited for a hook before the start
	waited atomic.Bool // a run waits for an event, or has
}

// held is a run in memory. A run is stepped by the sequencer's goroutine alone.
type held struct {
	def     *playbook.Playbook
	run     playbook.Run
	started Started
	caseID  uint64
	depth   int
}

// maxHeld bounds how many runs are kept in memory. A run that is not is built
// again from its records when something happens to it.
const maxHeld = 1024

// New returns Runs over c. It starts nothing.
func New(c Config) *Runs {
	return &Runs{c: c, cache: map[uint64]*held{}}
}

// RolledBack forgets the runs in memory: they may have seen records that are
// not durable after all.
func (r *Runs) RolledBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
	r.order = nil
}

func (r *Runs) hold(id uint64, h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.cache[id]; !ok {
		r.order = append(r.order, id)
	}
	r.cache[id] = h
	for len(r.order) > 0 && len(r.cache) > maxHeld {
		delete(r.cache, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *Runs) drop(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cache, id)
	if len(r.order) > 4*maxHeld {
		kept := r.order[:0]
		for _, id := range r.order {
			if _, ok := r.cache[id]; ok {
				kept = append(kept, id)
			}
		}
		r.order = kept
	}
}

// advance feeds a run the event that rec holds, and returns the records that
// say what it wants next.
func (r *Runs) advance(tx *view.Tx, id uint64, rec ledger.Record) ([]ledger.Draft, error) {
	r.mu.Lock()
	h := r.cache[id]
	r.mu.Unlock()
	var cmds []playbook.Command
	if h != nil && rec.Kind != KindStarted {
		ev, err := r.event(rec)
		if err != nil {
			return nil, err
		}
		if cmds, err = h.step(ev); err != nil {
			return nil, fmt.Errorf("step run %d: %w", id, err)
		}
	} else if rec.Kind == KindStarted {
		var err error
		if h, cmds, err = r.start(tx, rec, false); err != nil {
			return nil, err
		}
	} else {
		var err error
		if h, cmds, err = r.fold(tx, id, rec.Seq, false); err != nil {
			return nil, err
		}
	}
	r.hold(id, h)
	return r.drafts(tx, id, h, cmds)
}

// step feeds the run an event. One for an action that is not open any more
// changes nothing: two things may happen to a run in one block, and what the
// first sets off may withdraw the second.
func (h *held) step(ev playbook.Event) ([]playbook.Command, error) {
	run, cmds, err := playbook.Step(h.def, h.run, ev)
	if errs.KindOf(err) == errs.Conflict {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h.run = run
	return cmds, nil
}

// fold builds a run from its records up to and including one, and returns what
// it wanted after that one.
func (r *Runs) fold(tx *view.Tx, id, upTo uint64, trace bool) (*held, []playbook.Command, error) {
	seqs, err := Events(tx, id)
	if err != nil {
		return nil, nil, err
	}
	var h *held
	var cmds []playbook.Command
	for _, seq := range seqs {
		if seq > upTo {
			break
		}
		rec, err := tx.Record(seq)
		if err != nil {
			return nil, nil, err
		}
		if h == nil {
			if h, cmds, err = r.start(tx, rec, trace); err != nil {
				return nil, nil, err
			}
			continue
		}
		ev, err := r.event(rec)
		if err != nil {
			return nil, nil, err
		}
		if cmds, err = h.step(ev); err != nil {
			return nil, nil, fmt.Errorf("step run %d with record %d: %w", id, seq, err)
		}
	}
	if h == nil {
		return nil, nil, fmt.Errorf("internal error: run %d has no records", id)
	}
	return h, cmds, nil
}

// start begins a run with its run.started record.
func (r *Runs) start(tx *view.Tx, rec ledger.Record, trace bool) (*held, []playbook.Command, error) {
	d, err := ledger.Decode[Started](rec)
	if err != nil {
		return nil, nil, err
	}
	def, err := r.c.Playbooks.Version(tx, d.Playbook, d.Version)
	if err != nil {
		return nil, nil, fmt.Errorf("playbook of run %d: %w", d.Run, err)
	}
	in, err := r.init(tx, d)
	if err != nil {
		return nil, nil, err
	}
	in.Trace = trace
	run, cmds := playbook.Start(def, in, rec.Time)
	return &held{def: def, run: run, started: d, caseID: d.Trigger.Case, depth: d.Trigger.Depth}, cmds, nil
}

// init is what a run knows when it starts; it depends on records alone.
func (r *Runs) init(tx *view.Tx, d Started) (playbook.Init, error) {
	in := playbook.Init{Run: runName(d.Run), Requester: d.Requester}
	var err error
	if in.Inputs, err = normal(d.Inputs); err != nil {
		return in, err
	}
	if in.Case, err = normal(d.Case); err != nil {
		return in, err
	}
	if d.Trigger.Alert != 0 {
		if in.Alert, err = r.c.Facts.Alert(tx, d.Trigger.Alert); err != nil {
			return in, fmt.Errorf("alert of run %d: %w", d.Run, err)
		}
	}
	in.Trigger = map[string]any{"kind": d.Trigger.Kind}
	if d.Trigger.Name != "" {
		in.Trigger["name"] = d.Trigger.Name
	}
	if d.Trigger.Due != nil {
		in.Trigger["due"] = d.Trigger.Due.Format("2006-01-02T15:04:05Z07:00")
	}
	if seq := d.Trigger.Record; seq != 0 && (d.Trigger.Kind == TriggerRecord || d.Trigger.Kind == TriggerWebhook) {
		rec, err := tx.Record(seq)
		if err != nil {
			return in, err
		}
		value, err := recordValue(rec)
		if err != nil {
			return in, err
		}
		if d.Trigger.Kind == TriggerRecord {
			in.Trigger["record"] = value
		}
		if d.Trigger.Kind == TriggerWebhook {
			var w Webhook
			if err := json.Unmarshal(rec.Data, &w); err != nil {
				return in, fmt.Errorf("decode webhook.received %d: %w", seq, err)
			}
			if in.Trigger["data"], err = r.value(w.Data); err != nil {
				return in, err
			}
		}
	}
	return in, nil
}

// recordValue is a record as expressions see it.
func recordValue(rec ledger.Record) (map[string]any, error) {
	data, err := expr.FromJSON(rec.Data)
	if err != nil {
		return nil, fmt.Errorf("data of record %d: %w", rec.Seq, err)
	}
	return map[string]any{
		"seq": int64(rec.Seq), "time": rec.Time, "kind": rec.Kind, "subject": rec.Subject, "actor": rec.Actor, "data": data,
	}, nil
}

// event is what the machine is fed for a record.
func (r *Runs) event(rec ledger.Record) (playbook.Event, error) {
	switch rec.Kind {
	case KindDone:
		d, err := ledger.Decode[Done](rec)
		if err != nil {
			return playbook.Event{}, err
		}
		ev := d.Event
		ev.At = rec.Time
		if ev.Result, err = r.value(d.Result); err != nil {
			return ev, fmt.Errorf("result of record %d: %w", rec.Seq, err)
		}
		return ev, nil
	case KindWoken:
		d, err := ledger.Decode[Action](rec)
		if err != nil {
			return playbook.Event{}, err
		}
		return playbook.Event{Kind: playbook.Fired, At: rec.Time, Action: d.Action}, nil
	case KindCancelled, KindRetried:
		var d Asked
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return playbook.Event{}, fmt.Errorf("decode %s %d: %w", rec.Kind, rec.Seq, err)
		}
		kind := playbook.Cancelled
		if rec.Kind == KindRetried {
			kind = playbook.Retried
		}
		return playbook.Event{Kind: kind, At: rec.Time, By: rec.Actor, Reason: d.Reason, Step: d.Step}, nil
	}
	return playbook.Event{}, fmt.Errorf("internal error: record %d (%s) is no event of a run", rec.Seq, rec.Kind)
}

// value reads a payload back.
func (r *Runs) value(p *Payload) (any, error) {
	if p == nil {
		return nil, nil
	}
	b := []byte(p.JSON)
	if p.Blob != "" {
		var err error
		if b, err = r.c.Blobs.Get(p.Blob); err != nil {
			return nil, err
		}
	}
	return expr.FromJSON(b)
}

// Arguments reads the arguments of a call.
func (r *Runs) Arguments(c Call) (map[string]any, error) {
	v, err := r.value(c.With)
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("internal error: arguments of %s are no map", c.Action)
	}
	return m, nil
}

func runName(id uint64) string { return "run/" + strconv.FormatUint(id, 10) }
