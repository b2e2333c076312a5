// Package store is the memory of runs: which there are, where each stands, and
// what each waits for. It feeds the run machine of package playbook with the
// records that concern a run, inside the block that decides them, and turns
// what the machine wants into records.
//
// A run is the fold of its event records, so nothing about it is stored but
// them; runs that are busy are kept in memory, bounded, and built again from
// the ledger when they are not.
package store

import (
	_ "embed"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	return view.Store{Name: "run", Version: 1, Schema: schema, Apply: map[string]func(*view.Tx, ledger.Record) error{
		KindQueued:    with(applyQueued),
		KindStarted:   with(applyStarted),
		KindCancelled: with(applyAsked),
		KindRetried:   with(applyRetried),
		KindFinished:  with(applyFinished),
		KindCall:      with(applyCall),
		KindWaiting:   with(applyWaiting),
		KindDone:      with(applyDone),
		KindWoken:     with(applyWoken),
		KindWithdrawn: with(applyWithdrawn),
		KindScheduled: with(applyScheduled),
	}}
}

// with decodes the data of a record for f.
func with[T any](f func(*view.Tx, ledger.Record, T) error) func(*view.Tx, ledger.Record) error {
	return func(tx *view.Tx, rec ledger.Record) error {
		d, err := ledger.Decode[T](rec)
		if err != nil {
			return err
		}
		return f(tx, rec, d)
	}
}

const insertRun = `INSERT INTO run (id, playbook, version, state, trigger, alert, case_id, parent, concurrency, started, ended, error)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`

func applyQueued(tx *view.Tx, rec ledger.Record, d Started) error {
	return tx.Exec(insertRun, d.Run, d.Playbook, d.Version, StateQueued, d.Trigger.Kind, d.Trigger.Alert, d.Trigger.Case, d.Trigger.Run, d.Concurrency, rec.Time.UnixMicro())
}

func applyStarted(tx *view.Tx, rec ledger.Record, d Started) error {
	var err error
	if d.Run == rec.Seq {
		err = tx.Exec(insertRun, d.Run, d.Playbook, d.Version, StateRunning, d.Trigger.Kind, d.Trigger.Alert, d.Trigger.Case, d.Trigger.Run, d.Concurrency, rec.Time.UnixMicro())
	} else {
		err = tx.Exec(`UPDATE run SET state = ?, started = ? WHERE id = ?`, StateRunning, rec.Time.UnixMicro(), d.Run)
	}
	if err != nil {
		return err
	}
	return event(tx, d.Run, rec.Seq)
}

func applyAsked(tx *view.Tx, rec ledger.Record, d Asked) error { return event(tx, d.Run, rec.Seq) }

func applyRetried(tx *view.Tx, rec ledger.Record, d Asked) error {
	if err := tx.Exec(`UPDATE run SET state = ?, ended = 0, error = '' WHERE id = ?`, StateRunning, d.Run); err != nil {
		return err
	}
	return event(tx, d.Run, rec.Seq)
}

func applyFinished(tx *view.Tx, rec ledger.Record, d Finished) error {
	text := d.Message
	if d.Error != nil {
		text = d.Error.Error()
	}
	return tx.Exec(`UPDATE run SET state = ?, ended = ?, error = ? WHERE id = ?`, string(d.Status), rec.Time.UnixMicro(), text, d.Run)
}

const openStep = `INSERT INTO run_open_step (run, action, kind, seq, due, event) VALUES (?, ?, ?, ?, ?, ?)`

func applyCall(tx *view.Tx, rec ledger.Record, d Call) error {
	return tx.Exec(openStep, d.Run, d.Action, OpenCall, rec.Seq, nil, nil)
}

func applyWaiting(tx *view.Tx, rec ledger.Record, d Waiting) error {
	var due, name any
	if d.Until != nil {
		due = d.Until.UnixMicro()
	}
	if d.Event != "" {
		name = d.Event
	}
	return tx.Exec(openStep, d.Run, d.Action, d.For, rec.Seq, due, name)
}

func applyDone(tx *view.Tx, rec ledger.Record, d Done) error {
	if err := closeStep(tx, d.Run, d.Event.Action); err != nil {
		return err
	}
	return event(tx, d.Run, rec.Seq)
}

func applyWoken(tx *view.Tx, rec ledger.Record, d Action) error {
	if err := closeStep(tx, d.Run, d.Action); err != nil {
		return err
	}
	return event(tx, d.Run, rec.Seq)
}

func applyWithdrawn(tx *view.Tx, _ ledger.Record, d Action) error {
	return closeStep(tx, d.Run, d.Action)
}

func applyScheduled(tx *view.Tx, _ ledger.Record, d Scheduled) error {
	return tx.Exec(`INSERT INTO run_schedule (playbook, last) VALUES (?, ?)
		ON CONFLICT (playbook) DO UPDATE SET last = max(last, excluded.last)`, d.Playbook, d.Due.UnixMicro())
}

func closeStep(tx *view.Tx, run uint64, action string) error {
	return tx.Exec(`DELETE FROM run_open_step WHERE run = ? AND action = ?`, run, action)
}

func event(tx *view.Tx, run, seq uint64) error {
	return tx.Exec(`INSERT INTO run_event (run, seq) VALUES (?, ?)`, run, seq)
}

// States of a run; those in which it has ended are playbook.Status values.
const (
	StateQueued  = "queued"
	StateRunning = string(playbook.Running)
)
