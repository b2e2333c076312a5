package console

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/person"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
	"beffroi.dev/internal/web"
)

type me struct {
	Owner       string              `json:"owner"`
	Token       string              `json:"token"` // its id
	Roles       []person.Role       `json:"roles"`
	Permissions []person.Permission `json:"permissions"`
}

func (a *API) me(c *call) (me, error) {
	m := me{Owner: c.token.Owner, Token: c.token.ID, Roles: c.token.Roles, Permissions: []person.Permission{}}
	for _, p := range person.Permissions() {
		if c.token.May(p) {
			m.Permissions = append(m.Permissions, p)
		}
	}
	return m, nil
}

func numberParam(c *call, name string) (uint64, error) {
	v := c.r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, errs.E(errs.Invalid, "%s %q is no number", name, v)
	}
	return n, nil
}

func (a *API) alerts(c *call) (out web.List[alertstore.Alert], err error) {
	p, err := web.PageOf(c.r, maxPage)
	if err != nil {
		return out, err
	}
	at, err := before(p)
	if err != nil {
		return out, err
	}
	ofCase, err := numberParam(c, "case")
	if err != nil {
		return out, err
	}
	err = a.read(c, func(tx *view.Tx) error {
		items, err := alertstore.Alerts(tx, ofCase, at, p.Limit+1)
		out = web.ListOf(p, items, func(x alertstore.Alert) string { return str(x.ID) })
		return err
	})
	return out, err
}

type alertDetail struct {
	ID       uint64          `json:"id"`
	Received time.Time       `json:"received"`
	Sealed   bool            `json:"personal_data_withheld,omitempty"` // the token may not see it
	Alert    alert.Received  `json:"alert"`
	Raw      json.RawMessage `json:"raw,omitempty"`
}

func (a *API) alert(c *call) (out alertDetail, err error) {
	if out.ID, err = c.id("id"); err != nil {
		return out, err
	}
	err = a.read(c, func(tx *view.Tx) error {
		out.Alert, out.Received, err = alertstore.GetAlert(tx, out.ID)
		return err
	})
	if err != nil {
		return out, err
	}
	full, err := a.personal(c, alertstore.Name("alert", out.ID), "finding", "raw")
	if err != nil {
		return out, err
	}
	if !full {
		out.Sealed = true
		out.Alert.Finding, out.Alert.Raw, out.Alert.Entities, out.Alert.Shares = nil, nil, nil, nil
		return out, nil
	}
	out.Raw = out.Alert.Raw
	if out.Alert.RawBlob != "" {
		if out.Raw, err = a.c.Blobs.Get(out.Alert.RawBlob); err != nil {
			return out, fmt.Errorf("raw event of alert %d: %w", out.ID, err)
		}
	}
	out.Alert.Raw = nil
	return out, nil
}

func (a *API) cases(c *call) (out web.List[alertstore.Case], err error) {
	p, err := web.PageOf(c.r, maxPage)
	if err != nil {
		return out, err
	}
	q := c.r.URL.Query()
	f := alertstore.CaseFilter{State: q.Get("state"), Source: q.Get("source"), Words: q.Get("q"), Limit: p.Limit + 1}
	if f.Before, err = before(p); err != nil {
		return out, err
	}
	if f.Since, err = a.sinceOf(c.r); err != nil {
		return out, err
	}
	sev, err := numberParam(c, "severity")
	if err != nil {
		return out, err
	}
	f.Severity = int64(min(sev, 99))
	err = a.read(c, func(tx *view.Tx) error {
		items, err := alertstore.Cases(tx, f)
		out = web.ListOf(p, items, func(x alertstore.Case) string { return str(x.ID) })
		return err
	})
	return out, err
}

type caseDetail struct {
	alertstore.Case
	Sealed   bool                    `json:"personal_data_withheld,omitempty"` // the token may not see it
	Entities map[string]int64        `json:"entities,omitempty"`               // with how many cases share each
	Items    []alertstore.Alert      `json:"items"`                            // its alerts, newest first, at most 100
	Asks     []askstore.Question     `json:"asks"`
	Runs     []playbookstore.Summary `json:"runs"`
	Story    []ledger.Record         `json:"story"` // what people and playbooks did, oldest first
}

func (a *API) oneCase(c *call) (out caseDetail, err error) {
	id, err := c.id("id")
	if err != nil {
		return out, err
	}
	name := alertstore.Name("case", id)
	err = a.read(c, func(tx *view.Tx) error {
		if out.Case, err = alertstore.Get(tx, id); err != nil {
			return err
		}
		if out.Items, err = alertstore.Alerts(tx, id, 0, 100); err != nil {
			return err
		}
		if out.Asks, err = askstore.List(tx, askstore.Filter{Case: name, Limit: 100}); err != nil {
			return err
		}
		if out.Runs, err = playbookstore.List(tx, playbookstore.Filter{Case: id, Limit: 100}); err != nil {
			return err
		}
		if out.Entities, err = alertstore.Entities(tx, id); err != nil {
			return err
		}
		out.Story, err = alertstore.Story(tx, id, 500)
		return err
	})
	if err != nil {
		return out, err
	}
	full, err := a.personal(c, name, "entities", "asks", "story")
	if err != nil {
		return out, err
	}
	if !full {
		out.Sealed, out.Entities, out.Asks, out.Story = true, nil, nil, nil
	}
	return out, nil
}

