// Package store is the memory of alerts and cases: which case an alert belongs
// to, where each case stands, and how it was handled.
//
// Deduplication and correlation are held in the view, never only in memory, so
// that they are the same after a restart and on every node.
package store

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	apply := map[string]func(*view.Tx, ledger.Record) error{
		alert.KindReceived: applyReceived,
		alert.KindOpened:   applyOpened,
		ask.KindAnswered:   applyAnswered,
	}
	for _, kind := range []string{
		alert.KindReopened, alert.KindAcknowledged, alert.KindAssigned, alert.KindCommented,
		alert.KindResolved, alert.KindMerged, alert.KindOverdue,
	} {
		apply[kind] = applyChange
	}
	return view.Store{Name: "alert", Version: 1, Schema: schema, Apply: apply}
}

// received is what the view needs of alert.Received.
type received struct {
	Source      string        `json:"source"`
	Rule        string        `json:"rule"`
	Outcome     alert.Outcome `json:"outcome"`
	Case        string        `json:"case"`
	Fingerprint string        `json:"fingerprint"`
	Entities    []string      `json:"entities"`
	Title       string        `json:"title"`
	Severity    int64         `json:"severity_id"`
}

// headOf reads what stands before the finding and the raw event, which are most
// of the record.
func headOf(rec ledger.Record) (received, error) {
	if v, ok := rec.Value.(decided); ok {
		f := v.p.finding
		return received{f.Source, f.Rule, v.d.Outcome, v.d.Case, f.Fingerprint, f.Entities, f.Title, f.SeverityID}, nil
	}
	head := []byte(rec.Data)
	if i := bytes.Index(head, []byte(findingKey)); i >= 0 {
		head = append(head[:i:i], '}')
	}
	var d received
	if err := json.Unmarshal(head, &d); err != nil {
		return d, fmt.Errorf("decode alert %d: %w", rec.Seq, err)
	}
	return d, nil
}

func applyReceived(tx *view.Tx, rec ledger.Record) error {
	d, err := headOf(rec)
	if err != nil {
		return err
	}
	id, at := rec.Seq, rec.Time.UnixMicro()
	if d.Outcome == alert.Opens {
		if err := openCase(tx, rec, d.Title, d.Source, d.Severity, 1); err != nil {
			return err
		}
	} else {
		if id, err = ID("case", d.Case); err != nil {
			return err
		}
		if err := joinCase(tx, rec, id, d.Severity); err != nil {
			return err
		}
	}
	err = tx.Exec(`INSERT INTO alert (id, source, rule, title, severity, case_id, outcome, received) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		rec.Seq, d.Source, d.Rule, d.Title, d.Severity, id, string(d.Outcome), at)
	if err != nil {
		return err
	}
	if d.Fingerprint != "" {
		err := tx.Exec(`INSERT INTO alert_same (fingerprint, case_id, alert, last) VALUES (?, ?, ?, ?)
			ON CONFLICT (fingerprint) DO UPDATE SET last = excluded.last,
				alert = iif(case_id = excluded.case_id, alert, excluded.alert), case_id = excluded.case_id`, d.Fingerprint, id, rec.Seq, at)
		if err != nil {
			return err
		}
	}
	for _, e := range d.Entities {
		if err := seen(tx, e, id, at); err != nil {
			return err
		}
	}
	return nil
}

func seen(tx *view.Tx, entity string, id uint64, at int64) error {
	return tx.Exec(`INSERT INTO alert_entity (entity, case_id, last) VALUES (?, ?, ?)
		ON CONFLICT (entity, case_id) DO UPDATE SET last = excluded.last`, entity, id, at)
}

func openCase(tx *view.Tx, rec ledger.Record, title, source string, severity int64, alerts int) error {
	at := rec.Time.UnixMicro()
	return tx.Exec(`INSERT INTO alert_handling (id, title, source, severity, state, alerts, opened, last, assignee, verdict, merged, changed,
		since, since_seq, acted, acted_seq, acted_by, ended, taken) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', '', 0, ?, ?, ?, 0, 0, '', 0, '[]')`,
		rec.Seq, title, source, severity, string(alert.Open), alerts, at, at, rec.Seq, at, rec.Seq)
}

// joinCase counts an alert. When it makes the case more severe, the clock of
// its objective begins again.
func joinCase(tx *view.Tx, rec ledger.Record, id uint64, severity int64) error {
	at := rec.Time.UnixMicro()
	if err := tx.Exec(`UPDATE alert_handling SET since = ?, since_seq = ?, acted = 0, acted_seq = 0, acted_by = '', taken = '[]'
		WHERE id = ? AND severity < ?`, at, rec.Seq, id, severity); err != nil {
		return err
	}
	return tx.Exec(`UPDATE alert_handling SET alerts = alerts + 1, last = ?, severity = max(severity, ?), changed = ? WHERE id = ?`,
		at, severity, rec.Seq, id)
}

