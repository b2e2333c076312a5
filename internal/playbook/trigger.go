package playbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/expr"
)

// A TriggerKind says what can start a playbook.
type TriggerKind string

// Kinds of trigger.
const (
	OnAlert    TriggerKind = "alert"
	OnWebhook  TriggerKind = "webhook"
	OnSchedule TriggerKind = "schedule"
	OnManual   TriggerKind = "manual"
	OnRecord   TriggerKind = "record"
)

// A Trigger is one thing that starts a playbook.
type Trigger struct {
	Kind      TriggerKind `json:"kind"`
	Condition string      `json:"condition,omitempty"` // of alert and record
	Webhook   string      `json:"webhook,omitempty"`
	Cron      string      `json:"cron,omitempty"`
	Zone      string      `json:"zone,omitempty"`   // IANA name
	Missed    string      `json:"missed,omitempty"` // skip, once or all
	Records   []string    `json:"records,omitempty"`

	conditions []*program // all must hold
	cron       cron
	zone       *time.Location
}

// Triggers returns what starts the playbook.
func (p *Playbook) Triggers() []Trigger { return p.triggers }

// Next returns the first time after the given one at which a schedule fires.
func (t Trigger) Next(after time.Time) time.Time { return t.cron.next(t.zone, after) }

// Matches reports whether an alert starts the playbook, and why: each
// condition that was evaluated, with what it gave. The error is that of a
// condition that could not cope with the alert, and that no other decided.
func (p *Playbook) Matches(alert, kase map[string]any, now time.Time) (matches bool, why []string, err error) {
	vars := map[string]any{"alert": orEmpty(alert), "case": orEmpty(kase), "now": now}
	return p.match(vars, func(t *Trigger) bool { return t.Kind == OnAlert })
}

// MatchesRecord reports whether a record of a kind starts the playbook.
func (p *Playbook) MatchesRecord(kind string, record map[string]any, now time.Time) (matches bool, why []string, err error) {
	return p.match(map[string]any{"record": orEmpty(record), "now": now}, func(t *Trigger) bool {
		return slices.Contains(t.Records, kind)
	})
}

func (p *Playbook) match(vars map[string]any, fits func(*Trigger) bool) (matches bool, why []string, err error) {
	for i := range p.triggers {
		t := &p.triggers[i]
		if !fits(t) {
			continue
		}
		yes, because, terr := t.holds(vars)
		why = append(why, because...)
		if yes {
			return true, why, nil
		}
		if err == nil {
			err = terr
		}
	}
	return false, why, err
}

// holds evaluates the conditions until one is false. As with && of CEL, what
// is false decides over what fails.
func (t *Trigger) holds(vars map[string]any) (yes bool, why []string, err error) {
	for _, c := range t.conditions {
		v, cerr := c.Bool(vars)
		switch {
		case cerr != nil:
			why = append(why, c.src+" → "+cerr.Error())
			if err == nil {
				err = fmt.Errorf("evaluate %s: %w", c.src, cerr)
			}
		case !v:
			return false, append(why, c.src+" → false"), nil
		default:
			why = append(why, c.src+" → true")
		}
	}
	return err == nil, why, err
}

func (c *compiler) triggers() []Trigger {
	var list []Trigger
	for i := range c.spec.On {
		path := "on"
		if len(c.spec.On) > 1 || c.doc.Issue("on[0]", "").Line != c.doc.Issue("on", "").Line {
			path = pathIndex("on", i)
		}
		before := len(list)
		list = c.trigger(list, path, &c.spec.On[i])
		if len(list) == before {
			c.hinted(path, "one of alert, webhook, schedule, manual, record", "the trigger says nothing")
		}
	}
	return list
}

// trigger adds the triggers of one map: most often it has one key.
func (c *compiler) trigger(list []Trigger, path string, s *triggerSpec) []Trigger {
	if s.Alert != nil {
		list = append(list, Trigger{
			Kind: OnAlert, Condition: strings.TrimSpace(bare("", *s.Alert).text),
			conditions: c.conjuncts(path+".alert", *s.Alert, "alert", alertType(), "case"),
		})
	}
	if s.Webhook != "" {
		list = append(list, Trigger{Kind: OnWebhook, Webhook: s.Webhook})
	}
	if s.Schedule != nil {
		list = append(list, c.timetable(path+".schedule", s.Schedule))
	}
	if s.Manual != nil {
		if !*s.Manual {
			c.hinted(path+".manual", "remove the line", "manual is true or absent")
		}
		list = append(list, Trigger{Kind: OnManual})
	}
	if r := s.Record; r != nil {
		t := Trigger{Kind: OnRecord, Records: r.Kinds, Condition: strings.TrimSpace(bare("", r.If).text)}
		if r.If != "" {
			t.conditions = c.conjuncts(path+".record.if", r.If, "record", expr.OpenObject(nil), "")
		}
		list = append(list, t)
	}
	return list
}

