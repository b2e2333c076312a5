package playbook

import (
	"fmt"
	"reflect"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/document"
)

// askSpec is a question as written.
type askSpec struct {
	Channel      string          `yaml:"channel" doc:"The channel that is asked: #soc. Channel or to."`
	To           string          `yaml:"to" doc:"Who is asked: @ada, person/ada, team/blue or #soc."`
	Title        string          `yaml:"title" required:"true" doc:"One line: what it is about."`
	Text         string          `yaml:"text" doc:"The question, and what one must know to answer it."`
	Fields       named[any]      `yaml:"fields" doc:"Facts, each with its name, in order."`
	Answers      []answerSpec    `yaml:"answers" required:"true" doc:"The buttons: a list of words, or of maps with value, label, style, confirm and reason."`
	Reason       string          `yaml:"reason" enum:"none,optional,required" doc:"Whether a reason is asked for; none when absent."`
	Who          oneOrMany       `yaml:"who" doc:"Who may answer: person/ada, team/blue. Whoever is asked when absent."`
	NotRequester bool            `yaml:"not_requester" doc:"Whoever started the run may not answer."`
	Remind       *remindSpec     `yaml:"remind" doc:"15m: again every 15 minutes; [30m, 2h]: at these times."`
	Escalate     escalationsSpec `yaml:"escalate" doc:"After a time without answer, who is asked too; one or a chain."`
	Expire       *expireSpec     `yaml:"expire" doc:"The deadline, and the answer that counts then; fail when there is none."`
}

type answerSpec struct {
	Value   string `yaml:"value" required:"true" pattern:"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$" doc:"What steps.ID.answer will be."`
	Label   string `yaml:"label" doc:"Text of the button; made from the value when absent."`
	Style   string `yaml:"style" enum:"primary,danger" doc:"Look of the button."`
	Confirm string `yaml:"confirm" doc:"A second question before the answer counts."`
	Reason  string `yaml:"reason" enum:"none,optional,required" doc:"Whether a reason is asked for with this answer."`
}

// UnmarshalNode implements document.Unmarshaler.
func (a *answerSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return document.DecodeNode(n, (*answerFields)(a))
	}
	return document.DecodeNode(n, &a.Value)
}

// JSONSchema implements document.Schemer.
func (answerSpec) JSONSchema() map[string]any {
	return either[string, answerFields]()
}

type answerFields answerSpec // without a form of its own

type remindSpec struct {
	every time.Duration
	at    []time.Duration
}

// UnmarshalNode implements document.Unmarshaler.
func (r *remindSpec) UnmarshalNode(n *yaml.Node) error {
	switch n.Kind {
	case yaml.SequenceNode:
		return document.DecodeNode(n, &r.at)
	case yaml.MappingNode:
		var m remindFields
		err := document.DecodeNode(n, &m)
		r.every = m.Every
		return err
	default:
		return document.DecodeNode(n, &r.every)
	}
}

// JSONSchema implements document.Schemer.
func (remindSpec) JSONSchema() map[string]any {
	return anyOf(reflect.TypeFor[time.Duration](), reflect.TypeFor[[]time.Duration](), reflect.TypeFor[remindFields]())
}

type remindFields struct {
	Every time.Duration `yaml:"every" required:"true" doc:"Again and again."`
}

type escalationSpec struct {
	After time.Duration `yaml:"after" required:"true" min:"1s" max:"366d" doc:"Since the question was asked."`
	To    string        `yaml:"to" required:"true" doc:"Who is asked too."`
}

// escalationsSpec is one escalation or a chain.
type escalationsSpec []escalationSpec

// UnmarshalNode implements document.Unmarshaler.
func (e *escalationsSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return document.DecodeNode(n, (*[]escalationSpec)(e))
	}
	*e = make(escalationsSpec, 1)
	return document.DecodeNode(n, &(*e)[0])
}

// JSONSchema implements document.Schemer.
func (escalationsSpec) JSONSchema() map[string]any { return oneOrMore[escalationSpec]() }

// expireSpec is {after: 8h, answer: no}, {after: 8h, fail: true} or 8h.
type expireSpec struct {
	after  time.Duration
	answer string
}

// UnmarshalNode implements document.Unmarshaler.
func (e *expireSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return document.DecodeNode(n, &e.after)
	}
	var m expireFields
	if err := document.DecodeNode(n, &m); err != nil {
		return err
	}
	if fails := m.Fail != nil && *m.Fail; fails == (m.Answer != "") {
		return fmt.Errorf("expire has an answer, or fail: true")
	}
	e.after, e.answer = m.After, m.Answer
	return nil
}

// JSONSchema implements document.Schemer.
func (expireSpec) JSONSchema() map[string]any {
	return either[time.Duration, expireFields]()
}

type expireFields struct {
	After  time.Duration `yaml:"after" required:"true" min:"1s" max:"366d" doc:"Since the question was asked."`
	Answer string        `yaml:"answer" doc:"The answer that counts then."`
	Fail   *bool         `yaml:"fail" doc:"true: the step fails then."`
}