// acted is the answer to a change of a case: the record that proves it.
type acted struct {
	Seq uint64 `json:"seq"`
}

func (a *API) act(c *call, cmd sequencer.Command) (acted, error) {
	res, err := a.c.Sequencer.Do(c.ctx(), cmd)
	if err != nil {
		return acted{}, err
	}
	return acted{Seq: res.Records[0].Seq}, nil
}

type newCase struct {
	Title    string   `json:"title"`
	Severity string   `json:"severity"` // informational, low, medium, high, critical
	Entities []string `json:"entities,omitempty"`
	Note     string   `json:"note,omitempty"`
}

func (a *API) openCase(c *call, in newCase) (acted, error) {
	id, ok := alert.SeverityID(in.Severity)
	if !ok || in.Title == "" {
		return acted{}, errs.E(errs.Invalid, "a case needs a title and a severity: informational, low, medium, high or critical")
	}
	return a.act(c, alertstore.OpenByHand(c.actor(), alert.CaseOpened{Title: in.Title, Severity: id, Entities: in.Entities, Note: in.Note}))
}

type note struct {
	Note string `json:"note,omitempty"`
}

func (a *API) acknowledge(c *call, in note) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Acknowledge(id, c.actor(), in.Note))
}

type assignment struct {
	To   string `json:"to"` // person/NAME or team/NAME
	Note string `json:"note,omitempty"`
}

func (a *API) assign(c *call, in assignment) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	if _, err := a.c.Directory().Resolve(in.To, a.c.Now()); err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Assign(id, c.actor(), in.To, in.Note))
}

type comment struct {
	Text string `json:"text"`
}

func (a *API) comment(c *call, in comment) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Comment(id, c.actor(), in.Text))
}

type resolution struct {
	Verdict string `json:"verdict"` // true_positive, benign, false_positive, duplicate, test, unknown
	Reason  string `json:"reason"`
}

func (a *API) resolve(c *call, in resolution) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Resolve(id, c.actor(), in.Verdict, in.Reason))
}

type reason struct {
	Reason string `json:"reason,omitempty"`
}

func (a *API) reopen(c *call, in reason) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Reopen(id, c.actor(), in.Reason))
}

type merging struct {
	Into   uint64 `json:"into"` // number of the case that stays
	Reason string `json:"reason,omitempty"`
}

func (a *API) merge(c *call, in merging) (acted, error) {
	id, err := c.id("id")
	if err != nil {
		return acted{}, err
	}
	return a.act(c, alertstore.Merge(id, in.Into, c.actor(), in.Reason))
}

func (a *API) asks(c *call) (out web.List[askstore.Question], err error) {
	p, err := web.PageOf(c.r, maxPage)
	if err != nil {
		return out, err
	}
	f := askstore.Filter{Open: c.r.URL.Query().Get("open") == "true", Limit: p.Limit + 1}
	if f.Before, err = before(p); err != nil {
		return out, err
	}
	if n, err := numberParam(c, "case"); err != nil {
		return out, err
	} else if n != 0 {
		f.Case = alertstore.Name("case", n)
	}
	err = a.read(c, func(tx *view.Tx) error {
		items, err := askstore.List(tx, f)
		for i := range items { // what they say of people stands in each one
			items[i].Question.Text, items[i].Question.Fields = "", nil
		}
		out = web.ListOf(p, items, func(x askstore.Question) string { return str(x.ID) })
		return err
	})
	return out, err
}

type askDetail struct {
	askstore.Question
	Sealed bool `json:"personal_data_withheld,omitempty"` // the token may not see it
}

func (a *API) ask(c *call) (out askDetail, err error) {
	id, err := c.id("id")
	if err != nil {
		return out, err
	}
	err = a.read(c, func(tx *view.Tx) error {
		out.Question, err = askstore.Get(tx, id)
		return err
	})
	if err != nil {
		return out, err
	}
	full, err := a.personal(c, askstore.Subject(id), "text", "fields")
	if err == nil && !full {
		out.Sealed = true
		out.Question.Question.Text, out.Question.Question.Fields = "", nil
	}
	return out, err
}

type answer struct {
	Answer string `json:"answer"` // id of one of the answers
	Reason string `json:"reason,omitempty"`
}

func (a *API) answer(c *call, in answer) (ask.Answered, error) {
	id, err := c.id("id")
	if err != nil {
		return ask.Answered{}, err
	}
	return a.c.Questions.Answer(c.ctx(), id, ask.Attempt{Person: c.actor(), From: "token/" + c.token.ID, Via: "api", Answer: in.Answer, Reason: in.Reason})
}
