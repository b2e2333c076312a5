package ask

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"beffroi.dev/internal/errs"
)

// Limits of a question, in characters unless said otherwise. They keep it
// inside what a Slack message can show (docs.slack.dev, "Blocks").
const (
	MaxTitle       = 150
	MaxText        = 3000
	MaxFields      = 20 // fields
	MaxField       = 1900
	MaxAnswers     = 10 // answers
	MaxLabel       = 75
	MaxConfirm     = 300
	MaxReason      = 3000
	MaxWho         = 50 // people and teams
	MaxReminders   = 20 // waits
	MaxEscalations = 10 // escalations
	maxID          = 63
	maxWait        = 366 * day
)

// Validate says what is wrong with a question, by the path of its JSON form.
// Text that comes from outside should be cut with [Question.Fit] before.
func Validate(q Question) errs.Issues {
	var c checker
	c.target("channel", q.Channel, anyTarget)
	if strings.TrimSpace(q.Title) == "" {
		c.add("title", "a question needs a title", "say in one line what is to be decided")
	}
	c.length("title", q.Title, MaxTitle)
	c.length("text", q.Text, MaxText)
	c.fields(q.Fields)
	c.answers(q.Answers)
	c.people(q)
	c.times(q)
	return c.issues
}

type checker struct{ issues errs.Issues }

func (c *checker) add(field, msg, hint string) {
	c.issues = append(c.issues, errs.Issue{Field: field, Msg: msg, Hint: hint})
}

func (c *checker) length(field, s string, limit int) {
	if n := utf8.RuneCountInString(s); n > limit {
		c.add(field, fmt.Sprintf("is %d characters long, more than %d", n, limit), "say it shorter")
	}
	if !utf8.ValidString(s) {
		c.add(field, "is not valid UTF-8", "")
	}
}

func (c *checker) fields(fields []Field) {
	if len(fields) > MaxFields {
		c.add("fields", fmt.Sprintf("has %d fields, more than %d", len(fields), MaxFields), "show what helps to decide and link to the case")
	}
	for i, f := range fields {
		path := at("fields", i)
		if strings.TrimSpace(f.Label) == "" {
			c.add(path+".label", "a field needs a label", "")
		}
		c.length(path+".label", f.Label, MaxLabel)
		c.length(path+".value", f.Value, MaxField)
	}
}

func (c *checker) answers(answers []Answer) {
	switch {
	case len(answers) == 0:
		c.add("answers", "a question needs at least one answer", "write for example answers: [acknowledge]")
	case len(answers) > MaxAnswers:
		c.add("answers", fmt.Sprintf("has %d answers, more than %d", len(answers), MaxAnswers), "ask in two steps")
	}
	ids, labels := map[string]bool{}, map[string]bool{}
	for i, a := range answers {
		path := at("answers", i)
		switch {
		case !isAnswerID(a.ID):
			c.add(path+".id", fmt.Sprintf("%q is not an answer's id", a.ID), "use letters, digits, _, - and ., at most 63")
		case ids[a.ID]:
			c.add(path+".id", fmt.Sprintf("the answer %q is there twice", a.ID), "")
		case labels[a.Text()]:
			c.add(path+".label", fmt.Sprintf("two answers say %q", a.Text()), "give each its own label")
		}
		ids[a.ID], labels[a.Text()] = true, true
		c.length(path+".label", a.Label, MaxLabel)
		c.length(path+".confirm", a.Confirm, MaxConfirm)
		c.reason(path+".reason", a.Reason)
		switch a.Style {
		case Plain, Primary, Danger:
		default:
			c.add(path+".style", fmt.Sprintf("unknown style %q", a.Style), errs.Suggest(string(a.Style), []string{string(Primary), string(Danger)}))
		}
	}
}

func (c *checker) people(q Question) {
	c.reason("reason", q.Reason)
	if len(q.Who) > MaxWho {
		c.add("who", fmt.Sprintf("has %d entries, more than %d", len(q.Who), MaxWho), "make a team")
	}
	for i, w := range q.Who {
		c.target(at("who", i), w, peopleTarget)
	}
	// A machine may want something too: then there is no person to leave out.
	if kind, name, ok := strings.Cut(q.Requester, "/"); q.Requester != "" && (!ok || kind == "" || kind == "person" && !isName(name)) {
		c.add("requester", fmt.Sprintf("%q is nobody", q.Requester), "write person/NAME")
	}
}

func (c *checker) reason(field string, r ReasonRule) {
	switch r {
	case "", ReasonNone, ReasonOptional, ReasonRequired:
	default:
		c.add(field, fmt.Sprintf("unknown rule %q", r), "write none, optional or required")
	}
}

func (c *checker) times(q Question) {
	if len(q.Remind) > MaxReminders {
		c.add("remind", fmt.Sprintf("has %d waits, more than %d", len(q.Remind), MaxReminders), "set remind_every, and the last wait repeats")
	}
	if q.RemindEvery && len(q.Remind) == 0 {
		c.add("remind_every", "there is no wait that could repeat", "set remind")
	}
	for i, w := range q.Remind {
		c.wait(at("remind", i), w)
	}
	if len(q.Escalate) > MaxEscalations {
		c.add("escalate", fmt.Sprintf("has %d escalations, more than %d", len(q.Escalate), MaxEscalations), "")
	}
	last := Duration(0)
	for i, e := range q.Escalate {
		path := at("escalate", i)
		c.wait(path+".after", e.After)
		if e.After <= last {
			c.add(path+".after", fmt.Sprintf("%s is not after the escalation before it (%s)", e.After, last), "times count from the asking")
		}
		last = max(last, e.After)
		c.target(path+".to", e.To, anyTarget)
	}
	if q.Expire != nil {
		c.expiry(q, last)
	}
}

func (c *checker) expiry(q Question, last Duration) {
	e := q.Expire
	c.wait("expire.after", e.After)
	if e.After <= last {
		c.add("expire.after", fmt.Sprintf("the question ends after %s, before its escalation after %s", e.After, last), "")
	}
	switch _, known := q.Find(e.Answer); {
	case e.Fail && e.Answer != "":
		c.add("expire", "a deadline either answers or fails, not both", "remove answer or fail")
	case !e.Fail && e.Answer == "":
		c.add("expire", "it is not said what happens at the deadline", "write answer: ID or fail: true")
	case !e.Fail && !known:
		ids := make([]string, len(q.Answers))
		for i, a := range q.Answers {
			ids[i] = a.ID
		}
		c.add("expire.answer", fmt.Sprintf("there is no answer %q", e.Answer), errs.Suggest(e.Answer, ids))
	}
}

func (c *checker) wait(field string, d Duration) {
	if t := time.Duration(d); t < time.Second || t > maxWait {
		c.add(field, d.String()+" is not between a second and a year", "write for example 15m, 2h or 7d")
	}
}

func (c *checker) target(field, s string, allowed targetKind) {
	switch kind := kindOf(s); {
	case kind == 0 && s == "":
		c.add(field, "is empty", targetHint(allowed))
	case kind == 0:
		c.add(field, fmt.Sprintf("%q is no target", s), targetHint(allowed))
	case kind&allowed == 0:
		c.add(field, fmt.Sprintf("%q cannot stand here", s), targetHint(allowed))
	}
}

func at(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func isAnswerID(s string) bool {
	if s == "" || len(s) > maxID || s[0] == '-' || s[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	})
}
