// Package store is the memory of questions: where each stands and what is due
// for it. Its commands load a question, let package ask decide, and return the
// records.
package store

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	apply := map[string]func(*view.Tx, ledger.Record) error{ask.KindAsked: applyAsked}
	for _, kind := range []string{ask.KindAnswered, ask.KindRefused, ask.KindReminded, ask.KindEscalated, ask.KindExpired, ask.KindWithdrawn} {
		apply[kind] = applyChange
	}
	return view.Store{Name: "ask", Version: 1, Schema: schema, Apply: apply}
}

func applyAsked(tx *view.Tx, rec ledger.Record) error {
	s, err := ask.Apply(ask.State{}, rec.Kind, rec.Data, rec.Time)
	if err != nil {
		return err
	}
	state, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return tx.Exec(`INSERT INTO ask (id, run, action, case_id, status, asked, ended, changed, next, state) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
		rec.Seq, s.Question.Run, s.Question.Action, s.Question.Case, string(s.Status), rec.Time.UnixMicro(), rec.Seq, next(s), string(state))
}

func applyChange(tx *view.Tx, rec ledger.Record) error {
	id, err := ID(rec.Subject)
	if err != nil {
		return err
	}
	q, err := Get(tx, id)
	if err != nil {
		return err
	}
	s, err := ask.Apply(q.State, rec.Kind, rec.Data, rec.Time)
	if err != nil {
		return err
	}
	state, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	var ended int64
	if s.Status != ask.Open {
		ended = s.EndedAt.UnixMicro()
	}
	return tx.Exec(`UPDATE ask SET status = ?, ended = ?, changed = ?, next = ?, state = ? WHERE id = ?`,
		string(s.Status), ended, rec.Seq, next(s), string(state), id)
}

func next(s ask.State) any {
	if at, ok := s.Next(); ok {
		return at.UnixMicro()
	}
	return nil
}

// Subject is the subject of records about question id.
func Subject(id uint64) string { return "ask/" + strconv.FormatUint(id, 10) }

// ID reads a subject such as ask/1050.
func ID(subject string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(subject, "ask/"), 10, 63)
	if err != nil || !strings.HasPrefix(subject, "ask/") {
		return 0, errs.E(errs.Invalid, "%q is no question: it looks like ask/1050", subject)
	}
	return n, nil
}

// A Question is a question and where it stands.
type Question struct {
	ID      uint64 `json:"id"`
	Changed uint64 `json:"changed"` // the newest record about it
	ask.State
}

const columns = `id, changed, state`

func scan(r view.Row) (Question, error) {
	q := Question{ID: r.Uint(0), Changed: r.Uint(1)}
	if err := json.Unmarshal([]byte(r.Text(2)), &q.State); err != nil {
		return q, fmt.Errorf("decode question %d: %w", q.ID, err)
	}
	return q, nil
}

// Get is one question.
func Get(tx *view.Tx, id uint64) (q Question, err error) {
	found, err := tx.One(`SELECT `+columns+` FROM ask WHERE id = ?`, func(r view.Row) error {
		q, err = scan(r)
		return err
	}, id)
	if err == nil && !found {
		return q, errs.E(errs.NotFound, "there is no question %d", id)
	}
	return q, err
}

// A Filter chooses questions; zero fields choose all.
type Filter struct {
	Open   bool
	Case   string // case/1041
	Run    string // run/1043
	Before uint64 // the cursor: questions with a smaller id
	Limit  int
}

// List finds questions, newest first.
func List(tx *view.Tx, f Filter) ([]Question, error) {
	if f.Before == 0 {
		f.Before = 1 << 62
	}
	query, args := `SELECT `+columns+` FROM ask WHERE id < ?`, []any{f.Before}
	if f.Open {
		query += ` AND ended = 0`
	}
	if f.Case != "" {
		query, args = query+` AND case_id <> '' AND case_id = ?`, append(args, f.Case)
	}
	if f.Run != "" {
		query, args = query+` AND run = ?`, append(args, f.Run)
	}
	out := []Question{}
	err := tx.Query(query+` ORDER BY id DESC LIMIT ?`, func(r view.Row) error {
		q, err := scan(r)
		out = append(out, q)
		return err
	}, append(args, f.Limit)...)
	return out, err
}

// DueAt lists the questions for which something is due, the longest due first.
func DueAt(tx *view.Tx, now time.Time, limit int) ([]uint64, error) {
	var ids []uint64
	err := tx.Query(`SELECT id FROM ask WHERE next IS NOT NULL AND next <= ? ORDER BY next LIMIT ?`, func(r view.Row) error {
		ids = append(ids, r.Uint(0))
		return nil
	}, now.UnixMicro(), limit)
	return ids, err
}

// NextDue is when something is due next.
func NextDue(tx *view.Tx) (at time.Time, found bool, err error) {
	found, err = tx.One(`SELECT next FROM ask WHERE next IS NOT NULL ORDER BY next LIMIT 1`, func(r view.Row) error {
		at = time.UnixMicro(r.Int(0)).UTC()
		return nil
	})
	return at, found, err
}
