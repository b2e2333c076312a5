// Package ask is a question put to people, from its asking to its end.
//
// A [Question] is a value: what is asked, where, of whom, what may be answered
// and what happens while nobody does. A [State] is where it stands, folded by
// [Apply] from the records of its life. [State.Answer], [State.Due] and
// [State.Withdraw] decide what may be recorded next.
//
// The package promises that a question ends once: by exactly one answer, by its
// deadline, or because it was withdrawn; that whoever comes too late is told
// who was first; that nobody answers who is unknown, inactive, a guest, not
// asked, or (where the question says so) the requester; and that each reminder
// and escalation is due once, however long the program was away. Silence is a
// record as well.
//
// It is pure: the time comes with each call. It never sends anything, knows no
// channel, and never evaluates what a question or an answer says.
package ask

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Question is what people are asked. Its JSON form is stored in the ledger
// and documented in docs/questions.md.
type Question struct {
	Channel string   `json:"channel"` // where it is put: see docs/questions.md, "Targets"
	Title   string   `json:"title"`
	Text    string   `json:"text,omitempty"`
	Fields  []Field  `json:"fields,omitempty"`
	Answers []Answer `json:"answers"`

	Reason       ReasonRule `json:"reason,omitempty"`
	Who          []string   `json:"who,omitempty"` // people and teams; empty: see [State.Who]
	NotRequester bool       `json:"not_requester,omitempty"`
	Requester    string     `json:"requester,omitempty"` // for whom it is asked: person/ada; empty when no person wanted it

	// Remind holds the waits between reminders: the first after the asking,
	// each other after the one before. With RemindEvery the last wait repeats,
	// and slows down.
	Remind      []Duration   `json:"remind,omitempty"`
	RemindEvery bool         `json:"remind_every,omitempty"`
	Escalate    []Escalation `json:"escalate,omitempty"` // in the order of time
	Expire      *Expiry      `json:"expire,omitempty"`   // nil: it waits for ever

	Case   string `json:"case,omitempty"`   // case/1041
	Run    string `json:"run,omitempty"`    // run/1043
	Action string `json:"action,omitempty"` // the run's id for this question
}

// A Field is a fact shown beside the question.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// An Answer is one of those that may be given.
type Answer struct {
	ID      string     `json:"id"`
	Label   string     `json:"label,omitempty"` // what the button says; empty: made from the id
	Style   Style      `json:"style,omitempty"`
	Confirm string     `json:"confirm,omitempty"` // asked again before it counts
	Reason  ReasonRule `json:"reason,omitempty"`  // empty: that of the question
}

// A Style is how a button looks.
type Style string

// Styles of a button.
const (
	Plain   Style = ""
	Primary Style = "primary"
	Danger  Style = "danger"
)

// A ReasonRule says whether whoever answers may or must say why.
type ReasonRule string

// Rules for reasons. The empty rule of a question is ReasonNone.
const (
	ReasonNone     ReasonRule = "none"
	ReasonOptional ReasonRule = "optional"
	ReasonRequired ReasonRule = "required"
)

// An Escalation brings the question to somebody else while nobody answers.
// Where it names people or a team, they may answer from then on.
type Escalation struct {
	After Duration `json:"after"` // since the asking
	To    string   `json:"to"`    // see docs/questions.md, "Targets"
}

// An Expiry ends a question that nobody answered: with a default answer, or as
// a failure. Exactly one of Answer and Fail is set.
type Expiry struct {
	After  Duration `json:"after"` // since the asking
	Answer string   `json:"answer,omitempty"`
	Fail   bool     `json:"fail,omitempty"`
}

// Text returns what the button of an answer says.
func (a Answer) Text() string {
	if a.Label != "" {
		return a.Label
	}
	text := strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(a.ID))
	if text == "" {
		return a.ID
	}
	first, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[n:]
}

// Find returns the answer with an id.
func (q Question) Find(id string) (Answer, bool) {
	for _, a := range q.Answers {
		if a.ID == id {
			return a, true
		}
	}
	return Answer{}, false
}

// ReasonFor returns whether an answer needs, or allows, a reason.
func (q Question) ReasonFor(a Answer) ReasonRule {
	switch {
	case a.Reason != "":
		return a.Reason
	case q.Reason != "":
		return q.Reason
	default:
		return ReasonNone
	}
}
