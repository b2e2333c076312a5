package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// begin returns the record that starts a run, or has it wait its turn, or says
// why it does not start. It will stand after the drafts ahead of it, of which
// the first will be number tx.Next().
func (r *Runs) begin(tx *view.Tx, def *playbook.Playbook, s Started, ahead []ledger.Draft, actor string) (ledger.Draft, error) {
	seq := tx.Next() + uint64(len(ahead))
	s.Run, s.Playbook, s.Version, s.Concurrency = seq, def.Name, def.Version, ""
	d := ledger.Draft{Kind: KindStarted, Subject: runName(seq), Actor: actor, Data: s}
	slot, limited, err := r.slot(tx, def, s)
	if errors.As(err, new(keyError)) {
		return r.dropped(def, s.Trigger, err.Error(), actor), nil
	}
	if err != nil || !limited {
		return d, err
	}
	s.Concurrency = slot.Key
	d.Data = s
	busy, queued, err := r.busy(tx, def.Name, slot.Key, ahead)
	switch {
	case err != nil:
		return d, err
	case busy < slot.Max && queued == 0:
	case slot.Drop:
		return r.dropped(def, s.Trigger, fmt.Sprintf("%d runs with the key %q go on", busy, slot.Key), actor), nil
	default:
		d.Kind = KindQueued
	}
	return d, nil
}

// keyError says that the concurrency key of a run could not be computed.
type keyError struct{ error }

func (e keyError) Error() string { return "its concurrency key failed: " + e.error.Error() }
func (e keyError) Unwrap() error { return e.error }

// slot is the place that a run needs, if it needs one.
func (r *Runs) slot(tx *view.Tx, def *playbook.Playbook, s Started) (playbook.Slot, bool, error) {
	in, err := r.init(tx, s)
	if err != nil {
		return playbook.Slot{}, false, err
	}
	slot, limited, err := def.Slot(in, time.Time{})
	if err != nil {
		return slot, false, keyError{err}
	}
	return slot, limited, nil
}

// busy counts the runs of a concurrency key that go on and that wait, with
// those that drafts are about to begin.
func (r *Runs) busy(tx *view.Tx, name, key string, ahead []ledger.Draft) (running, queued int, err error) {
	err = tx.Query(`SELECT state = 'queued', count(*) FROM run WHERE playbook = ? AND concurrency = ? AND ended = 0 AND concurrency <> '' GROUP BY 1`, func(row view.Row) error {
		if row.Bool(0) {
			queued = int(row.Int(1))
		} else {
			running = int(row.Int(1))
		}
		return nil
	}, name, key)
	for _, d := range ahead {
		s, ok := d.Data.(Started)
		switch {
		case !ok || s.Playbook != name || s.Concurrency != key:
		case d.Kind == KindQueued:
			queued++
		default:
			running++
		}
	}
	return running, queued, err
}

// nextQueued starts the runs that have waited longest, as many as there are
// places: a run that was retried, or a new version of the playbook, may have
// changed how many that is.
func (r *Runs) nextQueued(tx *view.Tx, name, key string) ([]ledger.Draft, error) {
	var ids []uint64
	err := tx.Query(`SELECT id FROM run WHERE playbook = ? AND concurrency = ? AND ended = 0 AND concurrency <> '' AND state = 'queued' ORDER BY id LIMIT ?`, func(row view.Row) error {
		ids = append(ids, row.Uint(0))
		return nil
	}, name, key, maxAtOnce)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	running, _, err := r.busy(tx, name, key, nil)
	if err != nil {
		return nil, err
	}
	var out []ledger.Draft
	for _, id := range ids {
		s, err := startedOf(tx, id)
		if err != nil {
			return nil, err
		}
		def, err := r.c.Playbooks.Version(tx, s.Playbook, s.Version)
		if err != nil {
			return nil, fmt.Errorf("playbook of run %d: %w", id, err)
		}
		slot, _, err := r.slot(tx, def, s)
		if err != nil {
			return nil, err
		}
		if running+len(out) >= slot.Max {
			break
		}
		out = append(out, ledger.Draft{Kind: KindStarted, Subject: runName(id), Actor: "beffroi", Data: s})
	}
	return out, nil
}

// maxAtOnce bounds how many runs that wait are started at once.
const maxAtOnce = 100

// startedOf reads what a run was begun with: its first record has its number.
func startedOf(tx *view.Tx, id uint64) (Started, error) {
	rec, err := tx.Record(id)
	if err != nil {
		return Started{}, err
	}
	var s Started
	if err := json.Unmarshal(rec.Data, &s); err != nil {
		return s, fmt.Errorf("decode start of run %d: %w", id, err)
	}
	return s, nil
}
