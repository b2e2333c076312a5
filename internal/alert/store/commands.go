package store

import (
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// maxText is the longest comment or reason, in bytes.
const maxText = 8 << 10

// change is the command that appends one record about a case, if its state
// allows.
func change(id uint64, kind, actor string, data any) sequencer.Command {
	return func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		c, err := Get(tx, id)
		if err != nil {
			return nil, err
		}
		if c.Merged != 0 {
			return nil, errs.E(errs.Conflict, "case %d became part of case %d", id, c.Merged)
		}
		if _, err := c.State.After(kind); err != nil {
			return nil, err
		}
		return []ledger.Draft{{Kind: kind, Subject: Name("case", id), Actor: actor, Data: data}}, nil
	}
}

func refuse(err error) sequencer.Command {
	return func(*view.Tx, time.Time) ([]ledger.Draft, error) { return nil, err }
}

func checkText(what, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errs.E(errs.Invalid, "%s is empty", what)
	case len(text) > maxText:
		return errs.E(errs.TooLarge, "%s has %d bytes, more than %d", what, len(text), maxText)
	}
	return nil
}

// OpenByHand opens a case that no alert opened.
func OpenByHand(actor string, c alert.CaseOpened) sequencer.Command {
	return func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: alert.KindOpened, Subject: Name("case", tx.Next()), Actor: actor, Data: c}}, nil
	}
}

// Acknowledge takes a case: a person is on it.
func Acknowledge(id uint64, actor, note string) sequencer.Command {
	return change(id, alert.KindAcknowledged, actor, alert.CaseAcknowledged{Note: note})
}

// Assign hands a case to a person or a team.
func Assign(id uint64, actor, to, note string) sequencer.Command {
	if !strings.HasPrefix(to, "person/") && !strings.HasPrefix(to, "team/") {
		return refuse(errs.E(errs.Invalid, "a case is assigned to person/NAME or team/NAME, not to %q", to))
	}
	return change(id, alert.KindAssigned, actor, alert.CaseAssigned{To: to, Note: note})
}

// Comment adds a comment.
func Comment(id uint64, actor, text string) sequencer.Command {
	if err := checkText("the comment", text); err != nil {
		return refuse(err)
	}
	return change(id, alert.KindCommented, actor, alert.CaseCommented{Text: text})
}

// Resolve says what a case was, and why.
func Resolve(id uint64, actor, verdict, reason string) sequencer.Command {
	if err := alert.CheckVerdict(verdict); err != nil {
		return refuse(err)
	}
	if err := checkText("the reason", reason); err != nil {
		return refuse(err)
	}
	return change(id, alert.KindResolved, actor, alert.CaseResolved{Verdict: verdict, Reason: reason})
}

// Reopen opens a resolved case again.
func Reopen(id uint64, actor, reason string) sequencer.Command {
	if err := checkText("the reason", reason); err != nil {
		return refuse(err)
	}
	return change(id, alert.KindReopened, actor, alert.CaseReopened{Reason: reason})
}

// Merge makes a case part of another.
func Merge(id, into uint64, actor, reason string) sequencer.Command {
	if id == into {
		return refuse(errs.E(errs.Invalid, "case %d cannot become part of itself", id))
	}
	one := change(id, alert.KindMerged, actor, alert.CaseMerged{Into: Name("case", into), Reason: reason})
	return func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		c, err := Get(tx, into)
		if err != nil {
			return nil, err
		}
		if c.Merged != 0 {
			return nil, errs.E(errs.Conflict, "case %d became part of case %d", into, c.Merged)
		}
		return one(tx, now)
	}
}

// Overdue takes a step of an objective for a case on which nobody has acted,
// unless it was taken meanwhile.
func Overdue(id uint64, o *alert.Objective, step alert.Step, notified []string) sequencer.Command {
	return func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		c, err := Get(tx, id)
		if err != nil {
			return nil, err
		}
		for _, s := range alert.Due(o, c.Handling(), now) {
			if s.Index == step.Index {
				return []ledger.Draft{{
					Kind: alert.KindOverdue, Subject: Name("case", id), Actor: "beffroi",
					Data: o.Overdue(c.Handling(), s, notified),
				}}, nil
			}
		}
		return nil, nil
	}
}
