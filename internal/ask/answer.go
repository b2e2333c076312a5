package ask

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An Attempt is somebody's wish to answer, already authenticated by the channel
// through which it came.
type Attempt struct {
	Person string // person/ada; empty when nobody we know
	From   string // who the channel says it is, for the record: a Slack user id
	Via    string // slack, api
	Answer string // the id of the answer
	Reason string
	At     time.Time // when it reached us
}

// A Directory knows people. It answers for the moment of the call.
type Directory interface {
	// Person returns the person with an id such as person/ada.
	Person(id string) (Person, bool)
	// InTeam reports whether the person is in the team, by ids such as
	// person/ada and team/blue.
	InTeam(person, team string) bool
}

// A Person is what a question must know of somebody.
type Person struct {
	ID     string // person/ada
	Name   string // for people to read
	Active bool
	Guest  bool
}

// Answer decides about an attempt: it returns the data of the one record that
// ends the question, or a *RefusedError or *AlreadyAnsweredError. Who somebody
// is and whether they were asked is looked at first, so that nobody else learns
// how the question stands.
func (s State) Answer(a Attempt, dir Directory) (Answered, error) {
	if err := s.mayAnswer(a, dir); err != nil {
		return Answered{}, err
	}
	if s.Status == IsAnswered {
		return Answered{}, s.tooLate(a, dir)
	}
	if s.Status != Open {
		return Answered{}, s.ended()
	}
	if end, ok := s.Deadline(); ok && !a.At.Before(end) {
		return Answered{}, &RefusedError{Why: WhyExpired}
	}
	answer, ok := s.Question.Find(a.Answer)
	if !ok {
		return Answered{}, &RefusedError{Why: WhyNoSuchAnswer, answers: s.Question.Answers}
	}
	reason := clean(a.Reason)
	switch {
	case reason == "" && s.Question.ReasonFor(answer) == ReasonRequired:
		return Answered{}, &RefusedError{Why: WhyReasonMissing}
	case utf8.RuneCountInString(reason) > MaxReason:
		return Answered{}, &RefusedError{Why: WhyReasonTooLong}
	}
	return Answered{Answer: answer.ID, Label: answer.Text(), Reason: reason, By: a.Person, Via: a.Via}, nil
}

// mayAnswer returns why the person may not, whatever they would say.
func (s State) mayAnswer(a Attempt, dir Directory) error {
	p, known := dir.Person(a.Person)
	who, open := s.Who()
	switch {
	case !isPerson(a.Person) || !known:
		return &RefusedError{Why: WhyUnknownPerson}
	case !p.Active:
		return &RefusedError{Why: WhyInactive}
	case p.Guest:
		return &RefusedError{Why: WhyGuest}
	case s.Question.NotRequester && s.Question.Requester == a.Person:
		return &RefusedError{Why: WhyRequester}
	case !open && !names(who, a.Person, dir):
		return &RefusedError{Why: WhyNotEntitled, Who: who}
	default:
		return nil
	}
}

// Who returns the people and teams who may answer now: those whom the question
// names, else those to whom it was put, and those to whom it was escalated.
// open is true when it was put to a channel and names nobody: then everybody
// may who is active and not a guest.
func (s State) Who() (who []string, open bool) {
	switch q := s.Question; {
	case len(q.Who) > 0:
		who = q.Who
	case kindOf(q.Channel)&peopleTarget != 0:
		who = []string{q.Channel}
	case kindOf(q.Channel) == roleTarget:
		who = s.Reached
	default:
		return nil, true
	}
	return slices.Concat(who, s.Also), false
}

// tooLate says who was first.
func (s State) tooLate(a Attempt, dir Directory) error {
	e := &AlreadyAnsweredError{By: s.By, Name: s.By, Answer: s.Choice, Label: s.Choice, Reason: s.Reason, At: s.EndedAt, You: s.By == a.Person}
	if p, ok := dir.Person(s.By); ok && strings.TrimSpace(p.Name) != "" {
		e.Name = p.Name
	}
	if answer, ok := s.Question.Find(s.Choice); ok {
		e.Label = answer.Text()
	}
	e.same = e.You && a.Answer == s.Choice
	return e
}

// ended says why a question that is not answered takes no answer.
func (s State) ended() error {
	switch s.Status {
	case IsAnswered:
		return &AlreadyAnsweredError{By: s.By, Name: s.By, Answer: s.Choice, Label: s.Choice, Reason: s.Reason, At: s.EndedAt}
	case IsExpired:
		return &RefusedError{Why: WhyExpired}
	case IsGone:
		return &RefusedError{Why: WhyWithdrawn}
	default:
		return &RefusedError{Why: WhyNotAsked}
	}
}
