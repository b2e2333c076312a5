package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// A Request is what a person starts a run with.
type Request struct {
	Playbook string
	Inputs   map[string]any
	Alert    uint64 // an alert that was received; 0 for none
	Case     uint64
	Actor    string

	replay  *Trigger // of a replay: what started the run that is played again
	version string   // of a replay: the version to run; empty: the one in force
}

// StartManual starts a run at a person's wish.
func (r *Runs) StartManual(ctx context.Context, q Request) (uint64, error) {
	var id uint64
	_, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		def := r.active(q.Playbook)
		if q.version != "" {
			var err error
			if def, err = r.c.Playbooks.Version(tx, q.Playbook, q.version); err != nil {
				return nil, err
			}
		}
		if def == nil {
			return nil, errs.Hint(errs.NotFound, "beffroi history playbook lists them", "there is no playbook %s in force", q.Playbook)
		}
		if q.replay == nil && !listens(def, playbook.OnManual) {
			return nil, errs.Hint(errs.Denied, "add `manual: true` to its triggers", "playbook %s may not be started by hand", q.Playbook)
		}
		if _, err := def.CheckInputs(q.Inputs); err != nil {
			return nil, err
		}
		s := Started{Trigger: Trigger{Kind: TriggerManual, Alert: q.Alert, Case: q.Case}, Inputs: q.Inputs, Requester: q.Actor}
		if q.replay != nil {
			s.Trigger = *q.replay
		}
		if q.Case != 0 {
			var err error
			if s.Case, err = r.c.Facts.Case(tx, q.Case); err != nil {
				return nil, err
			}
		}
		if q.Alert != 0 {
			if _, err := r.c.Facts.Alert(tx, q.Alert); err != nil {
				return nil, err
			}
		}
		id = tx.Next()
		begun, err := r.begin(tx, def, s, nil, q.Actor)
		if err != nil {
			return nil, err
		}
		if d, dropped := begun.Data.(Dropped); dropped {
			return nil, errs.E(errs.Conflict, "the run does not start: %s", d.Reason)
		}
		return []ledger.Draft{begun}, nil
	})
	return id, err
}

// Replay runs again what a run was started with: with the version in force, or
// with another.
func (r *Runs) Replay(ctx context.Context, run uint64, version, actor string) (uint64, error) {
	var q Request
	err := r.c.View.Read(ctx, func(tx *view.Tx) error {
		if _, err := Get(tx, run); err != nil {
			return err
		}
		s, err := startedOf(tx, run)
		if err != nil {
			return err
		}
		t := s.Trigger
		t.ReplayOf, t.Run, t.Action = run, 0, "" // nobody waits for what is played again
		q = Request{Playbook: s.Playbook, Inputs: s.Inputs, Alert: t.Alert, Case: t.Case, Actor: actor, replay: &t, version: version}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return r.StartManual(ctx, q)
}

// Cancel ends a run: what it waits for is withdrawn, its finally steps run.
func (r *Runs) Cancel(ctx context.Context, run uint64, actor, reason string) error {
	_, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		s, err := Get(tx, run)
		if err != nil {
			return nil, err
		}
		switch {
		case s.Ended != nil:
			return nil, errs.E(errs.Conflict, "run %d has ended: %s", run, s.State)
		case s.State == StateQueued:
			return []ledger.Draft{{Kind: KindFinished, Subject: runName(run), Actor: actor, Data: Finished{Run: run, Status: playbook.WasCancelled, Message: reason}}}, nil
		}
		if err := r.fits(tx, run, playbook.Event{Kind: playbook.Cancelled, At: now, By: actor, Reason: reason}); err != nil {
			return nil, err
		}
		return []ledger.Draft{{Kind: KindCancelled, Subject: runName(run), Actor: actor, Data: Asked{Run: run, Reason: reason}}}, nil
	})
	return err
}

