package slack

import (
	"cmp"
	"context"
	"time"
)

// An Outbox says what must be on Slack, and remembers what is. It is derived
// from state, so that a restart goes on where the records say.
type Outbox interface {
	// Due returns, ordered by [Place], up to limit messages after the given
	// place that must be on Slack and are not, or stand there in an older
	// revision. A message leaves the outbox by Posted, by a Failed without a
	// time to retry, or because it need not be there any more.
	Due(ctx context.Context, after Place, limit int) ([]Message, error)

	// Posted records that a revision stands on Slack. It is durable when it
	// returns nil.
	Posted(ctx context.Context, p Posted) error

	// Failed records why a message is not on Slack, for operators. It is called
	// once a reason, not once an attempt.
	Failed(ctx context.Context, f Failure) error
}

// A Desk takes what people did. Both methods are durable when they return nil.
type Desk interface {
	// Answer decides a click of a full member of the workspace whose e-mail
	// address Slack vouches for. Whether that person may answer is for the desk
	// to say.
	Answer(ctx context.Context, c Click) (Outcome, error)

	// Refuse records a click of somebody who may not press anything at all.
	Refuse(ctx context.Context, c Click, why Refusal) error
}

// A Kind says what a message is for.
type Kind string

// Kinds of message.
const (
	Question   Kind = "question"
	Reminder   Kind = "reminder"
	Escalation Kind = "escalation"
	Notice     Kind = "notice" // nobody has to do anything; may be folded into a digest
)

// A Place orders the outbox: by revision, then by key.
type Place struct {
	Rev uint64
	Key string
}

// Compare orders places.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Rev, q.Rev), cmp.Compare(p.Key, q.Key))
}

// A Message is one message as it must stand on Slack.
type Message struct {
	Key  string    // its name for ever: "ask/1050", "ask/1050/reminder/1"
	Rev  uint64    // of this content; grows: the sequence number of the record that made it so
	Kind Kind      //
	Due  time.Time // when it first had to be there

	Channel string // "#soc", or a conversation's id; with Email empty too: the default channel
	Email   string // of a person, for a direct message instead

	Thread    string // messages of one thread ("case/1041") share a thread of the channel; "" for none
	ThreadTS  string // the thread's first message there, from its Posted; "" if there is none yet
	Broadcast bool   // a reply is shown in the channel too

	Priority int      // larger goes first within a channel; 0 is normal
	Mention  []string // e-mail addresses of people to notify by name
	At       Spot     // where an older revision stands; zero if none does

	Content Content
}

// Place returns the message's place in the outbox.
func (m Message) Place() Place { return Place{m.Rev, m.Key} }

// Content is what a message says. All of it may come from outside: it is shown
// as it is, with URLs defanged. Only Links can be followed.
type Content struct {
	Title    string
	Context  []string // a line above the text: "High", "Elastic", "case 1041"
	Text     string   // Slack's *bold* and `code` work; mentions and links do not
	Fields   []Field  // literal
	Links    []Link
	Answers  []Answer
	Status   string    // a line below: "waiting for the blue team"
	Deadline time.Time // shown in the reader's own time zone; zero for none
	Result   *Result   // replaces the answers
}

// A Field is a name and its value, side by side.
type Field struct{ Name, Value string }

// A Link is followed by a press. Its URL is ours, never an alert's.
type Link struct{ Label, URL string }

// An Answer is a button.
type Answer struct {
	Token   string // opaque, up to 255 printable ASCII characters: what the click brings back
	Label   string
	Style   Style
	Confirm string // asked before the press counts; "" for not
}

// A Style is the look of a button.
type Style string

// Styles of buttons.
const (
	Plain   Style = ""
	Primary Style = "primary"
	Danger  Style = "danger"
)

// A Result says how a question ended.
type Result struct {
	Ending Ending
	Answer string // the label that counts, also of a default answer
	By     string // the person's name
	Via    string // where: "the command line"; "" for Slack
	Reason string
	At     time.Time
}

// An Ending is one way in which a question ends.
type Ending string

// Endings of a question.
const (
	Answered  Ending = "answered"
	Expired   Ending = "expired"
	Withdrawn Ending = "withdrawn"
)

// A Spot is where a message stands on Slack.
type Spot struct{ Channel, TS string }

// Posted says that a revision of a message stands on Slack.
type Posted struct {
	Key string
	Rev uint64
	Spot
	Thread   string // the message's thread key
	ThreadTS string // the thread's first message; the message itself when it is the first
	Folded   bool   // it stands there only as one of the count of a digest: it is done, and never offered again
}

// A Failure says why a message is not on Slack.
type Failure struct {
	Key    string
	Rev    uint64
	Reason string    // Slack's word: "channel_not_found"
	Remedy string    // what an operator can do
	Retry  time.Time // when it is tried again; zero for never
}

// A Click is a press of a button, or the reason that was asked for after one.
type Click struct {
	ID     string // of the interaction
	Token  string // of the Answer
	Reason string // "" until it was asked for
	Who    Who
	Spot   // the message that was pressed
	At     time.Time
}

// Who is a person as Slack knows them, at the time of the click.
type Who struct {
	ID    string // "U024BE7LH"
	Team  string
	Name  string
	Email string
}

// An Outcome tells the clicker what became of the click.
type Outcome struct {
	Verdict Verdict
	Say     string // one sentence; needed unless the click was accepted
	Form    Form   // for NeedsReason
}

// A Verdict is what the desk made of a click.
type Verdict string

// Verdicts of the desk.
const (
	Accepted    Verdict = "accepted"
	Refused     Verdict = "refused"      // this person may not answer, or not so
	TooLate     Verdict = "too_late"     // somebody was first: Say names who
	NeedsReason Verdict = "needs_reason" // ask for a reason, then click again with it
)

// A Form asks for a reason. Say, when set, is what was wrong with the last one.
type Form struct {
	Title  string // of the window, 24 characters
	Prompt string
	Submit string // of the button
}

// A Refusal says why somebody may not press anything at all.
type Refusal string

// Refusals.
const (
	Guest       Refusal = "guest"
	Stranger    Refusal = "stranger" // of another organisation, or unknown to Slack
	Bot         Refusal = "bot"
	Deactivated Refusal = "deactivated"
	NoEmail     Refusal = "no_email" // Slack shows no e-mail address
)

// say returns the sentence that the refused person reads.
func (r Refusal) say() string {
	switch r {
	case Guest:
		return "Guests of this workspace cannot answer. Nothing was changed, and your press was recorded."
	case NoEmail:
		return "Slack shows no e-mail address of yours, so you cannot answer. Nothing was changed, and your press was recorded."
	case Stranger, Bot, Deactivated:
		return "Only members of this organisation can answer. Nothing was changed, and your press was recorded."
	}
	return "You cannot answer. Nothing was changed."
}