func (c *compiler) timetable(path string, s *scheduleSpec) Trigger {
	t := Trigger{Kind: OnSchedule, Cron: s.Cron, Zone: s.Zone, Missed: s.Missed}
	if t.Zone == "" {
		t.Zone = "UTC"
	}
	if t.Missed == "" {
		t.Missed = "once"
	}
	var err error
	if t.cron, err = parseCron(s.Cron); err != nil {
		c.errIssue(path+".cron", err)
	}
	if t.zone, err = time.LoadLocation(t.Zone); err != nil || t.Zone == "Local" {
		c.hinted(path+".zone", "write a name such as Europe/Paris", "there is no time zone %q", clip(t.Zone))
	}
	return t
}

// conjuncts compiles a condition, cut where it says && at its top, so that one
// can say which part held.
func (c *compiler) conjuncts(path, src, name string, t *expr.Type, other string) []*program {
	s := bare(path, src)
	vars := []expr.Var{{Name: name, Type: t}, {Name: "now", Type: expr.Timestamp()}}
	if other != "" {
		vars = append(vars, expr.Var{Name: other, Type: expr.OpenObject(nil)})
	}
	env, err := expr.NewEnv(vars...)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	whole, err := env.CompileBool(s.text)
	if err != nil {
		c.exprIssue(path, s.at, err)
		return nil
	}
	var list []*program
	for _, part := range splitAnd(s.text) {
		part = strings.TrimSpace(part)
		p, err := env.CompileBool(part)
		if err != nil {
			return []*program{{Program: whole, src: strings.TrimSpace(s.text)}}
		}
		list = append(list, &program{Program: p, src: part})
	}
	return list
}

// splitAnd cuts an expression at each && outside of brackets and quotes. Where
// || or ? stands outside too, the expression stays whole: they bind looser.
func splitAnd(src string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"' || c == '\'':
			end := closingQuote(src, i)
			if end < 0 {
				return []string{src}
			}
			i = end
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case depth > 0:
		case strings.HasPrefix(src[i:], "||"), strings.HasPrefix(src[i:], "//"), c == '?' && (i == 0 || src[i-1] != '.'):
			return []string{src}
		case strings.HasPrefix(src[i:], "&&"):
			parts = append(parts, src[start:i])
			start, i = i+2, i+1
		}
	}
	return append(parts, src[start:])
}

// closingQuote returns where a simple string that begins at i ends, or -1.
func closingQuote(src string, i int) int {
	q := src[i]
	if strings.HasPrefix(src[i:], strings.Repeat(string(q), 3)) || i > 0 && strings.IndexByte("rRbB", src[i-1]) >= 0 {
		return -1
	}
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case q:
			return j
		}
	}
	return -1
}

// startText compiles a text that is evaluated before the run begins.
func (c *compiler) startText(path, src string) *text {
	t := c.text(path, src, view{nil, 0, -1})
	if t != nil && t.needs != nil && (t.vars || t.run || len(t.steps) > 0) {
		c.issue(path, "the run has not begun: only alert, case, inputs, trigger and now are known")
	}
	return t
}

// concurrency says how many runs may go on.
type concurrency struct {
	key  *text
	max  int
	drop bool
}

// A Slot is a place that a run needs before it may start.
type Slot struct {
	Key  string // runs with the same key share the places
	Max  int    // how many there are
	Drop bool   // when none is free the run does not start; otherwise it waits
}

// Slot returns the place that a run needs, and whether it needs one.
func (p *Playbook) Slot(init Init, at time.Time) (Slot, bool, error) {
	k := p.concurrency
	if k == nil {
		return Slot{}, false, nil
	}
	inputs, err := p.CheckInputs(init.Inputs)
	if err != nil {
		return Slot{}, true, err
	}
	init.Inputs = inputs
	x := &exec{p: p, s: &state{init: init, started: at, at: at, root: &frame{}}}
	key, xerr := x.text(k.key, "concurrency.key", &task{block: &block{frame: x.s.root}})
	if xerr != nil {
		return Slot{}, true, xerr
	}
	return Slot{Key: key, Max: k.max, Drop: k.drop}, true, nil
}
