package ask

import (
	"errors"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// A Why is the reason for which an attempt to answer does not count. Records
// hold it, so it keeps its text for ever.
type Why string

// Reasons for a refusal.
const (
	WhyUnknownPerson Why = "unknown_person"
	WhyInactive      Why = "inactive"
	WhyGuest         Why = "guest"
	WhyNotEntitled   Why = "not_entitled"
	WhyRequester     Why = "requester"
	WhyNoSuchAnswer  Why = "no_such_answer"
	WhyReasonMissing Why = "reason_missing"
	WhyReasonTooLong Why = "reason_too_long"
	WhyAnswered      Why = "already_answered"
	WhyExpired       Why = "expired"
	WhyWithdrawn     Why = "withdrawn"
	WhyNotAsked      Why = "not_asked"
)

// A RefusedError says why an attempt does not count. Its text is for whoever
// made it; it unwraps to an [errs.Error].
type RefusedError struct {
	Why Why
	Who []string // of WhyNotEntitled: the people and teams who may answer

	answers []Answer // of WhyNoSuchAnswer
}

func (e *RefusedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the refusal as an error for people.
func (e *RefusedError) Unwrap() error {
	switch e.Why {
	case WhyUnknownPerson:
		return errs.Hint(errs.Denied, "ask an administrator to add you to the people documents", "Beffroi does not know who you are")
	case WhyInactive:
		return errs.E(errs.Denied, "your account is no longer active")
	case WhyGuest:
		return errs.E(errs.Denied, "guests cannot answer questions")
	case WhyNotEntitled:
		return errs.E(errs.Denied, "this question is for %s", people(e.Who))
	case WhyRequester:
		return errs.E(errs.Denied, "you asked for this, so somebody else must answer")
	case WhyNoSuchAnswer:
		ids := make([]string, len(e.answers))
		for i, a := range e.answers {
			ids[i] = a.ID
		}
		return errs.Hint(errs.Invalid, "answer one of "+strings.Join(ids, ", "), "that is not one of the answers")
	case WhyReasonMissing:
		return errs.E(errs.Invalid, "this answer needs a reason")
	case WhyReasonTooLong:
		return errs.E(errs.Invalid, "the reason is longer than %d characters", MaxReason)
	case WhyExpired:
		return errs.E(errs.Conflict, "the time to answer this question is over")
	case WhyWithdrawn:
		return errs.E(errs.Conflict, "this question is no longer asked")
	case WhyNotAsked:
		return errs.E(errs.NotFound, "there is no such question")
	default:
		return errs.E(errs.Denied, "the answer was refused: %s", e.Why)
	}
}

// people names targets for a reader: "ada, bob or the team blue".
func people(who []string) string {
	words := make([]string, len(who))
	for i, w := range who {
		switch kind, name, _ := strings.Cut(w, "/"); kind {
		case "team":
			words[i] = "the team " + name
		case "person":
			words[i] = name
		default:
			words[i] = w
		}
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}

// An AlreadyAnsweredError tells whoever comes second who was first.
type AlreadyAnsweredError struct {
	By     string // person/ada
	Name   string // Ada Lovelace, or By when the name is not known
	Answer string
	Label  string
	Reason string
	At     time.Time
	You    bool // it was the same person

	same bool // and the same answer: a double click
}

func (e *AlreadyAnsweredError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the refusal as an error for people.
func (e *AlreadyAnsweredError) Unwrap() error {
	name := e.Name
	if e.You {
		name = "you"
	}
	return errs.E(errs.Conflict, "already answered by %s at %s: %s", name, e.At.UTC().Format("2006-01-02 15:04 UTC"), e.Label)
}

// Refusal returns the data of the record of a refused attempt, given what
// [State.Answer] returned for it. There is nothing to record for any other
// error, nor for a second click on the same button by who was first.
func Refusal(a Attempt, err error) (Refused, bool) {
	r := Refused{By: a.Person, From: a.From, Via: a.Via, Answer: cut(clean(a.Answer), maxID)}
	var refused *RefusedError
	if errors.As(err, &refused) {
		r.Why = refused.Why
		if r.Why == WhyUnknownPerson {
			r.By = ""
		}
		return r, true
	}
	var late *AlreadyAnsweredError
	if errors.As(err, &late) && !late.same {
		r.Why = WhyAnswered
		return r, true
	}
	return Refused{}, false
}