// fits asks the machine whether an event may happen to a run, with a run of its
// own: an event that is refused leaves no record.
func (r *Runs) fits(tx *view.Tx, run uint64, ev playbook.Event) error {
	h, _, err := r.fold(tx, run, tx.Next(), false)
	if err != nil {
		return err
	}
	_, _, err = playbook.Step(h.def, h.run, ev)
	return err
}

// Retry goes on with a run that failed, from the step that failed or from the
// step named.
func (r *Runs) Retry(ctx context.Context, run uint64, step, actor string) error {
	_, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		s, err := Get(tx, run)
		if err != nil {
			return nil, err
		}
		if s.Ended == nil {
			return nil, errs.E(errs.Conflict, "run %d has not ended: it is %s", run, s.State)
		}
		seqs, err := Events(tx, run)
		if err != nil {
			return nil, err
		}
		if len(seqs) == 0 {
			return nil, errs.Hint(errs.Conflict, "replay it instead", "run %d was cancelled before it began", run)
		}
		if err := r.fits(tx, run, playbook.Event{Kind: playbook.Retried, At: now, By: actor, Step: step}); err != nil {
			return nil, err
		}
		return []ledger.Draft{{Kind: KindRetried, Subject: runName(run), Actor: actor, Data: Asked{Run: run, Step: step}}}, nil
	})
	return err
}

// Wake tells the runs whose time has come, up to a limit, and returns how many.
func (r *Runs) Wake(ctx context.Context, limit int) (int, error) {
	n := 0
	_, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		due, err := DueAt(tx, now, limit)
		if err != nil {
			return nil, err
		}
		n = len(due)
		var drafts []ledger.Draft
		seen := map[uint64]bool{}
		for _, o := range due {
			// One of a run at a time: the first may withdraw the second.
			if seen[o.Run] {
				continue
			}
			seen[o.Run] = true
			drafts = append(drafts, ledger.Draft{Kind: KindWoken, Subject: runName(o.Run), Actor: "beffroi", Data: Action{Run: o.Run, Action: o.Action}})
		}
		return drafts, nil
	})
	return n, err
}

// Call records that a playbook's webhook was called, and starts what listens.
func (r *Runs) Call(ctx context.Context, name, actor string, data any) (uint64, error) {
	p, err := r.payload(data)
	if err != nil {
		return 0, err
	}
	res, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		listening, err := r.listening(tx, name)
		if err != nil {
			return nil, err
		}
		if !listening {
			return nil, errs.E(errs.NotFound, "nothing listens to the hook %s", name)
		}
		return []ledger.Draft{{Kind: KindWebhook, Subject: "webhook/" + name, Actor: actor, Data: Webhook{Name: name, Data: p}}}, nil
	})
	if err != nil {
		return 0, err
	}
	return res.Records[0].Seq, nil
}

// Listening reports whether a playbook in force listens to a webhook, or a run
// waits for it.
func (r *Runs) Listening(ctx context.Context, name string) (listening bool, err error) {
	for _, def := range r.c.Playbooks.Active() {
		if slices.ContainsFunc(def.Triggers(), func(t playbook.Trigger) bool { return t.Kind == playbook.OnWebhook && t.Webhook == name }) {
			return true, nil
		}
	}
	// Every alert comes by here, and hardly any run waits for a hook: the view
	// is asked only when one has, since the start or before it.
	r.hooks.Do(func() {
		err = r.c.View.Read(ctx, func(tx *view.Tx) error {
			found, err := tx.One(`SELECT 1 FROM run_open_step WHERE event IS NOT NULL AND event >= 'webhook/' AND event < 'webhook0' LIMIT 1`, nil)
			r.waited.Store(r.waited.Load() || found || err != nil)
			return err
		})
	})
	if err != nil || !r.waited.Load() {
		return false, err
	}
	err = r.c.View.Read(ctx, func(tx *view.Tx) error {
		listening, err = r.listening(tx, name)
		return err
	})
	return listening, err
}

func (r *Runs) listening(tx *view.Tx, name string) (bool, error) {
	for _, def := range r.c.Playbooks.Active() {
		for _, t := range def.Triggers() {
			if t.Kind == playbook.OnWebhook && t.Webhook == name {
				return true, nil
			}
		}
	}
	return tx.One(`SELECT 1 FROM run_open_step WHERE event IS NOT NULL AND event = ? LIMIT 1`, nil, "webhook/"+name)
}

