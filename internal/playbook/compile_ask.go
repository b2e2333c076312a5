package playbook

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// ask compiles a question.
func (c *compiler) ask(s *step) body {
	sp, path, v := s.spec.Ask, s.path+".ask", from(s)
	b := &askBody{spec: *sp, title: c.text(path+".title", sp.Title, v), text: c.text(path+".text", sp.Text, v)}
	switch {
	case (sp.Channel == "") == (sp.To == ""):
		c.hinted(path, `channel: "#soc" or to: person/ada`, "a question has one of channel and to")
	case sp.Channel != "":
		b.to = c.recipient(path+".channel", sp.Channel, v)
	default:
		b.to = c.recipient(path+".to", sp.To, v)
	}
	if len(sp.Fields) > maxFields {
		c.issue(path+".fields", "a question has at most %d fields", maxFields)
	}
	for _, f := range sp.Fields {
		if src, isText := f.value.(string); isText {
			b.fields = append(b.fields, namedText{f.name, c.text(pathKey(path+".fields", f.name), src, v)})
			continue
		}
		b.fields = append(b.fields, namedText{f.name, &text{static: compact(f.value)}})
	}
	b.answers = c.answers(path, sp, v)
	if len(sp.Who) > maxWho {
		c.hinted(path+".who", "make a team of them", "at most %d people and teams may be named", maxWho)
	}
	for i, who := range sp.Who {
		b.who = append(b.who, c.target(at(path+".who", i, len(sp.Who)), who, personRE, personHint, v))
	}
	c.schedule(b, s, path, v)
	return b
}

// Who can be asked, and who may answer: see docs/people.md, Targets.
var (
	recipientRE = targetRE(`^(#[^\s#@<>|]{1,80}|@NAME|person/NAME|team/NAME(/(lead|on_call))?|[CG][A-Z0-9]{6,20})$`)
	personRE    = targetRE(`^(@NAME|person/NAME|team/NAME)$`)
)

func targetRE(pattern string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(pattern, "NAME", "[a-z0-9][a-z0-9-]{0,62}"))
}

const (
	recipientHint = `write "#channel", "@name", person/NAME, team/NAME, team/NAME/lead or team/NAME/on_call`
	personHint    = `write person/NAME, team/NAME or "@name"`
)

// recipient compiles who is asked.
func (c *compiler) recipient(path, src string, v view) *text {
	return c.target(path, src, recipientRE, recipientHint, v)
}

// target compiles who is meant.
func (c *compiler) target(path, src string, form *regexp.Regexp, hint string, v view) *text {
	t := c.text(path, src, v)
	switch {
	case t == nil || t.needs != nil:
	case !form.MatchString(src):
		c.hinted(path, hint, "%q names nobody", clip(src))
	default:
		c.person(path, src)
	}
	return t
}

// at is the path of an item of what may be one thing or a list of them.
func at(path string, i, of int) string {
	if of == 1 {
		return path
	}
	return pathIndex(path, i)
}

// person refuses people and teams that no document knows, where people are
// documents at all.
func (c *compiler) person(path, src string) {
	kind, name, _ := strings.Cut(src, "/")
	name, _, _ = strings.Cut(name, "/")
	kinds := []string{kind}
	if mention, ok := strings.CutPrefix(src, "@"); ok {
		kinds, name = []string{"person", "team"}, mention
	}
	var known []string
	for id := range c.in {
		if slices.Contains(kinds, id.Kind) {
			known = append(known, id.Name)
		}
	}
	if len(known) > 0 && !slices.Contains(known, name) {
		c.hinted(path, errs.Suggest(name, known), "there is no %s %q", strings.Join(kinds, " or "), clip(name))
	}
}

func (c *compiler) answers(path string, sp *askSpec, v view) []answerText {
	path += ".answers"
	if n := len(sp.Answers); n == 0 || n > maxAnswers {
		c.issue(path, "a question has 1 to %d answers, this has %d", maxAnswers, n)
	}
	list := make([]answerText, len(sp.Answers))
	for i, a := range sp.Answers {
		p := pathIndex(path, i)
		if !answerRE.MatchString(a.Value) {
			c.hinted(p, "write a word as value, and what people read as label", "%q cannot be an answer", clip(a.Value))
		}
		if slices.ContainsFunc(sp.Answers[:i], func(b answerSpec) bool { return a.Value == b.Value }) {
			c.issue(p, "the answer %q stands twice", a.Value)
		}
		label := a.Label
		if label == "" {
			label = humanize(a.Value)
		}
		if slices.ContainsFunc(list[:i], func(b answerText) bool { return b.label != nil && b.label.needs == nil && b.label.static == label }) {
			c.hinted(p, "give each its own label", "two answers say %q", clip(label))
		}
		list[i] = answerText{
			Answer:  Answer{Value: a.Value, Style: a.Style, Reason: a.Reason},
			label:   c.text(p+".label", label, v),
			confirm: c.text(p+".confirm", a.Confirm, v),
		}
	}
	return list
}

var answerRE = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// humanize makes a label of a value: false_positive → False positive.
func humanize(value string) string {
	s := strings.NewReplacer("_", " ", "-", " ").Replace(value)
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// schedule checks reminders, escalations and the deadline.
func (c *compiler) schedule(b *askBody, s *step, path string, v view) {
	sp := s.spec.Ask
	if r := sp.Remind; r != nil {
		c.reminders(path+".remind", r)
	}
	if len(sp.Escalate) > maxChain {
		c.issue(path+".escalate", "a question has at most %d escalations", maxChain)
	}
	last := time.Duration(0)
	for i, e := range sp.Escalate {
		p := at(path+".escalate", i, len(sp.Escalate))
		if e.After <= last {
			c.issue(p+".after", "an escalation comes after the one before it; times count from the question")
		}
		last = e.After
		b.escalate = append(b.escalate, c.recipient(p+".to", e.To, v))
	}
	x := sp.Expire
	if x == nil {
		return
	}
	if x.after < time.Second || x.after > maxAsk {
		c.issue(path+".expire", "the deadline is from a second to a year after the question")
	}
	if x.after <= last {
		c.issue(path+".expire", "the question ends after %s, before its escalation after %s", Span(x.after), Span(last))
	}
	if values := s.answers(); x.answer != "" && !slices.Contains(values, x.answer) {
		c.hinted(path+".expire.answer", errs.Suggest(x.answer, values), "%q is not one of the answers", clip(x.answer))
	}
}

func (c *compiler) reminders(path string, r *remindSpec) {
	if len(r.at) > maxChain {
		c.issue(path, "a question has at most %d reminders", maxChain)
	}
	if len(r.at) == 0 && (r.every < minRemind || r.every > maxAsk) {
		c.issue(path, "people are reminded every %s at most, and once a year at least", Span(minRemind))
	}
	last := time.Duration(0)
	for _, d := range r.at {
		if d < last+time.Second || d > maxAsk {
			c.issue(path, "the times of reminders go from early to late, up to a year")
			return
		}
		last = d
	}
}
