package playbook

import (
	"regexp"
	"slices"
	"strings"

	"beffroi.dev/internal/document"
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
	for i, who := range sp.Who {
		p := path + ".who"
		if len(sp.Who) > 1 {
			p = pathIndex(p, i)
		}
		t := c.text(p, who, v)
		if t != nil && t.needs == nil && !personRE.MatchString(who) {
			c.hinted(p, "write person/NAME or team/NAME", "%q does not say who may answer", clip(who))
		}
		c.person(p, who)
		b.who = append(b.who, t)
	}
	c.schedule(b, s, path, v)
	return b
}

var (
	personRE    = regexp.MustCompile(`^(person|team)/[a-z0-9][a-z0-9-]{0,62}$`)
	recipientRE = regexp.MustCompile(`^([#@][^\s#@]{1,80}|(person|team)/[a-z0-9][a-z0-9-]{0,62}|[CDGU][A-Z0-9]{6,20})$`)
)

const recipientHint = `write "#channel", "@name", person/NAME or team/NAME`

// recipient compiles who is asked.
func (c *compiler) recipient(path, src string, v view) *text {
	t := c.text(path, src, v)
	if t != nil && t.needs == nil && !recipientRE.MatchString(src) {
		c.hinted(path, recipientHint, "%q is nobody who can be asked", clip(src))
	}
	c.person(path, src)
	return t
}

// person refuses people and teams that no document knows, where people are
// documents at all.
func (c *compiler) person(path, src string) {
	id, err := document.ParseID(src)
	if err != nil || !personRE.MatchString(src) {
		return
	}
	for other := range c.in {
		if other.Kind == id.Kind {
			c.exists(path, id)
			return
		}
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
		if len(r.at) > maxChain {
			c.issue(path+".remind", "a question has at most %d reminders", maxChain)
		}
		if len(r.at) == 0 && r.every < minRemind {
			c.issue(path+".remind", "people are reminded every %s at most", Span(minRemind))
		}
		if !slices.IsSorted(r.at) || len(r.at) > 0 && r.at[0] <= 0 {
			c.issue(path+".remind", "the times of reminders go from early to late")
		}
		b.spec.Remind = r
	}
	if len(sp.Escalate) > maxChain {
		c.issue(path+".escalate", "a question has at most %d escalations", maxChain)
	}
	for i, e := range sp.Escalate {
		p := path + ".escalate"
		if len(sp.Escalate) > 1 {
			p = pathIndex(p, i)
		}
		if i > 0 && e.After < sp.Escalate[i-1].After {
			c.issue(p+".after", "an escalation comes after the one before it")
		}
		b.escalate = append(b.escalate, c.recipient(p+".to", e.To, v))
	}
	if x := sp.Expire; x != nil {
		if x.after <= 0 {
			c.issue(path+".expire", "the deadline is a length of time after the question")
		}
		values := s.answers()
		if x.answer != "" && !slices.Contains(values, x.answer) {
			c.hinted(path+".expire.answer", errs.Suggest(x.answer, values), "%q is not one of the answers", clip(x.answer))
		}
	}
}
