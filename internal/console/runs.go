package console

import (
	"encoding/json"
	"fmt"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/playbook"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/view"
	"beffroi.dev/internal/web"
)

func (a *API) runs(c *call) (out web.List[playbookstore.Summary], err error) {
	p, err := web.PageOf(c.r, maxPage)
	if err != nil {
		return out, err
	}
	q := c.r.URL.Query()
	f := playbookstore.Filter{Playbook: q.Get("playbook"), State: q.Get("state"), Limit: p.Limit + 1}
	if f.Before, err = before(p); err != nil {
		return out, err
	}
	if f.Since, err = a.sinceOf(c.r); err != nil {
		return out, err
	}
	if f.Case, err = numberParam(c, "case"); err != nil {
		return out, err
	}
	err = a.read(c, func(tx *view.Tx) error {
		items, err := playbookstore.List(tx, f)
		out = web.ListOf(p, items, func(x playbookstore.Summary) string { return str(x.ID) })
		return err
	})
	return out, err
}

type runDetail struct {
	playbookstore.Story
	Sealed bool `json:"personal_data_withheld,omitempty"` // the token may not see it
}

func (a *API) run(c *call) (out runDetail, err error) {
	id, err := c.id("id")
	if err != nil {
		return out, err
	}
	err = a.read(c, func(tx *view.Tx) error {
		out.Story, err = a.c.Runs.Story(tx, id)
		return err
	})
	if err != nil {
		return out, err
	}
	full, err := a.personal(c, alertstore.Name("run", id), "steps", "inputs", "case")
	if err == nil && !full {
		out.Sealed, out.Open = true, nil
		out.Started.Inputs, out.Started.Case = nil, nil
		for i := range out.Trace {
			out.Trace[i].Input, out.Trace[i].Output, out.Trace[i].Value = nil, nil, nil
		}
	}
	return out, err
}

