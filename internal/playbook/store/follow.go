package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Followers are what records set off: runs start, and go on.
func (r *Runs) Followers() map[string][]sequencer.Follower {
	f := map[string][]sequencer.Follower{
		KindStarted: {followWith(func(tx *view.Tx, rec ledger.Record, d Started) ([]ledger.Draft, error) {
			return r.advance(tx, d.Run, rec)
		})},
		KindDone: {followWith(func(tx *view.Tx, rec ledger.Record, d Done) ([]ledger.Draft, error) { return r.advance(tx, d.Run, rec) })},
		KindWoken: {followWith(func(tx *view.Tx, rec ledger.Record, d Action) ([]ledger.Draft, error) {
			return r.advance(tx, d.Run, rec)
		})},
		KindCancelled: {followWith(func(tx *view.Tx, rec ledger.Record, d Asked) ([]ledger.Draft, error) {
			return r.advance(tx, d.Run, rec)
		})},
		KindRetried: {followWith(func(tx *view.Tx, rec ledger.Record, d Asked) ([]ledger.Draft, error) {
			return r.advance(tx, d.Run, rec)
		})},
		KindFinished:       {followWith(r.finished)},
		KindWithdrawn:      {followWith(r.withdrawn)},
		ask.KindAnswered:   {r.answered},
		ask.KindExpired:    {r.answered},
		alert.KindReceived: {r.received},
		KindWebhook:        {followWith(r.called)},
	}
	for _, kind := range Observable {
		f[kind] = append(f[kind], r.recorded)
	}
	return f
}

// Observable lists the kinds of record that `on: record` and `wait: event` may
// name: what happened to alerts, cases, questions, runs and hooks. The steps of
// runs are not among them, so that no playbook listens to itself.
var Observable = []string{
	alert.KindReceived, alert.KindOpened, alert.KindReopened, alert.KindAcknowledged, alert.KindAssigned, alert.KindCommented,
	alert.KindResolved, alert.KindMerged, alert.KindOverdue,
	ask.KindAsked, ask.KindAnswered, ask.KindRefused, ask.KindReminded, ask.KindEscalated, ask.KindExpired, ask.KindWithdrawn,
	KindWebhook, KindFinished,
}

func followWith[T any](f func(*view.Tx, ledger.Record, T) ([]ledger.Draft, error)) sequencer.Follower {
	return func(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
		d, err := ledger.Decode[T](rec)
		if err != nil {
			return nil, err
		}
		return f(tx, rec, d)
	}
}

// received starts the playbooks that an alert matches. An alert that repeats
// one of its case starts none: the case is being handled.
func (r *Runs) received(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
	var head struct {
		Outcome alert.Outcome `json:"outcome"`
		Case    string        `json:"case"`
	}
	var finding, facts map[string]any
	var out []ledger.Draft
	for _, def := range r.c.Playbooks.Active() {
		if !listens(def, playbook.OnAlert) {
			continue
		}
		if finding == nil {
			var err error
			if err = json.Unmarshal(rec.Data, &head); err != nil {
				return nil, fmt.Errorf("decode: %w", err)
			}
			if head.Outcome == alert.Repeats {
				return nil, nil
			}
			if finding, err = r.c.Facts.Alert(tx, rec.Seq); err != nil {
				return nil, err
			}
		}
		id := rec.Seq
		if head.Case != "" {
			var err error
			if id, err = number("case", head.Case); err != nil {
				return nil, err
			}
		}
		if facts == nil {
			var err error
			if facts, err = r.c.Facts.Case(tx, id); err != nil {
				return nil, err
			}
		}
		started := Started{Trigger: Trigger{Kind: TriggerAlert, Alert: rec.Seq, Case: id}, Case: facts}
		ok, _, err := def.Matches(finding, facts, rec.Time)
		if err != nil {
			out = append(out, r.dropped(def, started.Trigger, "its condition failed: "+err.Error(), rec.Actor))
		}
		if err != nil || !ok {
			continue
		}
		begun, err := r.begin(tx, def, started, out, rec.Actor)
		if err != nil {
			return nil, err
		}
		out = append(out, begun)
	}
	return out, nil
}

func (r *Runs) dropped(def *playbook.Playbook, t Trigger, reason, actor string) ledger.Draft {
	return ledger.Draft{
		Kind: KindDropped, Subject: "playbook/" + def.Name, Actor: actor,
		Data: Dropped{Playbook: def.Name, Version: def.Version, Trigger: t, Reason: reason},
	}
}

