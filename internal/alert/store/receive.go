package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Blobs keeps long events; see package blob.
type Blobs interface {
	Put(ctx context.Context, b []byte) (name string, err error)
}

// inlineMax is the longest raw event that stands in the record, in bytes.
const inlineMax = 16 << 10

// A Prepared is a finding whose encoding is done, so that the sequencer has
// little left to do.
type Prepared struct {
	finding alert.Finding
	policy  alert.Policy
	tail    []byte // the members of alert.Received that do not depend on the decision
}

// Prepare encodes a finding. A long raw event goes to the blob store first.
func Prepare(ctx context.Context, blobs Blobs, f alert.Finding, policy alert.Policy) (Prepared, error) {
	raw := expr.AppendJSON(nil, f.Raw)
	head, err := json.Marshal(struct {
		Fingerprint string   `json:"fingerprint,omitempty"`
		Entities    []string `json:"entities,omitempty"`
		Title       string   `json:"title"`
		Severity    int64    `json:"severity_id"`
		RawSize     int      `json:"raw_size"`
		Problems    []string `json:"problems,omitempty"`
	}{f.Fingerprint, f.Entities, f.Title, f.SeverityID, len(raw), f.Problems})
	if err != nil {
		return Prepared{}, fmt.Errorf("encode finding: %w", err)
	}
	b := make([]byte, 0, len(head)+2*len(raw)+1024)
	b = append(append(b, head[:len(head)-1]...), findingKey...)
	b = expr.AppendJSON(b, f.OCSF)
	if len(raw) > inlineMax {
		name, err := blobs.Put(ctx, raw)
		if err != nil {
			return Prepared{}, fmt.Errorf("keep raw event: %w", err)
		}
		b = append(expr.AppendJSON(append(b, `,"raw_blob":`...), name), '}')
	} else {
		b = append(append(append(b, `,"raw":`...), raw...), '}')
	}
	return Prepared{finding: f, policy: policy, tail: b}, nil
}

// findingKey stands between the members that the view needs and those that are
// for people. It cannot stand inside a text, whose quotes are escaped.
const findingKey = `,"finding":`

// decided is the data of alert.received: the decision, then the encoded rest.
type decided struct {
	p Prepared
	d alert.Decision
}

// AppendJSON implements sequencer.JSONAppender. The names of its members are
// those of alert.Received.
func (d decided) AppendJSON(dst []byte) ([]byte, error) {
	head, err := json.Marshal(struct {
		Source      string        `json:"source"`
		Rule        string        `json:"rule,omitempty"`
		Outcome     alert.Outcome `json:"outcome"`
		Case        string        `json:"case,omitempty"`
		DuplicateOf string        `json:"duplicate_of,omitempty"`
		Shares      []string      `json:"shares,omitempty"`
		Related     []string      `json:"related,omitempty"`
	}{d.p.finding.Source, d.p.finding.Rule, d.d.Outcome, d.d.Case, d.d.DuplicateOf, d.d.Entities, d.d.Related})
	if err != nil {
		return dst, fmt.Errorf("encode decision: %w", err)
	}
	dst = append(dst, head[:len(head)-1]...)
	dst = append(dst, ',')
	return append(dst, d.p.tail[1:]...), nil
}

// Receive is the command that takes an alert: it decides which case it belongs
// to.
func (p Prepared) Receive() sequencer.Command {
	return func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		found, err := find(tx, p.finding)
		if err != nil {
			return nil, err
		}
		d := alert.Decide(p.policy, p.finding, found, now)
		actor := "source/" + p.finding.Source
		drafts := []ledger.Draft{{Kind: alert.KindReceived, Subject: actor, Actor: actor, Data: decided{p, d}}}
		if d.Outcome == alert.Reopens {
			drafts = append(drafts, ledger.Draft{
				Kind: alert.KindReopened, Subject: d.Case, Actor: actor,
				Data: alert.CaseReopened{Reason: "the same alert came again", Alert: Name("alert", tx.Next())},
			})
		}
		return drafts, nil
	}
}

// find looks up the cases that may take the finding.
func find(tx *view.Tx, f alert.Finding) (alert.Found, error) {
	var found alert.Found
	if f.Fingerprint != "" {
		_, err := tx.One(`SELECT s.case_id, c.state, s.last, s.alert FROM alert_same s JOIN alert_handling c ON c.id = s.case_id WHERE s.fingerprint = ?`, func(r view.Row) error {
			found.Same = &alert.Known{Case: Name("case", r.Uint(0)), State: alert.State(r.Text(1)), Last: stamp(r.Int(2)), Alert: Name("alert", r.Uint(3))}
			return nil
		}, f.Fingerprint)
		if err != nil {
			return found, err
		}
	}
	for _, e := range f.Entities {
		err := tx.Query(`SELECT e.case_id, c.state, e.last FROM alert_entity e JOIN alert_handling c ON c.id = e.case_id
			WHERE e.entity = ? AND c.merged = 0 ORDER BY e.case_id DESC LIMIT 20`, func(r view.Row) error {
			found.Sharing = append(found.Sharing, alert.Known{Case: Name("case", r.Uint(0)), State: alert.State(r.Text(1)), Last: stamp(r.Int(2)), Entity: e})
			return nil
		}, e)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// Taken says what became of a received alert.
type Taken struct {
	Alert   string        `json:"alert"`
	Case    string        `json:"case"`
	Outcome alert.Outcome `json:"outcome"`
}

// TakenFrom reads it from the command's result.
func TakenFrom(res sequencer.Result) (Taken, error) {
	for _, rec := range res.Records {
		if rec.Kind != alert.KindReceived {
			continue
		}
		d, err := headOf(rec)
		if err != nil {
			return Taken{}, err
		}
		t := Taken{Alert: Name("alert", rec.Seq), Case: d.Case, Outcome: d.Outcome}
		if t.Case == "" {
			t.Case = Name("case", rec.Seq)
		}
		return t, nil
	}
	return Taken{}, errors.New("internal error: a received alert left no record")
}
