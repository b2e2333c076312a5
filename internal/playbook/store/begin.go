package store

import (
	"encoding/json"
	"fmt"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// begin returns the record that starts a run, or has it wait its turn, or says
// why it does not start. The record will be number seq.
func (r *Runs) begin(tx *view.Tx, def *playbook.Playbook, s Started, seq uint64, actor string) ([]ledger.Draft, error) {
	s.Run, s.Playbook, s.Version = seq, def.Name, def.Version
	in, err := r.init(tx, s)
	if err != nil {
		return nil, err
	}
	d := ledger.Draft{Kind: KindStarted, Subject: runName(seq), Actor: actor, Data: s}
	slot, limited, err := def.Slot(in, time.Time{})
	if err != nil {
		return []ledger.Draft{r.dropped(def, s.Trigger, "its concurrency key failed: "+err.Error(), actor)}, nil
	}
	if !limited {
		return []ledger.Draft{d}, nil
	}
	s.Concurrency = slot.Key
	d.Data = s
	busy, queued, err := r.busy(tx, def.Name, slot.Key)
	switch {
	case err != nil:
		return nil, err
	case busy < slot.Max && queued == 0:
	case slot.Drop:
		return []ledger.Draft{r.dropped(def, s.Trigger, fmt.Sprintf("%d runs with the key %q go on", busy, slot.Key), actor)}, nil
	default:
		d.Kind = KindQueued
	}
	return []ledger.Draft{d}, nil
}

// busy counts the runs of a concurrency key that go on and that wait.
func (r *Runs) busy(tx *view.Tx, name, key string) (running, queued int, err error) {
	err = tx.Query(`SELECT state = 'queued', count(*) FROM run WHERE playbook = ? AND concurrency = ? AND ended = 0 AND concurrency <> '' GROUP BY 1`, func(row view.Row) error {
		if row.Bool(0) {
			queued = int(row.Int(1))
		} else {
			running = int(row.Int(1))
		}
		return nil
	}, name, key)
	return running, queued, err
}

// nextQueued starts the run that has waited longest for a place.
func (r *Runs) nextQueued(tx *view.Tx, name, key string) ([]ledger.Draft, error) {
	var id uint64
	found, err := tx.One(`SELECT id FROM run WHERE playbook = ? AND concurrency = ? AND ended = 0 AND concurrency <> '' AND state = 'queued' ORDER BY id LIMIT 1`, func(row view.Row) error {
		id = row.Uint(0)
		return nil
	}, name, key)
	if err != nil || !found {
		return nil, err
	}
	s, err := startedOf(tx, id)
	if err != nil {
		return nil, err
	}
	return []ledger.Draft{{Kind: KindStarted, Subject: runName(id), Actor: "beffroi", Data: s}}, nil
}

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
