package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// inlineMax is the longest value that stands in a record, in bytes.
const inlineMax = 16 << 10

// drafts turns what a run wants into records. They stand in the order of the
// commands, from tx.Next() on.
func (r *Runs) drafts(tx *view.Tx, id uint64, h *held, cmds []playbook.Command) ([]ledger.Draft, error) {
	var out []ledger.Draft
	for _, c := range cmds {
		more, err := r.draft(tx, id, h, c, out)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// draft turns one command into records, which will stand after those ahead.
func (r *Runs) draft(tx *view.Tx, id uint64, h *held, c playbook.Command, ahead []ledger.Draft) ([]ledger.Draft, error) {
	d := ledger.Draft{Subject: runName(id), Actor: "playbook/" + h.def.Name}
	waiting := Waiting{Run: id}
	switch c := c.(type) {
	case playbook.Call:
		with, err := r.payload(c.With)
		if err != nil {
			return nil, err
		}
		d.Kind, d.Data = KindCall, Call{
			Run: id, Playbook: h.def.Name, Action: c.Action, Op: c.Op, Connection: c.Connection, With: with,
			Timeout: ask.Duration(c.Timeout), Attempt: c.Attempt, Key: c.Key, Case: h.caseID,
		}
		return []ledger.Draft{d}, nil
	case playbook.Ask:
		return r.draftAsk(id, h, c, tx.Next()+uint64(len(ahead)), d), nil
	case playbook.Wait:
		waiting.Action, waiting.For, waiting.Until = c.Action, OpenWait, &c.Until
	case playbook.Await:
		waiting.Action, waiting.For, waiting.Event, waiting.Match = c.Action, OpenAwait, c.Event, c.Match
		r.waited.Store(true)
		if !c.Until.IsZero() {
			waiting.Until = &c.Until
		}
	case playbook.Play:
		return r.draftPlay(tx, id, h, c, ahead, d)
	case playbook.Withdraw:
		d.Kind, d.Data = KindWithdrawn, Action{Run: id, Action: c.Action}
		return []ledger.Draft{d}, nil
	case playbook.Finish:
		return r.draftFinish(id, c, d)
	default:
		return nil, fmt.Errorf("internal error: no record for a %T", c)
	}
	d.Kind, d.Data = KindWaiting, waiting
	return []ledger.Draft{d}, nil
}

// draftAsk asks a question, or fails the step when nobody could be asked.
func (r *Runs) draftAsk(id uint64, h *held, c playbook.Ask, seq uint64, d ledger.Draft) []ledger.Draft {
	q := question(c.Question)
	q.Run, q.Action = runName(id), c.Action
	if h.caseID != 0 {
		q.Case = "case/" + strconv.FormatUint(h.caseID, 10)
	}
	q = q.Fit()
	opened := d
	opened.Kind = KindWaiting
	if err := ask.Validate(q).Err(); err != nil {
		opened.Data = Waiting{Run: id, Action: c.Action, For: OpenAsk}
		d.Kind, d.Data = KindDone, Done{Run: id, Event: playbook.Event{
			Kind: playbook.Errored, Action: c.Action,
			Error: &playbook.Error{Kind: playbook.Invalid, Message: "the question cannot be asked: " + err.Error()},
		}}
		return []ledger.Draft{opened, d}
	}
	opened.Data = Waiting{Run: id, Action: c.Action, For: OpenAsk, Ask: seq}
	return []ledger.Draft{
		{Kind: ask.KindAsked, Subject: "ask/" + strconv.FormatUint(seq, 10), Actor: d.Actor, Data: ask.Asked{Question: q, People: r.reached(q)}},
		opened,
	}
}

// reached says whom a question reaches that is put to whoever has a duty now.
func (r *Runs) reached(q ask.Question) []string {
	if strings.HasPrefix(q.Channel, "team/") && strings.Count(q.Channel, "/") == 2 {
		return r.c.Reach(q.Channel)
	}
	return nil
}

func question(q playbook.Question) ask.Question {
	out := ask.Question{
		Channel: q.To, Title: q.Title, Text: q.Text, Reason: ask.ReasonRule(q.Reason), Who: q.Who,
		NotRequester: q.NotRequester, Requester: q.Requester,
	}
	for _, f := range q.Fields {
		out.Fields = append(out.Fields, ask.Field{Label: f.Name, Value: f.Value})
	}
	for _, a := range q.Answers {
		out.Answers = append(out.Answers, ask.Answer{ID: a.Value, Label: a.Label, Style: ask.Style(a.Style), Confirm: a.Confirm, Reason: ask.ReasonRule(a.Reason)})
	}
	// A playbook says when after the question; a question how long to wait.
	var last playbook.Span
	for _, at := range q.Remind {
		out.Remind = append(out.Remind, ask.Duration(at-last))
		last = at
	}
	if q.RemindEvery > 0 {
		out.Remind, out.RemindEvery = []ask.Duration{ask.Duration(q.RemindEvery)}, true
	}
	for _, e := range q.Escalate {
		out.Escalate = append(out.Escalate, ask.Escalation{After: ask.Duration(e.After), To: e.To})
	}
	if e := q.Expire; e != nil {
		out.Expire = &ask.Expiry{After: ask.Duration(e.After), Answer: e.Answer, Fail: e.Answer == ""}
	}
	return out
}

// draftPlay starts a child run, or fails the step when none starts.
func (r *Runs) draftPlay(tx *view.Tx, id uint64, h *held, c playbook.Play, ahead []ledger.Draft, d ledger.Draft) ([]ledger.Draft, error) {
	opened := d
	opened.Kind, opened.Data = KindWaiting, Waiting{Run: id, Action: c.Action, For: OpenPlay}
	fail := func(why string) ([]ledger.Draft, error) {
		d.Kind, d.Data = KindDone, Done{Run: id, Event: playbook.Event{
			Kind: playbook.Errored, Action: c.Action, Error: &playbook.Error{Kind: playbook.Invalid, Message: why},
		}}
		return []ledger.Draft{opened, d}, nil
	}
	def := r.active(c.Playbook)
	if def == nil {
		return fail("there is no playbook " + c.Playbook)
	}
	if h.depth >= maxDepth {
		return fail(fmt.Sprintf("playbooks play each other more than %d deep", maxDepth))
	}
	child := Started{
		Trigger: Trigger{Kind: TriggerPlay, Alert: h.started.Trigger.Alert, Case: h.caseID, Run: id, Action: c.Action, Depth: h.depth + 1},
		Inputs:  c.Inputs, Case: h.started.Case, Requester: h.started.Requester,
	}
	begun, err := r.begin(tx, def, child, append(slices.Clone(ahead), opened), d.Actor)
	if err != nil {
		return nil, err
	}
	if why, dropped := begun.Data.(Dropped); dropped {
		return fail("playbook " + c.Playbook + " does not start: " + why.Reason)
	}
	opened.Data = Waiting{Run: id, Action: c.Action, For: OpenPlay, Child: tx.Next() + uint64(len(ahead)) + 1}
	return []ledger.Draft{opened, begun}, nil
}

func (r *Runs) draftFinish(id uint64, c playbook.Finish, d ledger.Draft) ([]ledger.Draft, error) {
	f := Finished{Run: id, Status: c.Status, Error: c.Error, Message: c.Message}
	if c.Output != nil {
		var err error
		if f.Output, err = r.payload(c.Output); err != nil {
			return nil, err
		}
	}
	d.Kind, d.Data = KindFinished, f
	return []ledger.Draft{d}, nil
}

// payload encodes a value; a long one goes to the blob store.
func (r *Runs) payload(v any) (*Payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a value of a run: %w", err)
	}
	if len(b) <= inlineMax {
		return &Payload{JSON: b}, nil
	}
	name, err := r.c.Blobs.Put(context.Background(), b)
	if err != nil {
		return nil, fmt.Errorf("keep a value of a run: %w", err)
	}
	return &Payload{Blob: name, Size: len(b)}, nil
}

// active finds a playbook in force.
func (r *Runs) active(name string) *playbook.Playbook {
	for _, p := range r.c.Playbooks.Active() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// maxDepth bounds how deep playbooks play each other, and how long the chain of
// runs is that start because another ended.
const maxDepth = 16

// Done returns the record that a call succeeded, for effects that are records
// themselves and stand in the same block.
func (r *Runs) Done(run uint64, action, op string, result any) (ledger.Draft, error) {
	p, err := r.payload(result)
	if err != nil {
		return ledger.Draft{}, err
	}
	return ledger.Draft{
		Kind: KindDone, Subject: runName(run), Actor: "operation/" + op,
		Data: Done{Run: run, Event: playbook.Event{Kind: playbook.Finished, Action: action}, Result: p},
	}, nil
}

// Finish records the outcome of a call, unless it is no longer wanted.
func (r *Runs) Finish(ctx context.Context, c Call, result any, failure *playbook.Error, request json.RawMessage, took time.Duration) error {
	d := Done{Run: c.Run, Event: playbook.Event{Kind: playbook.Finished, Action: c.Action}, Took: ask.Duration(took.Round(time.Microsecond)), Request: request}
	if failure != nil {
		d.Event.Kind, d.Event.Error = playbook.Errored, failure
	} else {
		var err error
		if d.Result, err = r.payload(result); err != nil {
			return err
		}
	}
	_, err := r.c.Sequencer().Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		open, err := IsOpen(tx, c.Run, c.Action)
		if err != nil || !open {
			return nil, err
		}
		return []ledger.Draft{{Kind: KindDone, Subject: runName(c.Run), Actor: "operation/" + c.Op, Data: d}}, nil
	})
	return err
}
