// Package store remembers which messages must be on Slack and which are there.
// What a message says is not kept here: it follows from the question, case or
// record that it is about.
package store

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Kinds of record that this package owns.
const (
	KindRequested = "slack.requested" // a playbook wants a message posted
	KindPosted    = "slack.posted"    // a revision of a message is on Slack
	KindFailed    = "slack.failed"    // a message is not, and why
)

// Kinds of message.
const (
	Question   = "question"
	Reminder   = "reminder"
	Escalation = "escalation"
	Overdue    = "overdue"
	Notice     = "notice"
)

// Requested is the data of slack.requested.
type Requested struct {
	Key    string            `json:"key"` // idempotency key of the call
	Target string            `json:"target"`
	Text   string            `json:"text"`
	Fields map[string]string `json:"fields,omitempty"`
	Case   string            `json:"case,omitempty"`
}

// Posted is the data of slack.posted.
type Posted struct {
	Key      string `json:"key"`
	Rev      uint64 `json:"rev"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
	Thread   string `json:"thread,omitempty"`
	ThreadTS string `json:"thread_ts,omitempty"`
	Folded   bool   `json:"folded,omitempty"` // it stands there as one of the count of a digest
}

// Failed is the data of slack.failed.
type Failed struct {
	Key    string     `json:"key"`
	Rev    uint64     `json:"rev"`
	Reason string     `json:"reason"`
	Remedy string     `json:"remedy,omitempty"`
	Retry  *time.Time `json:"retry,omitempty"` // nil: never
}

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	apply := map[string]func(*view.Tx, ledger.Record) error{
		KindPosted:        with(applyPosted),
		KindFailed:        with(applyFailed),
		KindRequested:     with(applyRequested),
		ask.KindAsked:     with(applyAsked),
		ask.KindReminded:  with(applyReminded),
		ask.KindEscalated: with(applyEscalated),
		alert.KindOverdue: with(applyOverdue),
		ask.KindAnswered:  applyChanged,
		ask.KindExpired:   applyChanged,
		ask.KindWithdrawn: applyChanged,
	}
	return view.Store{Name: "slack", Version: 1, Schema: schema, Apply: apply}
}

func with[T any](f func(*view.Tx, ledger.Record, T) error) func(*view.Tx, ledger.Record) error {
	return func(tx *view.Tx, rec ledger.Record) error {
		var d T
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return f(tx, rec, d)
	}
}

func insert(tx *view.Tx, rec ledger.Record, key, kind, about, target, thread string) error {
	return tx.Exec(`INSERT INTO slack_message (key, kind, about, source, target, thread, due, rev, posted, given_up, channel, ts)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '') ON CONFLICT (key) DO NOTHING`,
		key, kind, about, rec.Seq, target, thread, rec.Time.UnixMicro(), rec.Seq)
}

func applyRequested(tx *view.Tx, rec ledger.Record, d Requested) error {
	return insert(tx, rec, d.Key, Notice, d.Key, d.Target, d.Case)
}

func applyAsked(tx *view.Tx, rec ledger.Record, d ask.Asked) error {
	return insert(tx, rec, rec.Subject, Question, rec.Subject, d.Question.Channel, d.Question.Case)
}

func applyReminded(tx *view.Tx, rec ledger.Record, d ask.Reminded) error {
	target, thread, err := placeOf(tx, rec.Subject)
	if err != nil {
		return err
	}
	return insert(tx, rec, rec.Subject+"/reminder/"+strconv.Itoa(d.N), Reminder, rec.Subject+"/reminder", target, thread)
}

func applyEscalated(tx *view.Tx, rec ledger.Record, d ask.Escalated) error {
	_, thread, err := placeOf(tx, rec.Subject)
	if err != nil {
		return err
	}
	return insert(tx, rec, rec.Subject+"/escalation/"+strconv.Itoa(d.N), Escalation, rec.Subject, d.To, thread)
}

func applyOverdue(tx *view.Tx, rec ledger.Record, d alert.CaseOverdue) error {
	for i, to := range d.Notified {
		key := fmt.Sprintf("%s/overdue/%d/%d", rec.Subject, rec.Seq, i)
		if err := insert(tx, rec, key, Overdue, rec.Subject, to, rec.Subject); err != nil {
			return err
		}
	}
	return nil
}

// applyChanged makes the messages with the question's buttons due again.
func applyChanged(tx *view.Tx, rec ledger.Record) error {
	return tx.Exec(`UPDATE slack_message SET rev = ? WHERE about = ?`, rec.Seq, rec.Subject)
}

func placeOf(tx *view.Tx, key string) (target, thread string, err error) {
	_, err = tx.One(`SELECT target, thread FROM slack_message WHERE key = ?`, func(r view.Row) error {
		target, thread = r.Text(0), r.Text(1)
		return nil
	}, key)
	return target, thread, err
}

func applyPosted(tx *view.Tx, _ ledger.Record, d Posted) error {
	err := tx.Exec(`UPDATE slack_message SET posted = max(posted, ?), channel = ?, ts = ? WHERE key = ?`, d.Rev, d.Channel, d.TS, d.Key)
	if err != nil || d.Thread == "" || d.ThreadTS == "" {
		return err
	}
	target, _, err := placeOf(tx, d.Key)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO slack_thread (thread, target, ts) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, d.Thread, target, d.ThreadTS)
}

func applyFailed(tx *view.Tx, _ ledger.Record, d Failed) error {
	if d.Retry != nil {
		return nil
	}
	return tx.Exec(`UPDATE slack_message SET given_up = max(given_up, ?) WHERE key = ?`, d.Rev, d.Key)
}

// A Message is one that must be on Slack.
type Message struct {
	Key, Kind, About, Target, Thread string
	Source, Rev, Posted              uint64
	Due                              time.Time
	Channel, TS                      string // where an older revision is
	ThreadTS                         string
}

// Due lists messages that are not on Slack as they should be, after a place.
func Due(tx *view.Tx, afterRev uint64, afterKey string, limit int) ([]Message, error) {
	var out []Message
	err := tx.Query(`SELECT m.key, m.kind, m.about, m.target, m.thread, m.source, m.rev, m.posted, m.due, m.channel, m.ts, coalesce(t.ts, '')
		FROM slack_message m LEFT JOIN slack_thread t ON t.thread = m.thread AND t.target = m.target
		WHERE m.posted < m.rev AND m.given_up < m.rev AND (m.rev, m.key) > (?, ?) ORDER BY m.rev, m.key LIMIT ?`, func(r view.Row) error {
		out = append(out, Message{
			Key: r.Text(0), Kind: r.Text(1), About: r.Text(2), Target: r.Text(3), Thread: r.Text(4), Source: r.Uint(5), Rev: r.Uint(6),
			Posted: r.Uint(7), Due: time.UnixMicro(r.Int(8)).UTC(), Channel: r.Text(9), TS: r.Text(10), ThreadTS: r.Text(11),
		})
		return nil
	}, afterRev, afterKey, limit)
	return out, err
}

// Pending counts messages that are not on Slack as they should be, and those
// that cannot be posted.
func Pending(tx *view.Tx) (waiting, givenUp int64, err error) {
	_, err = tx.One(`SELECT count(*) FILTER (WHERE posted < rev AND given_up < rev), count(*) FILTER (WHERE given_up >= rev) FROM slack_message`, func(r view.Row) error {
		waiting, givenUp = r.Int(0), r.Int(1)
		return nil
	})
	return waiting, givenUp, err
}

// Request is the command that wants a message posted, once for each key.
func Request(q Requested, subject, actor string) sequencer.Command {
	return func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		found, err := tx.One(`SELECT 1 FROM slack_message WHERE key = ?`, nil, q.Key)
		if err != nil || found {
			return nil, err
		}
		return []ledger.Draft{{Kind: KindRequested, Subject: subject, Actor: actor, Data: q}}, nil
	}
}

// Post is the command that records where a message is.
func Post(p Posted) sequencer.Command {
	return func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: KindPosted, Subject: "slack/" + p.Key, Actor: "beffroi", Data: p}}, nil
	}
}

// Fail is the command that records why a message is not on Slack.
func Fail(f Failed) sequencer.Command {
	return func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: KindFailed, Subject: "slack/" + f.Key, Actor: "beffroi", Data: f}}, nil
	}
}
