package playbook

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/document"
)

// stepSpec is one step as written. Exactly one of the keys that make a kind is
// set; compile checks which keys go with it.
type stepSpec struct {
	ID      string        `yaml:"id" doc:"Name of the step: steps.ID is its result."`
	If      *string       `yaml:"if" doc:"Expression: the step is skipped unless it is true. With then, the choice between then and else."`
	Retry   *retrySpec    `yaml:"retry" doc:"How often and when a failed step is tried again; a number is short for times."`
	Timeout time.Duration `yaml:"timeout" min:"1s" max:"366d" doc:"How long one attempt may take."`
	OnError *onErrorSpec  `yaml:"on_error" doc:"After the last attempt: stop (default), continue, or steps to do instead."`

	Call       *string        `yaml:"call" doc:"An operation of the catalogue."`
	Connection string         `yaml:"connection" doc:"The connection that a call uses."`
	With       map[string]any `yaml:"with" doc:"Arguments of the call, inputs of the played playbook."`

	Ask *askSpec `yaml:"ask" doc:"A question to people. The step waits for the answer."`

	Set map[string]any `yaml:"set" doc:"Variables: vars.NAME has the value from here on."`

	Then *[]stepSpec `yaml:"then" doc:"Steps when the condition of if is true."`
	Else *[]stepSpec `yaml:"else" doc:"Steps when it is not."`

	Switch  *string           `yaml:"switch" doc:"Expression whose value chooses one of the cases."`
	Cases   named[[]stepSpec] `yaml:"cases" doc:"Steps for each value."`
	Default *[]stepSpec       `yaml:"default" doc:"Steps for any other value."`

	Each    any        `yaml:"each" doc:"Expression for a list, or a list: the steps under do run for each item."`
	As      string     `yaml:"as" doc:"Name of the item; item when absent."`
	Do      []stepSpec `yaml:"do" doc:"Steps for each item."`
	Collect *string    `yaml:"collect" doc:"Expression that makes of each item what steps.ID.results lists."`

	Parallel *parallelSpec `yaml:"parallel" doc:"Branches that run at the same time, named or as a list of lists. With each: how many items at a time."`

	Wait *waitSpec `yaml:"wait" doc:"For a time, until a time, or for an event; 10m is short for for: 10m."`

	Play *string `yaml:"play" doc:"Another playbook; the step waits for its result."`

	Stop *stopSpec `yaml:"stop" doc:"Ends the run; a text is short for message."`
}

type retrySpec struct {
	Times   int           `yaml:"times" required:"true" min:"1" max:"100" doc:"Attempts after the first."`
	Backoff time.Duration `yaml:"backoff" min:"100ms" max:"1d" doc:"Wait before the second attempt; 1s when absent."`
	Growth  string        `yaml:"growth" enum:"exponential,constant" doc:"exponential (default): each wait is twice the last."`
	Max     time.Duration `yaml:"max" min:"100ms" max:"1d" doc:"Longest wait; 5m when absent."`
	Jitter  *float64      `yaml:"jitter" min:"0" max:"1" doc:"Share of the wait that is left to chance, so that runs do not retry in step; 0.2 when absent."`
	On      oneOrMany     `yaml:"on" doc:"What is retried: 429, 5xx, timeout, network, failed, ...; network, timeout, unavailable, 429 and 5xx when absent."`
}

// UnmarshalNode implements document.Unmarshaler.
func (r *retrySpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return document.DecodeNode(n, (*retryFields)(r))
	}
	var short struct {
		Times int `yaml:"times" min:"1" max:"100"`
	}
	if err := document.DecodeNode(n, &short.Times); err != nil {
		return err
	}
	if r.Times = short.Times; r.Times < 1 || r.Times > maxRetries {
		return fmt.Errorf("retry is a number from 1 to %d, or a map with times", maxRetries)
	}
	return nil
}

// JSONSchema implements document.Schemer.
func (retrySpec) JSONSchema() map[string]any {
	return anyOf(number(maxRetries), reflect.TypeFor[retryFields]())
}

type retryFields retrySpec // without a form of its own

// onErrorSpec is stop, continue or steps.
type onErrorSpec struct {
	carryOn bool
	steps   []stepSpec
	handled bool
}

// UnmarshalNode implements document.Unmarshaler.
func (o *onErrorSpec) UnmarshalNode(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.SequenceNode:
		o.handled = true
		return document.DecodeNode(n, &o.steps)
	case n.Kind == yaml.ScalarNode && n.Value == "continue":
		o.carryOn = true
		return nil
	case n.Kind == yaml.ScalarNode && n.Value == "stop":
		return nil
	}
	return fmt.Errorf("on_error is stop, continue or a list of steps")
}

// JSONSchema implements document.Schemer.
func (onErrorSpec) JSONSchema() map[string]any {
	return anyOf(map[string]any{"enum": []any{"stop", "continue"}}, reflect.TypeFor[[]stepSpec]())
}

// parallelSpec is a number (with each), named branches or a list of branches.
type parallelSpec struct {
	number   int
	branches named[[]stepSpec]
}

// UnmarshalNode implements document.Unmarshaler.
func (p *parallelSpec) UnmarshalNode(n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return p.branches.UnmarshalNode(n)
	case yaml.SequenceNode:
		var list [][]stepSpec
		if err := document.DecodeNode(n, &list); err != nil {
			return err
		}
		for i, steps := range list {
			p.branches = append(p.branches, entry[[]stepSpec]{name: "[" + strconv.Itoa(i) + "]", value: steps})
		}
		return nil
	default:
		if err := document.DecodeNode(n, &p.number); err != nil {
			return fmt.Errorf("parallel is a map of branches, or with each a number")
		}
		if p.number < 1 || p.number > maxBranches {
			return fmt.Errorf("parallel is a number from 1 to %d", maxBranches)
		}
		return nil
	}
}

// JSONSchema implements document.Schemer.
func (parallelSpec) JSONSchema() map[string]any {
	return anyOf(number(maxBranches), reflect.TypeFor[[][]stepSpec](), mapOf[[]stepSpec]())
}

type waitSpec struct {
	For     string         `yaml:"for" doc:"How long: 10m."`
	Until   string         `yaml:"until" doc:"When: 2026-11-22T08:00:00Z, or ${{ ... }} that gives such a time."`
	Event   string         `yaml:"event" pattern:"^[a-z0-9][a-z0-9._/-]{0,126}$" doc:"Name of the event."`
	Match   map[string]any `yaml:"match" doc:"Values that the event must have: path, value."`
	Timeout string         `yaml:"timeout" doc:"How long to wait for the event; the step then goes on with timed_out."`
}

// UnmarshalNode implements document.Unmarshaler.
func (w *waitSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return document.DecodeNode(n, &w.For)
	}
	return document.DecodeNode(n, (*waitFields)(w))
}

// JSONSchema implements document.Schemer.
func (waitSpec) JSONSchema() map[string]any {
	return either[string, waitFields]()
}

type waitFields waitSpec // without a form of its own

type stopSpec struct {
	Status  string `yaml:"status" enum:"stopped,ok,failed" doc:"How the run ends: stopped (default), ok or failed."`
	Message string `yaml:"message" doc:"Why, for people."`
}

// UnmarshalNode implements document.Unmarshaler.
func (s *stopSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return document.DecodeNode(n, &s.Message)
	}
	return document.DecodeNode(n, (*stopFields)(s))
}

// JSONSchema implements document.Schemer.
func (stopSpec) JSONSchema() map[string]any {
	return either[string, stopFields]()
}

type stopFields stopSpec // without a form of its own
