package playbook

import (
	"reflect"
	"strings"
	"time"

	"beffroi.dev/internal/document"
)

// A Command is what a run wants done: [Call], [Ask], [Wait], [Await], [Play],
// [Withdraw] or [Finish].
//
// Action ids are the path of a step: contain, hosts[3].contain, contain#2 for
// the second attempt, contain:retry for the wait before an attempt and
// contain:timeout for the watch over it. A run never uses one twice.
type Command interface{ command() }

// Call asks for an operation of the catalogue. It is performed at least once;
// Key is the same for every attempt.
type Call struct {
	Action     string         `json:"action"`
	Op         string         `json:"op"`
	Connection string         `json:"connection,omitempty"`
	With       map[string]any `json:"with,omitempty"`
	Timeout    time.Duration  `json:"timeout,omitempty"` // 0: that of the connection
	Attempt    int            `json:"attempt"`           // from 1
	Key        string         `json:"key"`               // idempotency key: run id / path without attempts
}

// Ask puts a question to people.
type Ask struct {
	Action   string   `json:"action"`
	Question Question `json:"question"`
}

// Wait asks for the event Fired at a time.
type Wait struct {
	Action string    `json:"action"`
	Until  time.Time `json:"until"`
}

// Await asks for the event Arrived when an event of that name comes that
// [Await.Matches], and for Fired at Until, unless that is zero.
type Await struct {
	Action string         `json:"action"`
	Event  string         `json:"event"`
	Match  map[string]any `json:"match,omitempty"` // path into the event → value that it must have
	Until  time.Time      `json:"until,omitzero"`
}

// Play starts a run of another playbook. It sees the alert and the case of
// this one.
type Play struct {
	Action   string         `json:"action"`
	Playbook string         `json:"playbook"`
	Inputs   map[string]any `json:"inputs,omitempty"`
	Key      string         `json:"key"`
}

// Withdraw takes back an action that is open: a question that need not be
// answered any more, a wait, a call whose result nobody wants, a played run.
type Withdraw struct {
	Action string `json:"action"`
}

// Finish ends the run. Nothing is open then.
type Finish struct {
	Status  Status `json:"status"`
	Output  any    `json:"output,omitempty"`
	Error   *Error `json:"error,omitempty"`   // of RunFailed
	Message string `json:"message,omitempty"` // of Stopped: the text of the stop; of WasCancelled: the reason
}

func (Call) command()     {}
func (Ask) command()      {}
func (Wait) command()     {}
func (Await) command()    {}
func (Play) command()     {}
func (Withdraw) command() {}
func (Finish) command()   {}

// Matches reports whether the data of an event has every value that is asked
// for.
func (a Await) Matches(data any) bool {
	for path, want := range a.Match {
		got := data
		for key := range strings.SplitSeq(path, ".") {
			m, ok := got.(map[string]any)
			if !ok {
				return false
			}
			if got, ok = m[key]; !ok {
				return false
			}
		}
		if !equal(got, want) {
			return false
		}
	}
	return true
}

// equal compares JSON values; 1 and 1.0 are the same number.
func equal(a, b any) bool {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(float64); ok {
			return float64(x) == y
		}
	case float64:
		if y, ok := b.(int64); ok {
			return x == float64(y)
		}
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			v, ok := y[k]
			if !ok || !equal(x[k], v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// A Question is what people are asked, with every expression evaluated.
type Question struct {
	To           string       `json:"to"` // "#soc", "@ada", "person/ada", "team/blue"
	Title        string       `json:"title"`
	Text         string       `json:"text,omitempty"`
	Fields       []Field      `json:"fields,omitempty"`
	Answers      []Answer     `json:"answers"`
	Reason       string       `json:"reason,omitempty"` // none, optional or required; an answer may say otherwise
	Who          []string     `json:"who,omitempty"`    // people and teams that may answer; empty: whoever is asked
	NotRequester bool         `json:"not_requester,omitempty"`
	Requester    string       `json:"requester,omitempty"`    // who started the run
	Remind       []Span       `json:"remind,omitempty"`       // times after the question
	RemindEvery  Span         `json:"remind_every,omitempty"` // again and again; 0: not
	Escalate     []Escalation `json:"escalate,omitempty"`
	Expire       *Expiry      `json:"expire,omitempty"`
}

// A Field is a line of facts in a question.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Answer is a button.
type Answer struct {
	Value   string `json:"value"` // what steps.X.answer will be
	Label   string `json:"label"`
	Style   string `json:"style,omitempty"`   // primary or danger
	Confirm string `json:"confirm,omitempty"` // asked once more before it counts
	Reason  string `json:"reason,omitempty"`  // none, optional or required
}

// An Escalation also asks somebody else when there is no answer for a time.
type Escalation struct {
	After Span   `json:"after"` // since the question was asked
	To    string `json:"to"`
}

// An Expiry is the deadline of a question.
type Expiry struct {
	After  Span   `json:"after"`
	Answer string `json:"answer,omitempty"` // counts as given then; empty: the step fails
}

// A Span is a length of time that reads as documents write it: 15m, 2h30m.
type Span time.Duration

// MarshalText writes the span without what is zero: 1h, not 1h0m0s.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := document.ParseDuration(string(text))
	if err != nil {
		d, err = time.ParseDuration(string(text)) // under a millisecond
	}
	*s = Span(d)
	return err
}

func (s Span) String() string {
	text := time.Duration(s).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