func applyOpened(tx *view.Tx, rec ledger.Record) error {
	var d alert.CaseOpened
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := openCase(tx, rec, d.Title, rec.Actor, d.Severity, 0); err != nil {
		return err
	}
	if err := tell(tx, rec.Seq, rec.Seq); err != nil {
		return err
	}
	for _, e := range d.Entities {
		if err := seen(tx, e, rec.Seq, rec.Time.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// applyChange applies the records whose subject is a case.
func applyChange(tx *view.Tx, rec ledger.Record) error {
	id, err := ID("case", rec.Subject)
	if err != nil {
		return err
	}
	c, err := Get(tx, id)
	if err != nil {
		return err
	}
	state, err := c.State.After(rec.Kind)
	if err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE alert_handling SET state = ?, changed = ? WHERE id = ?`, string(state), rec.Seq, id); err != nil {
		return err
	}
	if err := applyKind(tx, rec, c); err != nil {
		return err
	}
	if err := tell(tx, id, rec.Seq); err != nil {
		return err
	}
	if strings.HasPrefix(rec.Actor, "person/") && rec.Kind != alert.KindReopened {
		return acted(tx, rec, id)
	}
	return nil
}

func applyKind(tx *view.Tx, rec ledger.Record, c Case) error {
	at := rec.Time.UnixMicro()
	switch rec.Kind {
	case alert.KindReopened:
		return tx.Exec(`UPDATE alert_handling SET since = ?, since_seq = ?, acted = 0, acted_seq = 0, acted_by = '', ended = 0, verdict = '', taken = '[]' WHERE id = ?`, at, rec.Seq, c.ID)
	case alert.KindAssigned:
		var d alert.CaseAssigned
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return tx.Exec(`UPDATE alert_handling SET assignee = ? WHERE id = ?`, d.To, c.ID)
	case alert.KindResolved:
		var d alert.CaseResolved
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return tx.Exec(`UPDATE alert_handling SET verdict = ?, ended = ? WHERE id = ?`, d.Verdict, at, c.ID)
	case alert.KindMerged:
		return applyMerged(tx, rec, c)
	case alert.KindOverdue:
		var d alert.CaseOverdue
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		taken, err := json.Marshal(append(slices.Clone(c.Taken), d.Step))
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		return tx.Exec(`UPDATE alert_handling SET taken = ? WHERE id = ?`, string(taken), c.ID)
	}
	return nil
}

// applyMerged moves the alerts, fingerprints and entities of a case to another.
func applyMerged(tx *view.Tx, rec ledger.Record, c Case) error {
	var d alert.CaseMerged
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	into, err := ID("case", d.Into)
	if err != nil {
		return err
	}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`UPDATE alert SET case_id = ? WHERE case_id = ?`, []any{into, c.ID}},
		{`UPDATE alert_same SET case_id = ? WHERE case_id = ?`, []any{into, c.ID}},
		{`INSERT INTO alert_entity (entity, case_id, last) SELECT entity, ?, last FROM alert_entity WHERE case_id = ?
			ON CONFLICT (entity, case_id) DO UPDATE SET last = max(last, excluded.last)`, []any{into, c.ID}},
		{`DELETE FROM alert_entity WHERE case_id = ?`, []any{c.ID}},
		{
			`UPDATE alert_handling SET alerts = alerts + ?, severity = max(severity, ?), last = max(last, ?), changed = ? WHERE id = ?`,
			[]any{c.Alerts, c.Severity, c.Last.UnixMicro(), rec.Seq, into},
		},
		{`UPDATE alert_handling SET merged = ?, ended = ? WHERE id = ?`, []any{into, rec.Time.UnixMicro(), c.ID}},
	} {
		if err := tx.Exec(q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// acted notes the first act of a person since the clock began.
func acted(tx *view.Tx, rec ledger.Record, id uint64) error {
	return tx.Exec(`UPDATE alert_handling SET acted = ?, acted_seq = ?, acted_by = ? WHERE id = ? AND acted = 0`,
		rec.Time.UnixMicro(), rec.Seq, rec.Actor, id)
}

// applyAnswered: who answers a question of a case has acted on it.
func applyAnswered(tx *view.Tx, rec ledger.Record) error {
	askID, err := ID("ask", rec.Subject)
	if err != nil {
		return err
	}
	asked, err := tx.Record(askID)
	if err != nil {
		return err
	}
	var d ask.Asked
	if err := json.Unmarshal(asked.Data, &d); err != nil {
		return fmt.Errorf("decode question %d: %w", askID, err)
	}
	if d.Question.Case == "" {
		return nil
	}
	id, err := ID("case", d.Question.Case)
	if err != nil {
		return err
	}
	if err := tell(tx, id, rec.Seq); err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE alert_handling SET state = ?, changed = ? WHERE id = ? AND state = ?`,
		string(alert.Acknowledged), rec.Seq, id, string(alert.Open)); err != nil {
		return err
	}
	return acted(tx, rec, id)
}

// tell adds a record to the story of a case.
func tell(tx *view.Tx, id, seq uint64) error {
	return tx.Exec(`INSERT INTO alert_story (case_id, seq) VALUES (?, ?)`, id, seq)
}

// ID reads a name such as case/1041 or alert/1041.
func ID(kind, name string) (uint64, error) {
	digits, ok := strings.CutPrefix(name, kind+"/")
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil {
		return 0, errs.E(errs.Invalid, "%q is no %s: it looks like %s/1041", name, kind, kind)
	}
	return n, nil
}

// Name writes a name such as case/1041.
func Name(kind string, id uint64) string { return kind + "/" + strconv.FormatUint(id, 10) }
