package ask

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A Status is where a question stands.
type Status string

// Statuses of a question. Open leads to one of the others, once.
const (
	Open       Status = "open"
	IsAnswered Status = "answered"
	IsExpired  Status = "expired"
	IsGone     Status = "withdrawn"
)

// A State is a question and what became of it: the fold of its records. It is
// a value; its slices are replaced whole, never written to.
type State struct {
	Question Question  `json:"question"`
	Status   Status    `json:"status"`
	AskedAt  time.Time `json:"asked_at"`
	Reached  []string  `json:"reached,omitempty"` // the people to whom it was put

	Reminders   int       `json:"reminders,omitempty"`
	RemindedAt  time.Time `json:"reminded_at,omitzero"`
	Escalations int       `json:"escalations,omitempty"`
	Also        []string  `json:"also,omitempty"` // who may answer since an escalation
	Refusals    int       `json:"refusals,omitempty"`

	// Set when the question ended.
	EndedAt time.Time `json:"ended_at,omitzero"`
	Choice  string    `json:"answer,omitempty"` // the answer given, or taken by default
	Reason  string    `json:"reason,omitempty"` // why it was answered so, or withdrawn
	By      string    `json:"by,omitempty"`     // who answered
	Failed  bool      `json:"failed,omitempty"` // it expired and that is a failure
}

// Apply returns the state after one record of the question, given its kind,
// data and time. An error means that the ledger holds what this package would
// never have decided.
func Apply(s State, kind string, data []byte, at time.Time) (State, error) {
	next, err := apply(s, kind, data, at)
	if err != nil {
		return s, fmt.Errorf("apply %s: %w", kind, err)
	}
	return next, nil
}

func apply(s State, kind string, data []byte, at time.Time) (State, error) {
	if (kind == KindAsked) != (s.Status == "") {
		return s, fmt.Errorf("the question is already asked, or not yet (status %q)", s.Status)
	}
	if kind != KindAsked && kind != KindRefused && s.Status != Open {
		return s, fmt.Errorf("the question has ended (status %q)", s.Status)
	}
	switch kind {
	case KindAsked:
		return fold(data, func(d Asked) (State, error) {
			return State{Question: d.Question, Status: Open, AskedAt: at, Reached: d.People}, nil
		})
	case KindAnswered:
		return fold(data, func(d Answered) (State, error) {
			s.Status, s.EndedAt, s.Choice, s.Reason, s.By = IsAnswered, at, d.Answer, d.Reason, d.By
			return s, nil
		})
	case KindRefused:
		s.Refusals++
		return s, nil
	case KindReminded:
		return fold(data, func(d Reminded) (State, error) { return s.reminded(d, at) })
	case KindEscalated:
		return fold(data, s.escalated)
	case KindExpired:
		return fold(data, func(d Expired) (State, error) {
			s.Status, s.EndedAt, s.Choice, s.Failed = IsExpired, at, d.Answer, d.Fail
			return s, nil
		})
	case KindWithdrawn:
		return fold(data, func(d Withdrawn) (State, error) {
			s.Status, s.EndedAt, s.Reason = IsGone, at, d.Why
			return s, nil
		})
	default:
		return s, fmt.Errorf("no such kind of record")
	}
}

// fold decodes data and gives it to f.
func fold[T any](data []byte, f func(T) (State, error)) (State, error) {
	var d T
	if err := json.Unmarshal(data, &d); err != nil {
		return State{}, fmt.Errorf("decode data: %w", err)
	}
	return f(d)
}

func (s State) reminded(d Reminded, at time.Time) (State, error) {
	if d.N != s.Reminders+1 {
		return s, fmt.Errorf("reminder %d after %d", d.N, s.Reminders)
	}
	s.Reminders = d.N
	// A clock that was set back must not bring a reminder forward.
	s.RemindedAt = later(at, d.Due)
	return s, nil
}

func (s State) escalated(d Escalated) (State, error) {
	if d.N != s.Escalations+1 || d.N > len(s.Question.Escalate) {
		return s, fmt.Errorf("escalation %d after %d", d.N, s.Escalations)
	}
	s.Escalations = d.N
	switch kindOf(d.To) {
	case personTarget, teamTarget, mentionTarget:
		s.Also = append(slices.Clone(s.Also), d.To)
	case roleTarget: // it was theirs when it was escalated, and stays so
		s.Also = append(slices.Clone(s.Also), d.People...)
	default: // a channel: it is seen by more, and answered by the same
	}
	return s, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Withdraw decides that an open question is no longer asked.
func (s State) Withdraw(why string) (Withdrawn, error) {
	if s.Status != Open {
		return Withdrawn{}, s.ended()
	}
	return Withdrawn{Why: why}, nil
}
