// Package store is the memory of documents: which version of each is in force,
// who applied it, when and why, and every version before it. It holds the
// compiled form of all that is in force as one [Snapshot], replaced whole.
//
// A version never changes and never goes away: its text stands in the ledger.
package store

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	return view.Store{Name: "document", Version: 1, Schema: schema, Apply: map[string]func(*view.Tx, ledger.Record) error{
		KindApplied: applyApplied,
		KindRemoved: applyRemoved,
	}}
}

func applyApplied(tx *view.Tx, rec ledger.Record) error {
	var d Applied
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := tx.Exec(`INSERT INTO document_active (kind, name, version, seq) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, seq = excluded.seq`, d.Kind, d.Name, d.Version, rec.Seq); err != nil {
		return err
	}
	return insertHistory(tx, rec, Version{Kind: d.Kind, Name: d.Name, Version: d.Version, Previous: d.From, Message: d.Message, Rollback: d.Rollback}, d.More)
}

func applyRemoved(tx *view.Tx, rec ledger.Record) error {
	var d Removed
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := tx.Exec(`DELETE FROM document_active WHERE kind = ? AND name = ?`, d.Kind, d.Name); err != nil {
		return err
	}
	return insertHistory(tx, rec, Version{Kind: d.Kind, Name: d.Name, Previous: d.From, Message: d.Message}, d.More)
}

func insertHistory(tx *view.Tx, rec ledger.Record, v Version, more int) error {
	return tx.Exec(`INSERT INTO document_history (seq, kind, name, version, previous, actor, message, rollback, through, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		rec.Seq, v.Kind, v.Name, v.Version, v.Previous, rec.Actor, v.Message, v.Rollback, rec.Seq+uint64(more), rec.Time.UnixMicro())
}
