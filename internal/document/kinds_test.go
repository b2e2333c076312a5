package document_test

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// These two kinds stand for those of the product: one has every form that a
// key can have, the other refers to documents of its kind and carries tests.

func kinds() document.Kinds {
	return document.Kinds{
		"recipe": {
			Name: "recipe", Title: "Recipe", Doc: "How a dish is made.", Spec: recipe{},
			Compile: func(d document.Document, _ document.Set) (any, error) {
				var r recipe
				return r, d.Decode(&r)
			},
		},
		"task": {
			Name: "task", Title: "Task", Doc: "What has to be done.", Spec: task{},
			Compile: compileTask, Test: testTask,
		},
	}
}

type recipe struct {
	Steps   []step            `yaml:"steps" required:"true" min:"1" max:"9" doc:"What is done."`
	Rest    time.Duration     `yaml:"rest" min:"1m" max:"7d" doc:"How long it rests."`
	Level   string            `yaml:"level" enum:"easy,hard" doc:"How hard it is."`
	Code    string            `yaml:"code" pattern:"^[A-Z]{2}$" max:"2"`
	Tags    []string          `yaml:"tags" enum:"vegan,hot"`
	Serves  int               `yaml:"serves" min:"1" max:"12"`
	Small   int8              `yaml:"small"`
	Weight  float64           `yaml:"weight" max:"2.5"`
	Public  bool              `yaml:"public"`
	Sauce   *sauce            `yaml:"sauce"`
	Notes   map[string]string `yaml:"notes" max:"2"`
	Extra   any               `yaml:"extra"`
	Oven    oven              `yaml:"oven"`
	Heat    heat              `yaml:"heat" doc:"Degrees, or from and to."`
	Author  `yaml:",inline"`
	Ignored string `yaml:"-"`
}

// Author is inlined: its keys stand among those of the recipe.
type Author struct {
	By   string `yaml:"by" doc:"Who wrote it."`
	Year int
}

type sauce struct {
	Name  string `yaml:"name" required:"true"`
	Spicy bool   `yaml:"spicy"`
}

type oven struct {
	Shelf int `yaml:"shelf" required:"true"`
}

type step struct {
	Do   string         `yaml:"do"`
	With map[string]any `yaml:"with"`
	Then []step         `yaml:"then" doc:"Steps after this one."`
}

// heat is a number, or a map of two.
type heat struct{ from, to int }

func (h *heat) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		err := document.DecodeNode(n, &h.from)
		h.to = h.from
		return err
	}
	var r heatRange
	if err := document.DecodeNode(n, &r); err != nil {
		return err
	}
	if h.from, h.to = r.From, r.To; h.from > h.to {
		return fmt.Errorf("it cools down from %d to %d", h.from, h.to)
	}
	return nil
}

func (*heat) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{reflect.TypeFor[int](), reflect.TypeFor[heatRange]()}}
}

type heatRange struct {
	From int `yaml:"from" required:"true"`
	To   int `yaml:"to" required:"true"`
}

type task struct {
	After []string   `yaml:"after" doc:"Tasks that come before."`
	Gives int        `yaml:"gives"`
	Tests []taskTest `yaml:"tests"`
}

type taskTest struct {
	Name string `yaml:"name"`
	Want int    `yaml:"want"`
}

func compileTask(d document.Document, in document.Set) (any, error) {
	var s task
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	if s.Gives < 0 {
		return nil, fmt.Errorf("a task gives something")
	}
	var issues errs.Issues
	for i, name := range s.After {
		if _, ok := in[document.ID{Kind: "task", Name: name}]; !ok {
			issues = append(issues, d.Issue(fmt.Sprintf("after[%d]", i), "there is no task %q", name))
		}
	}
	return s, issues.Err()
}

func testTask(compiled any, _ document.Set) (results []document.TestResult) {
	s, ok := compiled.(task)
	if !ok {
		panic(fmt.Sprintf("compiled %T", compiled))
	}
	for _, t := range s.Tests {
		r := document.TestResult{Name: t.Name, Passed: t.Want == s.Gives}
		if !r.Passed {
			r.Message = fmt.Sprintf("want %d, got %d", t.Want, s.Gives)
		}
		results = append(results, r)
	}
	return slices.Clip(results)
}
