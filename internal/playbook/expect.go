package playbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// Kind is the document kind "playbook": it compiles playbooks and runs the
// tests that they carry.
func Kind(cat Catalog) document.Kind {
	return document.Kind{
		Name:  "playbook",
		Title: "Playbook",
		Doc:   "What is done, step by step, when something happens: calls, questions to people, decisions.",
		Spec:  Spec{},
		Compile: func(d document.Document, in document.Set) (any, error) {
			p, err := Compile(d, in, cat)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Test: func(compiled any, _ document.Set) []document.TestResult {
			p, ok := compiled.(*Playbook)
			if !ok {
				return nil
			}
			return p.Test()
		},
	}
}

// test is one test of a playbook.
type test struct {
	name   string
	line   int
	init   Init
	given  Given
	at     time.Time
	expect expectSpec
}

// testTime is when a test begins that does not say.
var testTime = time.Date(2026, time.January, 1, 8, 0, 0, 0, time.UTC)

// tests checks what the tests of a playbook say, as far as that does not take
// a run.
func (c *compiler) tests(p *Playbook) {
	for i := range c.spec.Tests {
		sp, path := &c.spec.Tests[i], pathIndex("tests", i)
		g := &sp.Given
		t := test{
			name: sp.Name, line: c.doc.Issue(path, "").Line, at: testTime, expect: sp.Expect,
			init: Init{
				Run: "run/0", Trigger: g.Trigger, Alert: g.Alert, Case: g.Case, Inputs: g.Inputs, Requester: g.Requester,
			},
			given: Given{Steps: g.Steps},
		}
		if g.Now != "" {
			var err error
			if t.at, err = time.Parse(time.RFC3339, g.Now); err != nil {
				c.hinted(path+".given.now", "write 2026-11-22T08:00:00Z", "%q is not a time", clip(g.Now))
			}
		}
		for _, key := range sortedKeys(g.Steps) {
			at := pathKey(path+".given.steps", key)
			st := c.named(lastName(key))
			if st == nil {
				c.hinted(at, errs.Suggest(key, sortedKeys(c.byID)), "there is no step %q", clip(key))
				continue
			}
			if _, _, err := st.replies(g.Steps[key]); err != nil {
				c.errIssue(at, err)
			}
		}
		for key, ids := range map[string][]string{
			"steps": sortedKeys(sp.Expect.Steps), "sent": sortedKeys(sp.Expect.Sent), "waits": sortedKeys(sp.Expect.Waits),
		} {
			for _, id := range ids {
				if c.named(lastName(id)) == nil {
					c.hinted(pathKey(path+".expect."+key, id), errs.Suggest(id, sortedKeys(c.byID)), "there is no step %q", clip(id))
				}
			}
		}
		p.tests = append(p.tests, t)
	}
}

func (c *compiler) named(name string) *step {
	i := slices.IndexFunc(c.all, func(s *step) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return c.all[i]
}

// lastName is the name of the innermost step of an action id:
// hosts[3].contain#2:retry → contain.
func lastName(action string) string {
	name := action[strings.LastIndexByte(action, '.')+1:]
	if i := strings.IndexAny(name, "#:["); i >= 0 {
		return name[:i]
	}
	return name
}

// Test runs the tests that the playbook carries.
func (p *Playbook) Test() []document.TestResult {
	results := make([]document.TestResult, len(p.tests))
	for i := range p.tests {
		t := &p.tests[i]
		diffs := t.run(p)
		results[i] = document.TestResult{Name: t.name, Passed: len(diffs) == 0, Message: strings.Join(diffs, "\n"), Line: t.line}
	}
	return results
}

// run returns what differs from what is expected.
func (t *test) run(p *Playbook) []string {
	var d differences
	if want := t.expect.Matches; want != nil {
		got, why, err := p.Matches(t.init.Alert, t.init.Case, t.at)
		switch {
		case err != nil:
			d.add("matches: %s", err)
		case got != *want:
			d.add("matches: expected %t, got %t: %s", *want, got, strings.Join(why, "; "))
		}
		if t.expect.onlyMatches() {
			return d
		}
	}
	t.compare(&d, Simulate(p, t.init, t.given, t.at))
	return d
}

// onlyMatches reports whether nothing is expected of a run.
func (e *expectSpec) onlyMatches() bool {
	return e.Status == "" && e.Called == nil && e.Asked == nil && e.Played == nil && e.Sent == nil && e.Steps == nil &&
		e.Vars == nil && e.Output == nil && e.Waits == nil && e.Took == nil && e.Error == ""
}

func (t *test) compare(d *differences, s Simulation) {
	e := &t.expect
	if s.Problem != "" {
		d.add("%s", s.Problem)
		return
	}
	d.run(e, s)
	d.list("called", e.Called, s.names("call", func(x Sent) string { return x.Name }))
	d.list("asked", e.Asked, s.names("ask", func(x Sent) string { return x.Step }))
	d.list("played", e.Played, s.names("play", func(x Sent) string { return x.Name }))
	for _, id := range sortedKeys(e.Sent) {
		d.sent(id, e.Sent[id], s)
	}
	for _, id := range sortedKeys(e.Steps) {
		if got, ok := s.Steps[id]; ok {
			d.part("steps."+id, e.Steps[id], got)
		} else {
			d.add("steps.%s: the step runs inside an each; expect the result of that one", id)
		}
	}
	for _, name := range sortedKeys(e.Vars) {
		d.part("vars."+name, e.Vars[name], s.Vars[name])
	}
	if e.Output != nil && !equal(plain(e.Output), plain(s.Output)) {
		d.add("output: expected %s, got %s", compact(e.Output), compact(s.Output))
	}
	for _, id := range sortedKeys(e.Waits) {
		d.wait(id, e.Waits[id], s)
	}
}

// differences are what a test found, in words.
type differences []string

func (d *differences) add(format string, args ...any) {
	*d = append(*d, clipTo(fmt.Sprintf(format, args...), 2000))
}

// run compares how the run ended. A test that says nothing of it expects that
// nothing failed.
func (d *differences) run(e *expectSpec, s Simulation) {
	switch {
	case e.Status != "" && string(s.Status) != e.Status,
		e.Status == "" && e.Error == "" && s.Status == RunFailed:
		want := e.Status
		if want == "" {
			want = "a run that does not fail"
		}
		d.add("status: expected %s, got %s", want, s.Status)
		if s.Error != nil {
			d.add("  because %s", s.Error)
		}
	}
	if e.Error != "" && (s.Error == nil || !strings.Contains(s.Error.Error(), e.Error)) {
		d.add("error: expected %q in it, got %q", e.Error, errorText(s.Error))
	}
	if e.Took != nil && *e.Took != time.Duration(s.Took) {
		d.add("took: expected %s, got %s", Span(*e.Took), s.Took)
	}
}

func errorText(e *Error) string {
	if e == nil {
		return ""
	}
	return e.Error()
}

func (s Simulation) names(kind string, name func(Sent) string) []string {
	list := []string{}
	for _, x := range s.Sent {
		if x.Kind == kind {
			list = append(list, name(x))
		}
	}
	return list
}

func (d *differences) list(what string, want *[]string, got []string) {
	if want != nil && !slices.Equal(*want, got) {
		d.add("%s: expected [%s], got [%s]", what, strings.Join(*want, ", "), strings.Join(got, ", "))
	}
}

func (d *differences) sent(id string, want any, s Simulation) {
	for _, x := range s.Sent {
		if x.Action == id || x.Step == id {
			d.part("sent."+id, want, x.Input)
			return
		}
	}
	d.add("sent.%s: the step sent nothing", id)
}

func (d *differences) wait(id string, want time.Duration, s Simulation) {
	for _, w := range s.Waits {
		if w.Action == id || w.Step == id {
			if time.Duration(w.For) != want {
				d.add("waits.%s: expected %s, got %s", id, Span(want), w.For)
			}
			return
		}
	}
	d.add("waits.%s: the step did not wait", id)
}

// part compares maps by the keys that are expected, lists one by one and other
// values as a whole.
func (d *differences) part(path string, want, got any) {
	want, got = plain(want), plain(got)
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, k := range sortedKeys(w) {
			v, has := g[k]
			if !has {
				d.add("%s: expected %s, but there is only %s", pathKey(path, k), compact(w[k]), strings.Join(sortedKeys(g), ", "))
				continue
			}
			d.part(pathKey(path, k), w[k], v)
		}
		return
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			d.part(pathIndex(path, i), w[i], g[i])
		}
		return
	}
	if !equal(want, got) {
		d.add("%s: expected %s, got %s", path, compact(want), compact(got))
	}
}
