package store

import (
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// A Summary is a run as lists show it.
type Summary struct {
	ID       uint64     `json:"id"`
	Playbook string     `json:"playbook"`
	Version  string     `json:"version"`
	State    string     `json:"state"`
	Trigger  string     `json:"trigger"`
	Alert    uint64     `json:"alert,omitempty"`
	Case     uint64     `json:"case,omitempty"`
	Parent   uint64     `json:"parent,omitempty"`
	Started  time.Time  `json:"started"`
	Ended    *time.Time `json:"ended,omitempty"`
	Error    string     `json:"error,omitempty"`
}

// A Filter chooses runs; zero fields choose all.
type Filter struct {
	Playbook string
	State    string // "open" means queued or running
	Case     uint64
	Since    time.Time
	Before   uint64 // runs with a smaller id: the cursor
	Limit    int
}

const runColumns = `id, playbook, version, state, trigger, alert, case_id, parent, started, ended, error`

func scanRun(r view.Row) Summary {
	s := Summary{
		ID: r.Uint(0), Playbook: r.Text(1), Version: r.Text(2), State: r.Text(3), Trigger: r.Text(4),
		Alert: r.Uint(5), Case: r.Uint(6), Parent: r.Uint(7), Started: time.UnixMicro(r.Int(8)).UTC(), Error: r.Text(10),
	}
	if at := r.Int(9); at > 0 {
		t := time.UnixMicro(at).UTC()
		s.Ended = &t
	}
	return s
}

// List finds runs, newest first. Each combination of filters walks an index
// backwards from the cursor and stops at the limit.
func List(tx *view.Tx, f Filter) ([]Summary, error) {
	query := `SELECT ` + runColumns + ` FROM run WHERE id < ?`
	if f.Before == 0 {
		f.Before = 1 << 62
	}
	args := []any{f.Before}
	add := func(clause string, a ...any) {
		query += " AND " + clause
		args = append(args, a...)
	}
	if f.Playbook != "" {
		add("playbook = ?", f.Playbook)
	}
	switch f.State {
	case "":
	case "open":
		add("ended = 0")
	case StateQueued, StateRunning:
		add("ended = 0 AND state = ?", f.State)
	case string(playbook.OK):
		add("state = 'ok'")
	default:
		add("ended > 0 AND state <> 'ok' AND state = ?", f.State)
	}
	if f.Case != 0 {
		add("case_id > 0 AND case_id = ?", f.Case)
	}
	if !f.Since.IsZero() {
		add("started >= ?", f.Since.UnixMicro())
	}
	query += ` ORDER BY id DESC LIMIT ?`
	args = append(args, f.Limit)
	out := []Summary{}
	err := tx.Query(query, func(r view.Row) error {
		out = append(out, scanRun(r))
		return nil
	}, args...)
	return out, err
}

// Get is one run.
func Get(tx *view.Tx, id uint64) (s Summary, err error) {
	found, err := tx.One(`SELECT `+runColumns+` FROM run WHERE id = ?`, func(r view.Row) error {
		s = scanRun(r)
		return nil
	}, id)
	if err == nil && !found {
		return s, errs.Hint(errs.NotFound, "beffroi run list shows the newest", "there is no run %d", id)
	}
	return s, err
}

// Events lists the records that a run is rebuilt from, in order.
func Events(tx *view.Tx, run uint64) ([]uint64, error) {
	var seqs []uint64
	err := tx.Query(`SELECT seq FROM run_event WHERE run = ? ORDER BY seq`, func(r view.Row) error {
		seqs = append(seqs, r.Uint(0))
		return nil
	}, run)
	return seqs, err
}

// An OpenStep is something that a run waits for.
type OpenStep struct {
	Run    uint64     `json:"run"`
	Action string     `json:"action"`
	Kind   string     `json:"kind"`
	Seq    uint64     `json:"seq"`
	Due    *time.Time `json:"due,omitempty"`
	Event  string     `json:"event,omitempty"`
}

const openColumns = `run, action, kind, seq, due, event`

func scanOpen(r view.Row) OpenStep {
	o := OpenStep{Run: r.Uint(0), Action: r.Text(1), Kind: r.Text(2), Seq: r.Uint(3), Event: r.Text(5)}
	if due := r.Int(4); due != 0 {
		t := time.UnixMicro(due).UTC()
		o.Due = &t
	}
	return o
}

func openSteps(tx *view.Tx, where string, args ...any) ([]OpenStep, error) {
	var out []OpenStep
	err := tx.Query(`SELECT `+openColumns+` FROM run_open_step WHERE `+where, func(r view.Row) error {
		out = append(out, scanOpen(r))
		return nil
	}, args...)
	return out, err
}

// Open lists what a run waits for.
func Open(tx *view.Tx, run uint64) ([]OpenStep, error) {
	return openSteps(tx, `run = ? ORDER BY seq`, run)
}

// Calls lists the calls that are to be made, oldest first, after a record.
func Calls(tx *view.Tx, after uint64, limit int) ([]OpenStep, error) {
	return openSteps(tx, `kind = 'call' AND seq > ? ORDER BY seq LIMIT ?`, after, limit)
}

// DueAt lists what is due at a time, oldest first.
func DueAt(tx *view.Tx, now time.Time, limit int) ([]OpenStep, error) {
	return openSteps(tx, `due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?`, now.UnixMicro(), limit)
}

// NextDue is when something is due next.
func NextDue(tx *view.Tx) (at time.Time, found bool, err error) {
	found, err = tx.One(`SELECT due FROM run_open_step WHERE due IS NOT NULL ORDER BY due LIMIT 1`, func(r view.Row) error {
		at = time.UnixMicro(r.Int(0)).UTC()
		return nil
	})
	return at, found, err
}

// IsOpen reports whether a call is still wanted.
func IsOpen(tx *view.Tx, run uint64, action string) (bool, error) {
	return tx.One(`SELECT 1 FROM run_open_step WHERE run = ? AND action = ?`, nil, run, action)
}

// OpenTotals counts the runs that have not ended, by state.
func OpenTotals(tx *view.Tx) (map[string]int64, error) {
	out := map[string]int64{StateQueued: 0, StateRunning: 0}
	err := tx.Query(`SELECT state, count(*) FROM run WHERE ended = 0 GROUP BY state`, func(r view.Row) error {
		out[r.Text(0)] = r.Int(1)
		return nil
	})
	return out, err
}