// recorded starts the playbooks that listen to a kind of record and wakes the
// runs that wait for it.
func (r *Runs) recorded(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
	out, err := r.arrived(tx, rec)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	depth := 0
	for _, def := range r.c.Playbooks.Active() {
		if !listens(def, playbook.OnRecord) || rec.Actor == "playbook/"+def.Name {
			continue
		}
		if value == nil {
			if value, err = recordValue(rec); err != nil {
				return nil, err
			}
			if depth, err = depthOf(tx, rec); err != nil {
				return nil, err
			}
		}
		trigger := Trigger{Kind: TriggerRecord, Record: rec.Seq, Case: caseOf(rec), Depth: depth}
		ok, _, err := def.MatchesRecord(rec.Kind, value, rec.Time)
		if err != nil {
			out = append(out, r.dropped(def, trigger, "its condition failed: "+err.Error(), rec.Actor))
			continue
		}
		if !ok {
			continue
		}
		if depth > maxDepth {
			out = append(out, r.dropped(def, trigger, fmt.Sprintf("it is the end of a chain of more than %d runs that started each other", maxDepth), rec.Actor))
			continue
		}
		started := Started{Trigger: trigger}
		if trigger.Case != 0 {
			if started.Case, err = r.c.Facts.Case(tx, trigger.Case); err != nil {
				return nil, err
			}
		}
		if strings.HasPrefix(rec.Actor, "person/") {
			started.Requester = rec.Actor
		}
		begun, err := r.begin(tx, def, started, out, rec.Actor)
		if err != nil {
			return nil, err
		}
		out = append(out, begun)
	}
	return out, nil
}

// depthOf says how long the chain of runs is that led to a record: the end of
// a run may start another, whose end may start the first again.
func depthOf(tx *view.Tx, rec ledger.Record) (int, error) {
	if rec.Kind != KindFinished {
		return 0, nil
	}
	id, err := number("run", rec.Subject)
	if err != nil {
		return 0, err
	}
	s, err := startedOf(tx, id)
	return s.Trigger.Depth + 1, err
}

// listens reports whether a playbook has a trigger of a kind.
func listens(def *playbook.Playbook, kind playbook.TriggerKind) bool {
	return slices.ContainsFunc(def.Triggers(), func(t playbook.Trigger) bool { return t.Kind == kind })
}

// called starts the playbooks that listen to a webhook.
func (r *Runs) called(tx *view.Tx, rec ledger.Record, d Webhook) ([]ledger.Draft, error) {
	var out []ledger.Draft
	for _, def := range r.c.Playbooks.Active() {
		if !slices.ContainsFunc(def.Triggers(), func(t playbook.Trigger) bool { return t.Webhook == d.Name && d.Name != "" }) {
			continue
		}
		started := Started{Trigger: Trigger{Kind: TriggerWebhook, Record: rec.Seq, Name: d.Name}}
		begun, err := r.begin(tx, def, started, out, rec.Actor)
		if err != nil {
			return nil, err
		}
		out = append(out, begun)
	}
	return out, nil
}

func caseOf(rec ledger.Record) uint64 {
	if n, err := number("case", rec.Subject); err == nil {
		return n
	}
	return 0
}

// arrived wakes the runs that wait for an event: for a kind of record, whose
// data they see beside its subject, actor and number; or for a call of the hook
// webhook/NAME, of which they see what was sent.
func (r *Runs) arrived(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
	out, err := r.matching(tx, rec, rec.Kind, func() (any, error) {
		value, err := recordValue(rec)
		if err != nil {
			return nil, err
		}
		out := map[string]any{"subject": rec.Subject, "actor": rec.Actor, "record": int64(rec.Seq)}
		if m, ok := value["data"].(map[string]any); ok {
			maps.Copy(out, m)
		}
		return out, nil
	})
	if err != nil || rec.Kind != KindWebhook {
		return out, err
	}
	called, err := r.matching(tx, rec, rec.Subject, func() (any, error) {
		var d Webhook
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return nil, fmt.Errorf("decode webhook.received %d: %w", rec.Seq, err)
		}
		return r.value(d.Data)
	})
	return append(out, called...), err
}

// matching finds the steps that wait for an event of a name and that its data
// matches.
func (r *Runs) matching(tx *view.Tx, rec ledger.Record, name string, data func() (any, error)) ([]ledger.Draft, error) {
	waiting, err := openSteps(tx, `event IS NOT NULL AND event = ? ORDER BY seq`, name)
	if err != nil || len(waiting) == 0 {
		return nil, err
	}
	value, err := data()
	if err != nil {
		return nil, err
	}
	result, err := r.payload(value)
	if err != nil {
		return nil, err
	}
	var out []ledger.Draft
	for _, w := range waiting {
		asked, err := tx.Record(w.Seq)
		if err != nil {
			return nil, err
		}
		var d Waiting
		if err := json.Unmarshal(asked.Data, &d); err != nil {
			return nil, fmt.Errorf("decode record %d: %w", w.Seq, err)
		}
		match, err := normal(d.Match)
		if err != nil {
			return nil, err
		}
		if !(playbook.Await{Match: match}).Matches(value) {
			continue
		}
		out = append(out, ledger.Draft{
			Kind: KindDone, Subject: runName(w.Run), Actor: rec.Actor,
			Data: Done{Run: w.Run, Event: playbook.Event{Kind: playbook.Arrived, Action: w.Action}, Result: result},
		})
	}
	return out, nil
}

