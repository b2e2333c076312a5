package store

import (
	"context"
	"errors"
	"time"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// A Directory is what questions must know of people: who they are, and whom a
// target such as team/blue means at this moment.
type Directory interface {
	ask.Directory
	Reach(target string, at time.Time) []string
}

// Questions decides what becomes of questions.
type Questions struct {
	Sequencer *sequencer.Sequencer
	Directory func() Directory // of the moment
}

// Answer decides an attempt to answer. A refused attempt is recorded too; the
// error says why, and who was first when somebody was.
func (q *Questions) Answer(ctx context.Context, id uint64, a ask.Attempt) (ask.Answered, error) {
	var answered ask.Answered
	var refusal error
	_, err := q.Sequencer.Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		answered, refusal = ask.Answered{}, nil
		s, err := Get(tx, id)
		if err != nil {
			return nil, err
		}
		a.At = now
		actor := a.Person
		if actor == "" {
			actor = "unknown"
		}
		if answered, err = s.Answer(a, q.Directory()); err == nil {
			return []ledger.Draft{{Kind: ask.KindAnswered, Subject: Subject(id), Actor: actor, Data: answered}}, nil
		}
		data, ok := ask.Refusal(a, err)
		if !ok {
			return nil, err
		}
		refusal = err
		return []ledger.Draft{{Kind: ask.KindRefused, Subject: Subject(id), Actor: actor, Data: data}}, nil
	})
	return answered, errors.Join(err, refusal)
}

// Refuse records an attempt of somebody whom the channel already turned away.
func (q *Questions) Refuse(ctx context.Context, id uint64, r ask.Refused) error {
	_, err := q.Sequencer.Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		if _, err := Get(tx, id); err != nil {
			return nil, err
		}
		return []ledger.Draft{{Kind: ask.KindRefused, Subject: Subject(id), Actor: "unknown", Data: r}}, nil
	})
	return err
}

// Tick records what is due for a question: a reminder, an escalation, its end.
func (q *Questions) Tick(ctx context.Context, id uint64) error {
	_, err := q.Sequencer.Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		s, err := Get(tx, id)
		if err != nil {
			return nil, err
		}
		var drafts []ledger.Draft
		for _, step := range s.Due(now) {
			var people []string
			if step.Kind == ask.KindEscalated {
				people = q.Directory().Reach(step.To, now)
			}
			drafts = append(drafts, ledger.Draft{Kind: step.Kind, Subject: Subject(id), Actor: "beffroi", Data: step.Data(people...)})
		}
		return drafts, nil
	})
	return err
}

// Withdraw returns the records that take back the open questions of a step.
func Withdraw(tx *view.Tx, run, action, why string) ([]ledger.Draft, error) {
	var open []uint64
	err := tx.Query(`SELECT id FROM ask WHERE run = ? AND action = ? AND ended = 0`, func(r view.Row) error {
		open = append(open, r.Uint(0))
		return nil
	}, run, action)
	if err != nil {
		return nil, err
	}
	var drafts []ledger.Draft
	for _, id := range open {
		s, err := Get(tx, id)
		if err != nil {
			return nil, err
		}
		data, err := s.Withdraw(why)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, ledger.Draft{Kind: ask.KindWithdrawn, Subject: Subject(id), Actor: "beffroi", Data: data})
	}
	return drafts, nil
}