// maxMissed bounds how many missed times of a schedule are caught up one by one.
const maxMissed = 100

// Schedules starts the playbooks whose time has come since they fired last, and
// returns when the next one is due; zero when none has a schedule.
func (r *Runs) Schedules(ctx context.Context, since time.Time) (next time.Time, err error) {
	_, err = r.c.Sequencer().Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		next = time.Time{}
		var drafts []ledger.Draft
		for _, def := range r.c.Playbooks.Active() {
			for _, t := range def.Triggers() {
				if t.Kind != playbook.OnSchedule {
					continue
				}
				more, at, err := r.schedule(tx, def, t, since, now, drafts)
				if err != nil {
					return nil, err
				}
				drafts = more
				if !at.IsZero() && (next.IsZero() || at.Before(next)) {
					next = at
				}
			}
		}
		return drafts, nil
	})
	return next, err
}

// schedule adds to drafts what one schedule sets off. since is when this node
// began to watch: a schedule that never fired has missed nothing before that.
func (r *Runs) schedule(tx *view.Tx, def *playbook.Playbook, t playbook.Trigger, since, now time.Time, drafts []ledger.Draft) ([]ledger.Draft, time.Time, error) {
	last, known := since, false
	if _, err := tx.One(`SELECT last FROM run_schedule WHERE playbook = ?`, func(row view.Row) error {
		last, known = time.UnixMicro(row.Int(0)).UTC(), true
		return nil
	}, def.Name); err != nil {
		return nil, time.Time{}, err
	}
	var due []time.Time
	at := t.Next(last)
	for ; !at.IsZero() && !at.After(now) && len(due) < maxMissed; at = t.Next(at) {
		due = append(due, at)
	}
	if len(due) == 0 {
		return drafts, at, nil
	}
	if len(due) == maxMissed { // too many to count: go on from now
		at = t.Next(now)
		due = append(due, now)
	}
	newest := due[len(due)-1]
	fired := Scheduled{Playbook: def.Name, Due: newest, Missed: len(due) - 1}
	late := known && now.Sub(newest) > time.Minute
	switch {
	case t.Missed == "skip" && late:
		fired.Skipped, due = true, nil
	case t.Missed != "all":
		due = due[len(due)-1:]
	}
	drafts = append(drafts, ledger.Draft{Kind: KindScheduled, Subject: "playbook/" + def.Name, Actor: "beffroi", Data: fired})
	for _, d := range due {
		begun, err := r.begin(tx, def, Started{Trigger: Trigger{Kind: TriggerSchedule, Due: &d}}, drafts, "beffroi")
		if err != nil {
			return nil, time.Time{}, err
		}
		drafts = append(drafts, begun)
	}
	return drafts, at, nil
}

// A Story is a run with all that happened in it.
type Story struct {
	Summary
	Started Started               `json:"begun_with"`
	Open    []playbook.OpenAction `json:"open"`
	Trace   []playbook.TraceEntry `json:"steps"`
	Dropped int                   `json:"steps_left_out,omitempty"`
	Records []uint64              `json:"records"` // the records that it is rebuilt from
}

// Story rebuilds a run from its records.
func (r *Runs) Story(tx *view.Tx, id uint64) (Story, error) {
	s, err := Get(tx, id)
	if err != nil {
		return Story{}, err
	}
	out := Story{Summary: s}
	if out.Started, err = startedOf(tx, id); err != nil {
		return out, err
	}
	if out.Records, err = Events(tx, id); err != nil || len(out.Records) == 0 {
		return out, err
	}
	h, _, err := r.fold(tx, id, 1<<62, true)
	if err != nil {
		return out, fmt.Errorf("rebuild run %d: %w", id, err)
	}
	out.Open = h.run.Open()
	out.Trace, out.Dropped = h.run.Trace()
	return out, nil
}