// normal gives numbers that went through encoding/json their type back.
func normal(m map[string]any) (map[string]any, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	v, err := expr.FromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	out, _ := v.(map[string]any)
	return out, nil
}

// answered goes on with the run whose question ended.
func (r *Runs) answered(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
	id, err := number("ask", rec.Subject)
	if err != nil {
		return nil, err
	}
	asked, err := tx.Record(id)
	if err != nil {
		return nil, err
	}
	var q ask.Asked
	if err := json.Unmarshal(asked.Data, &q); err != nil {
		return nil, fmt.Errorf("decode question %d: %w", id, err)
	}
	if q.Question.Run == "" {
		return nil, nil
	}
	run, err := number("run", q.Question.Run)
	if err != nil {
		return nil, err
	}
	open, err := IsOpen(tx, run, q.Question.Action)
	if err != nil || !open {
		return nil, err
	}
	ev := playbook.Event{Kind: playbook.Expired, Action: q.Question.Action}
	if rec.Kind == ask.KindAnswered {
		var a ask.Answered
		if err := json.Unmarshal(rec.Data, &a); err != nil {
			return nil, fmt.Errorf("decode answer %d: %w", rec.Seq, err)
		}
		ev = playbook.Event{Kind: playbook.Answered, Action: q.Question.Action, Answer: a.Answer, By: a.By, Reason: a.Reason}
	}
	return []ledger.Draft{{Kind: KindDone, Subject: runName(run), Actor: rec.Actor, Data: Done{Run: run, Event: ev}}}, nil
}

// finished tells the parent of a run, and starts those that wait their turn.
func (r *Runs) finished(tx *view.Tx, rec ledger.Record, d Finished) ([]ledger.Draft, error) {
	r.drop(d.Run)
	s, err := startedOf(tx, d.Run)
	if err != nil {
		return nil, err
	}
	var out []ledger.Draft
	if s.Concurrency != "" {
		if out, err = r.nextQueued(tx, s.Playbook, s.Concurrency); err != nil {
			return nil, err
		}
	}
	if s.Trigger.Kind != TriggerPlay {
		return out, nil
	}
	open, err := IsOpen(tx, s.Trigger.Run, s.Trigger.Action)
	if err != nil || !open {
		return out, err
	}
	return append(out, ledger.Draft{
		Kind: KindDone, Subject: runName(s.Trigger.Run), Actor: "playbook/" + s.Playbook,
		Data: Done{
			Run: s.Trigger.Run, Result: d.Output,
			Event: playbook.Event{Kind: playbook.Ended, Action: s.Trigger.Action, Run: runName(d.Run), Status: d.Status, Error: d.Error},
		},
	}), nil
}

// withdrawn ends what a run no longer wants: a run that it played.
func (r *Runs) withdrawn(tx *view.Tx, rec ledger.Record, d Action) ([]ledger.Draft, error) {
	queued := map[uint64]bool{}
	var children []uint64
	err := tx.Query(`SELECT id, state = 'queued' FROM run WHERE parent > 0 AND parent = ? AND ended = 0 ORDER BY id`, func(row view.Row) error {
		children = append(children, row.Uint(0))
		queued[row.Uint(0)] = row.Bool(1)
		return nil
	}, d.Run)
	if err != nil {
		return nil, err
	}
	const why = "the run that played it no longer wants it"
	var out []ledger.Draft
	for _, id := range children {
		s, err := startedOf(tx, id)
		if err != nil {
			return nil, err
		}
		end := ledger.Draft{Kind: KindCancelled, Subject: runName(id), Actor: rec.Actor, Data: Asked{Run: id, Reason: why}}
		if queued[id] { // it has not begun, so there is nothing to step
			end.Kind, end.Data = KindFinished, Finished{Run: id, Status: playbook.WasCancelled, Message: why}
		}
		if s.Trigger.Action == d.Action {
			out = append(out, end)
		}
	}
	return out, nil
}

// number reads a name such as run/1043.
func number(kind, name string) (uint64, error) {
	var n uint64
	digits, ok := strings.CutPrefix(name, kind+"/")
	if !ok || digits == "" {
		return 0, fmt.Errorf("internal error: %q is no %s", name, kind)
	}
	for _, c := range digits {
		if c < '0' || c > '9' || n > 1<<59 {
			return 0, fmt.Errorf("internal error: %q is no %s", name, kind)
		}
		n = n*10 + uint64(c-'0')
	}
	return n, nil
}
