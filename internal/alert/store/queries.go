package store

import (
	"encoding/json"
	"fmt"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// A Case is a case as it stands.
type Case struct {
	ID       uint64      `json:"id"`
	Title    string      `json:"title"`
	Source   string      `json:"source"`
	Severity int64       `json:"severity_id"`
	State    alert.State `json:"state"`
	Alerts   int64       `json:"alerts"`
	Opened   time.Time   `json:"opened"`
	Last     time.Time   `json:"last_alert"`
	Assignee string      `json:"assignee,omitempty"`
	Verdict  string      `json:"verdict,omitempty"`
	Merged   uint64      `json:"merged_into,omitempty"`
	Changed  uint64      `json:"changed"` // the newest record about it

	Since    time.Time `json:"since"`          // when the clock of its objective began
	SinceSeq uint64    `json:"since_record"`   // the record that began it
	Acted    time.Time `json:"acted,omitzero"` // first act of a person after that
	ActedSeq uint64    `json:"acted_record,omitempty"`
	ActedBy  string    `json:"acted_by,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
	Taken    []int     `json:"-"`
}

// Handling is what objectives look at.
func (c Case) Handling() alert.Handling {
	return alert.Handling{Severity: c.Severity, Since: c.Since, Acted: c.Acted, By: c.ActedBy, Ended: c.Ended, Taken: c.Taken}
}

const caseColumns = `id, title, source, severity, state, alerts, opened, last, assignee, verdict, merged, changed,
	since, since_seq, acted, acted_seq, acted_by, ended, taken`

func scanCase(r view.Row) (Case, error) {
	c := Case{
		ID: r.Uint(0), Title: r.Text(1), Source: r.Text(2), Severity: r.Int(3), State: alert.State(r.Text(4)), Alerts: r.Int(5),
		Opened: stamp(r.Int(6)), Last: stamp(r.Int(7)), Assignee: r.Text(8), Verdict: r.Text(9), Merged: r.Uint(10), Changed: r.Uint(11),
		Since: stamp(r.Int(12)), SinceSeq: r.Uint(13), Acted: stamp(r.Int(14)), ActedSeq: r.Uint(15), ActedBy: r.Text(16), Ended: stamp(r.Int(17)),
	}
	if err := json.Unmarshal([]byte(r.Text(18)), &c.Taken); err != nil {
		return c, fmt.Errorf("decode case %d: %w", c.ID, err)
	}
	return c, nil
}

func stamp(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Get is one case.
func Get(tx *view.Tx, id uint64) (c Case, err error) {
	found, err := tx.One(`SELECT `+caseColumns+` FROM alert_handling WHERE id = ?`, func(r view.Row) error {
		c, err = scanCase(r)
		return err
	}, id)
	if err == nil && !found {
		return c, errs.E(errs.NotFound, "there is no case %d", id)
	}
	return c, err
}

// A CaseFilter chooses cases; zero fields choose all.
type CaseFilter struct {
	State    string // open, acknowledged, resolved, or "unresolved"
	Source   string
	Severity int64 // at least
	Words    string
	Since    time.Time
	Before   uint64 // the cursor: cases with a smaller id
	Limit    int
}

// Cases finds cases, newest first.
func Cases(tx *view.Tx, f CaseFilter) ([]Case, error) {
	if f.Before == 0 {
		f.Before = 1 << 62
	}
	query, args := `SELECT `+caseColumns+` FROM alert_handling WHERE id < ?`, []any{f.Before}
	add := func(clause string, a ...any) { query, args = query+" AND "+clause, append(args, a...) }
	switch f.State {
	case "":
	case "unresolved":
		add(`state <> 'resolved'`)
	case string(alert.Resolved):
		add(`state = 'resolved'`)
	default:
		add(`state <> 'resolved' AND state = ?`, f.State)
	}
	if f.Source != "" {
		add(`source = ?`, f.Source)
	}
	if f.Severity > 0 {
		add(`severity >= ?`, f.Severity)
	}
	if f.Words != "" {
		add(`instr(lower(title), lower(?)) > 0`, f.Words)
	}
	if !f.Since.IsZero() {
		add(`opened >= ?`, f.Since.UnixMicro())
	}
	out := []Case{}
	err := tx.Query(query+` ORDER BY id DESC LIMIT ?`, func(r view.Row) error {
		c, err := scanCase(r)
		out = append(out, c)
		return err
	}, append(args, f.Limit)...)
	return out, err
}

// Waiting lists the cases on which nobody has acted, the longest waiting first.
func Waiting(tx *view.Tx, after time.Time, limit int) ([]Case, error) {
	var out []Case
	err := tx.Query(`SELECT `+caseColumns+` FROM alert_handling WHERE acted = 0 AND ended = 0 AND since > ? ORDER BY since LIMIT ?`, func(r view.Row) error {
		c, err := scanCase(r)
		out = append(out, c)
		return err
	}, after.UnixMicro(), limit)
	return out, err
}

// An Alert is an alert as lists show it.
type Alert struct {
	ID       uint64        `json:"id"`
	Source   string        `json:"source"`
	Rule     string        `json:"rule,omitempty"`
	Title    string        `json:"title"`
	Severity int64         `json:"severity_id"`
	Case     uint64        `json:"case"`
	Outcome  alert.Outcome `json:"outcome"`
	Received time.Time     `json:"received"`
}

// Alerts finds alerts, newest first: of one case, or of all when case is 0.
func Alerts(tx *view.Tx, ofCase, before uint64, limit int) ([]Alert, error) {
	if before == 0 {
		before = 1 << 62
	}
	query, args := `SELECT id, source, rule, title, severity, case_id, outcome, received FROM alert WHERE id < ?`, []any{before}
	if ofCase != 0 {
		query, args = query+` AND case_id = ?`, append(args, ofCase)
	}
	out := []Alert{}
	err := tx.Query(query+` ORDER BY id DESC LIMIT ?`, func(r view.Row) error {
		out = append(out, Alert{
			ID: r.Uint(0), Source: r.Text(1), Rule: r.Text(2), Title: r.Text(3), Severity: r.Int(4),
			Case: r.Uint(5), Outcome: alert.Outcome(r.Text(6)), Received: stamp(r.Int(7)),
		})
		return nil
	}, append(args, limit)...)
	return out, err
}

// GetAlert is one alert with its finding, from the ledger.
func GetAlert(tx *view.Tx, id uint64) (alert.Received, time.Time, error) {
	rec, err := tx.Record(id)
	if err != nil {
		return alert.Received{}, time.Time{}, err
	}
	if rec.Kind != alert.KindReceived {
		return alert.Received{}, time.Time{}, errs.E(errs.NotFound, "there is no alert %d: record %d is %s", id, id, rec.Kind)
	}
	var d alert.Received
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return d, rec.Time, fmt.Errorf("decode alert %d: %w", id, err)
	}
	if d.Case == "" {
		d.Case = Name("case", id)
	}
	return d, rec.Time, nil
}

// Finding is the OCSF finding of an alert.
func Finding(tx *view.Tx, id uint64) (map[string]any, error) {
	rec, err := tx.Record(id)
	if err != nil {
		return nil, err
	}
	var d struct {
		Finding json.RawMessage `json:"finding"`
	}
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return nil, fmt.Errorf("decode alert %d: %w", id, err)
	}
	if rec.Kind != alert.KindReceived || len(d.Finding) == 0 {
		return nil, errs.E(errs.NotFound, "there is no alert %d: record %d is %s", id, id, rec.Kind)
	}
	v, err := expr.FromJSON(d.Finding)
	if err != nil {
		return nil, fmt.Errorf("finding of alert %d: %w", id, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("internal error: the finding of alert %d is no object", id)
	}
	return m, nil
}

// Entities lists what links a case to others, with how many cases share it.
func Entities(tx *view.Tx, id uint64) (map[string]int64, error) {
	out := map[string]int64{}
	err := tx.Query(`SELECT entity, (SELECT count(*) FROM alert_entity o WHERE o.entity = e.entity) FROM alert_entity e WHERE case_id = ?`, func(r view.Row) error {
		out[r.Text(0)] = r.Int(1)
		return nil
	}, id)
	return out, err
}

// OpenTotals counts the cases that are not resolved, by severity.
func OpenTotals(tx *view.Tx) (map[int64]int64, error) {
	out := map[int64]int64{}
	err := tx.Query(`SELECT severity, count(*) FROM alert_handling WHERE state <> 'resolved' GROUP BY severity`, func(r view.Row) error {
		out[r.Int(0)] = r.Int(1)
		return nil
	})
	return out, err
}

// Facts is a case as playbooks see it.
func Facts(tx *view.Tx, id uint64) (map[string]any, error) {
	c, err := Get(tx, id)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": Name("case", c.ID), "title": c.Title, "severity_id": c.Severity, "state": string(c.State),
		"alerts": c.Alerts, "opened": c.Opened.Format(time.RFC3339Nano), "assignee": c.Assignee, "source": c.Source,
	}, nil
}

// Story lists what people and playbooks did to a case, oldest first.
func Story(tx *view.Tx, id uint64, limit int) ([]ledger.Record, error) {
	var seqs []uint64
	err := tx.Query(`SELECT seq FROM alert_story WHERE case_id = ? ORDER BY seq LIMIT ?`, func(r view.Row) error {
		seqs = append(seqs, r.Uint(0))
		return nil
	}, id, limit)
	if err != nil {
		return nil, err
	}
	out := []ledger.Record{}
	for _, seq := range seqs {
		rec, err := tx.Record(seq)
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, nil
}

// EachCase calls f with each case opened since a time, oldest first, and the
// finding that opened it; merged cases are left out.
func EachCase(tx *view.Tx, since time.Time, f func(c Case, finding map[string]any) error) error {
	var at int64
	if !since.IsZero() {
		at = since.UnixMicro()
	}
	return tx.Query(`SELECT `+caseColumns+` FROM alert_handling WHERE opened >= ? AND merged = 0 ORDER BY id`, func(r view.Row) error {
		c, err := scanCase(r)
		if err != nil {
			return err
		}
		finding, err := Finding(tx, c.ID)
		if err != nil { // a case that a person opened has none
			finding = map[string]any{}
		}
		return f(c, finding)
	}, at)
}
