package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// ObjectiveSpec is what a document of kind objective says.
type ObjectiveSpec struct {
	If          string          `yaml:"if,omitempty" doc:"CEL over alert and source: which cases it is for, by the alert that opened them; all unless said"`
	Team        string          `yaml:"team" required:"true" doc:"name of the team that answers for it"`
	Acknowledge map[string]any  `yaml:"acknowledge" required:"true" doc:"by severity: within which time a person must have acted, such as high: 30m, or {within: 4h, hours: business}"`
	Hours       *HoursSpec      `yaml:"hours,omitempty" doc:"business hours, for the severities that say hours: business"`
	Notify      []NotifySpec    `yaml:"notify" required:"true" min:"1" doc:"who is told when nobody has acted, in order"`
	Tests       []ObjectiveTest `yaml:"tests,omitempty" doc:"cases and what must be due"`
}

// HoursSpec are the hours in which somebody is there.
type HoursSpec struct {
	Zone string   `yaml:"zone" required:"true" doc:"time zone, such as Europe/Paris"`
	Days []string `yaml:"days,omitempty" doc:"mon, tue, wed, thu, fri, sat, sun; Monday to Friday unless said"`
	From string   `yaml:"from" required:"true" doc:"start of the day, 09:00"`
	To   string   `yaml:"to" required:"true" doc:"end of the day, 18:00"`
}

// NotifySpec is one step of the chain.
type NotifySpec struct {
	Before  time.Duration `yaml:"before,omitempty" doc:"how long before the deadline; a reminder"`
	After   time.Duration `yaml:"after,omitempty" doc:"how long after the deadline; at it unless said"`
	To      []string      `yaml:"to" required:"true" min:"1" doc:"assignee, team, lead, on_call, person/NAME, team/NAME, or a #channel"`
	Message string        `yaml:"message,omitempty" doc:"text for the people; a plain one unless said"`
}

// ObjectiveTest is one test of an objective.
type ObjectiveTest struct {
	Name     string         `yaml:"name" doc:"what the test shows"`
	Alert    map[string]any `yaml:"alert,omitempty" doc:"the alert that opened the case"`
	Severity string         `yaml:"severity" required:"true" doc:"severity of the case"`
	Opened   string         `yaml:"opened" required:"true" doc:"when the case was opened, RFC 3339"`
	Now      string         `yaml:"now" required:"true" doc:"when we look, RFC 3339"`
	Expect   ObjectiveWant  `yaml:"expect" doc:"what must be"`
}

// ObjectiveWant is what must be when nobody has acted.
type ObjectiveWant struct {
	Applies  *bool  `yaml:"applies,omitempty" doc:"whether the objective is for this alert; true unless said"`
	Deadline string `yaml:"deadline,omitempty" doc:"by when a person must have acted, RFC 3339"`
	Due      int    `yaml:"due" doc:"how many steps must have been taken by now"`
}

// ObjectiveKind is the kind of document that says by when people must act.
func ObjectiveKind() document.Kind {
	return document.Kind{
		Name: "objective", Title: "Objective",
		Doc:  "By when a person must have acted on an alert, and who is told when nobody has.",
		Spec: ObjectiveSpec{},
		Compile: func(d document.Document, in document.Set) (any, error) {
			return CompileObjective(d, in)
		},
		Test: func(compiled any, _ document.Set) []document.TestResult {
			o, ok := compiled.(*Objective)
			if !ok {
				panic("internal error: Test of an objective that was not compiled")
			}
			return o.test()
		},
	}
}

// CompileObjective checks a document of kind objective against the teams and
// people of the set. Errors are [errs.Issues].
func CompileObjective(d document.Document, in document.Set) (*Objective, error) {
	var spec ObjectiveSpec
	if err := d.Decode(&spec); err != nil {
		return nil, err
	}
	c := objectiveCompiler{doc: d, in: in}
	o := &Objective{Name: d.Name, Title: d.Title, Team: spec.Team, Limits: map[int64]Limit{}, tests: spec.Tests}
	c.known("team", document.ID{Kind: "team", Name: spec.Team})
	c.condition(o, spec.If)
	c.limits(o, spec)
	c.steps(o, spec.Notify)
	c.checkTests(spec.Tests)
	if err := c.issues.Err(); err != nil {
		return nil, err
	}
	return o, nil
}

type objectiveCompiler struct {
	doc    document.Document
	in     document.Set
	issues errs.Issues
}

func (c *objectiveCompiler) issue(path, hint, format string, args ...any) {
	i := c.doc.Issue(path, format, args...)
	i.Hint = hint
	c.issues = append(c.issues, i)
}

// known reports a team or person that the set does not have.
func (c *objectiveCompiler) known(path string, id document.ID) {
	if _, ok := c.in[id]; ok {
		return
	}
	var names []string
	for other := range c.in {
		if other.Kind == id.Kind {
			names = append(names, other.Name)
		}
	}
	c.issue(path, errs.Suggest(id.Name, names), "there is no %s", id)
}