type newRun struct {
	Playbook string          `json:"playbook"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Alert    uint64          `json:"alert,omitempty"` // number of an alert that was received
	Case     uint64          `json:"case,omitempty"`
}

type runID struct {
	Run uint64 `json:"run"`
}

func (a *API) startRun(c *call, in newRun) (runID, error) {
	inputs, err := object(in.Inputs, "inputs")
	if err != nil {
		return runID{}, err
	}
	id, err := a.c.Runs.StartManual(c.ctx(), playbookstore.Request{Playbook: in.Playbook, Inputs: inputs, Alert: in.Alert, Case: in.Case, Actor: c.actor()})
	return runID{id}, err
}

// object decodes a JSON object so that integral numbers stay so.
func object(b json.RawMessage, what string) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	v, err := expr.FromJSON(b)
	if err != nil {
		return nil, errs.E(errs.Invalid, "%s: %v", what, err)
	}
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, errs.E(errs.Invalid, "%s must be an object", what)
	}
	return m, nil
}

func (a *API) cancelRun(c *call, in reason) (done, error) {
	id, err := c.id("id")
	if err != nil {
		return done{}, err
	}
	return done{true}, a.c.Runs.Cancel(c.ctx(), id, c.actor(), in.Reason)
}

type retry struct {
	From string `json:"from,omitempty"` // step to begin with; the one that failed unless said
}

func (a *API) retryRun(c *call, in retry) (done, error) {
	id, err := c.id("id")
	if err != nil {
		return done{}, err
	}
	return done{true}, a.c.Runs.Retry(c.ctx(), id, in.From, c.actor())
}

type replay struct {
	Version string `json:"version,omitempty"` // of the playbook; the one in force unless said
}

func (a *API) replayRun(c *call, in replay) (runID, error) {
	id, err := c.id("id")
	if err != nil {
		return runID{}, err
	}
	n, err := a.c.Runs.Replay(c.ctx(), id, in.Version, c.actor())
	return runID{n}, err
}

type dryRun struct {
	Playbook string          `json:"playbook,omitempty"` // name of one in force
	Document string          `json:"document,omitempty"` // or the text of one that is not yet
	Alert    json.RawMessage `json:"alert,omitempty"`    // an OCSF finding
	AlertID  uint64          `json:"alert_id,omitempty"` // or one that was received
	Source   string          `json:"source,omitempty"`   // or: alert is a raw event of this source
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Steps    json.RawMessage `json:"steps,omitempty"` // results by step; the others go well
}

func (a *API) dryRun(c *call, in dryRun) (playbook.Simulation, error) {
	def, err := a.definition(in)
	if err != nil {
		return playbook.Simulation{}, err
	}
	init := playbook.Init{Requester: c.actor(), Trigger: map[string]any{"kind": "manual"}}
	if init.Alert, err = a.dryAlert(c, in); err != nil {
		return playbook.Simulation{}, err
	}
	if init.Inputs, err = object(in.Inputs, "inputs"); err != nil {
		return playbook.Simulation{}, err
	}
	steps, err := object(in.Steps, "steps")
	if err != nil {
		return playbook.Simulation{}, err
	}
	return playbook.Simulate(def, init, playbook.Given{Steps: steps, Assume: true}, a.c.Now()), nil
}

func (a *API) definition(in dryRun) (*playbook.Playbook, error) {
	snap := a.c.Documents.Snapshot()
	if in.Document == "" {
		def, ok := documentstore.Get[*playbook.Playbook](snap, "playbook", in.Playbook)
		if !ok {
			return nil, errs.E(errs.NotFound, "there is no playbook %q in force", in.Playbook)
		}
		return def, nil
	}
	docs, err := document.Parse("playbook.yaml", []byte(in.Document))
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != "playbook" {
		return nil, errs.E(errs.Invalid, "document must hold one playbook")
	}
	compiled, err := a.c.Kinds["playbook"].Compile(docs[0], snap.Set)
	if err != nil {
		return nil, err
	}
	def, ok := compiled.(*playbook.Playbook)
	if !ok {
		return nil, fmt.Errorf("internal error: a playbook compiled to a %T", compiled)
	}
	return def, nil
}

func (a *API) dryAlert(c *call, in dryRun) (map[string]any, error) {
	if in.AlertID != 0 {
		var finding map[string]any
		err := a.read(c, func(tx *view.Tx) (err error) {
			finding, err = alertstore.Finding(tx, in.AlertID)
			return err
		})
		if err != nil {
			return nil, err
		}
		return alert.View(finding), nil
	}
	if in.Source == "" {
		return object(in.Alert, "alert")
	}
	src, ok := documentstore.Get[*alert.Source](a.c.Documents.Snapshot(), "source", in.Source)
	if !ok {
		return nil, errs.E(errs.NotFound, "there is no source %q in force", in.Source)
	}
	raw, err := expr.FromJSON(in.Alert)
	if err != nil {
		return nil, errs.E(errs.Invalid, "alert: %v", err)
	}
	findings, stats, err := src.Map(raw, a.c.Now())
	if err != nil {
		return nil, err
	}
	if len(findings) == 0 {
		return nil, errs.E(errs.Invalid, "source %s makes no alert of this event (%d ignored)", in.Source, stats.Ignored)
	}
	return alert.View(findings[0].OCSF), nil
}

type explanation struct {
	Playbook string   `json:"playbook"`
	Alert    uint64   `json:"alert"`
	Matches  bool     `json:"matches"`
	Why      []string `json:"why"` // each condition and what it gave
	Outcome  string   `json:"outcome"`
	Error    string   `json:"error,omitempty"`
}

func (a *API) explain(c *call) (out explanation, err error) {
	out.Playbook = c.r.PathValue("name")
	if out.Alert, err = c.id("alert"); err != nil {
		return out, err
	}
	def, ok := documentstore.Get[*playbook.Playbook](a.c.Documents.Snapshot(), "playbook", out.Playbook)
	if !ok {
		return out, errs.E(errs.NotFound, "there is no playbook %q in force", out.Playbook)
	}
	var finding, facts map[string]any
	var at time.Time
	err = a.read(c, func(tx *view.Tx) error {
		var d alert.Received
		if d, at, err = alertstore.GetAlert(tx, out.Alert); err != nil {
			return err
		}
		out.Outcome = string(d.Outcome)
		if finding, err = alertstore.Finding(tx, out.Alert); err != nil {
			return err
		}
		id, err := alertstore.ID("case", d.Case)
		if err != nil {
			return err
		}
		facts, err = alertstore.Facts(tx, id)
		return err
	})
	if err != nil {
		return out, err
	}
	out.Matches, out.Why, err = def.Matches(alert.View(finding), facts, at)
	if err != nil {
		out.Error = err.Error()
	}
	if out.Outcome == string(alert.Repeats) {
		out.Matches, out.Why = false, append(out.Why, "the alert repeats one of its case, which is being handled")
	}
	return out, nil
}