func (c *objectiveCompiler) condition(o *Objective, src string) {
	if src == "" {
		return
	}
	env, err := expr.NewEnv(expr.Var{Name: "alert", Type: Type()}, expr.Var{Name: "source", Type: expr.String()})
	if err != nil {
		panic("internal error: " + err.Error())
	}
	p, err := env.CompileBool(src)
	if e, ok := err.(*expr.Error); ok { //nolint:errorlint // the expression's own error, never wrapped
		c.issues = append(c.issues, c.doc.IssueAt("if", e.Column, e.Hint, e.Msg))
	}
	o.when = p
}

func (c *objectiveCompiler) limits(o *Objective, spec ObjectiveSpec) {
	for _, name := range slices.Sorted(maps.Keys(spec.Acknowledge)) {
		at := "acknowledge." + name
		id, ok := SeverityID(name)
		if !ok {
			c.issue(at, oneOf(name, sortedKeys(severities)), "there is no severity %q", name)
		}
		o.Limits[id] = c.limit(at, spec.Acknowledge[name], spec.Hours != nil)
	}
	if h := spec.Hours; h != nil {
		hours, err := newHours(*h)
		if err != nil {
			c.issue("hours", "for example {zone: Europe/Paris, from: \"09:00\", to: \"18:00\"}", "%s", err)
		}
		o.hours = hours
	}
}

func (c *objectiveCompiler) limit(at string, v any, hasHours bool) Limit {
	const hint = "write a length of time such as 30m, or {within: 4h, hours: business}"
	var l Limit
	within := v
	if m, ok := v.(map[string]any); ok {
		within = m["within"]
		for key, e := range m {
			if key != "within" && (key != "hours" || e != "business" && e != "always") {
				c.issue(at+"."+key, hint, "unknown key or value %q", key)
			}
		}
		l.Business = m["hours"] == "business"
	}
	text, _ := within.(string)
	d, err := document.ParseDuration(text)
	if err != nil || d <= 0 {
		c.issue(at, hint, "%q is not a length of time", jsonText(within))
	}
	if l.Business && !hasHours {
		c.issue(at, "add hours to the document", "business hours are not defined")
	}
	l.Within = d
	return l
}

func (c *objectiveCompiler) steps(o *Objective, specs []NotifySpec) {
	for i, n := range specs {
		at := index("notify", i)
		if n.Before > 0 && n.After > 0 {
			c.issue(at, "write one of them", "a step is either before or after the deadline")
		}
		for j, to := range n.To {
			c.receiver(index(at+".to", j), to)
		}
		o.Steps = append(o.Steps, Step{Offset: n.After - n.Before, To: n.To, Message: n.Message})
	}
	slices.SortStableFunc(o.Steps, func(a, b Step) int { return int(a.Offset/time.Millisecond - b.Offset/time.Millisecond) })
	for i := range o.Steps {
		o.Steps[i].Index = i
	}
}

var receivers = []string{"assignee", "team", "lead", "on_call"}

func (c *objectiveCompiler) receiver(at, to string) {
	if slices.Contains(receivers, to) || strings.HasPrefix(to, "#") && len(to) > 1 {
		return
	}
	id, err := document.ParseID(to)
	if err != nil || id.Kind != "person" && id.Kind != "team" {
		c.issue(at, oneOf(to, append(slices.Clone(receivers), "person/NAME", "team/NAME", "#channel")), "%q can not be told", to)
		return
	}
	c.known(at, id)
}

func (c *objectiveCompiler) checkTests(tests []ObjectiveTest) {
	for i, t := range tests {
		at := index("tests", i)
		for _, f := range []struct{ key, value string }{{"opened", t.Opened}, {"now", t.Now}, {"expect.deadline", t.Expect.Deadline}} {
			if _, err := time.Parse(time.RFC3339, f.value); err != nil && (f.value != "" || f.key != "expect.deadline") {
				c.issue(at+"."+f.key, "write 2026-11-22T08:15:00Z", "%q is no time", f.value)
			}
		}
		if _, ok := SeverityID(t.Severity); !ok {
			c.issue(at+".severity", oneOf(t.Severity, sortedKeys(severities)), "there is no severity %q", t.Severity)
		}
	}
}

func (o *Objective) test() []document.TestResult {
	var out []document.TestResult
	for _, t := range o.tests {
		message := o.differs(t)
		out = append(out, document.TestResult{Name: t.Name, Passed: message == "", Message: message})
	}
	return out
}

func (o *Objective) differs(t ObjectiveTest) string {
	severity, _ := SeverityID(t.Severity)
	applies := o.Applies(t.Alert, "", severity)
	if want := t.Expect.Applies; want != nil && !*want || !applies {
		if want == nil || *want != applies {
			return fmt.Sprintf("applies is %v", applies)
		}
		return ""
	}
	opened, _ := parseTime(t.Opened)
	now, _ := parseTime(t.Now)
	h := Handling{Severity: severity, Since: opened}
	if deadline, _ := o.Deadline(h); t.Expect.Deadline != "" {
		if want, _ := parseTime(t.Expect.Deadline); !deadline.Equal(want) {
			return fmt.Sprintf("the deadline is %s, want %s", deadline.Format(time.RFC3339), t.Expect.Deadline)
		}
	}
	if due := len(Due(o, h, now)); due != t.Expect.Due {
		return fmt.Sprintf("%d steps are due, want %d", due, t.Expect.Due)
	}
	return ""
}
