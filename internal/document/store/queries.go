package store

import (
	"encoding/json"
	"fmt"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/view"
)

// A Version is one change of one document, with the record that proves it.
type Version struct {
	Seq      uint64    `json:"seq"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Version  string    `json:"version"` // empty when the change removed the document
	Previous string    `json:"previous,omitempty"`
	Actor    string    `json:"actor"`
	Message  string    `json:"message,omitempty"`
	Rollback bool      `json:"rollback,omitempty"`
	Time     time.Time `json:"time"`
}

// History lists the changes of a document, newest first.
func History(tx *view.Tx, id document.ID, limit int) ([]Version, error) {
	var out []Version
	err := tx.Query(`SELECT seq, version, previous, actor, message, rollback, time FROM document_history
		WHERE kind = ? AND name = ? ORDER BY seq DESC LIMIT ?`, func(r view.Row) error {
		out = append(out, Version{
			Seq: r.Uint(0), Kind: id.Kind, Name: id.Name, Version: r.Text(1), Previous: r.Text(2),
			Actor: r.Text(3), Message: r.Text(4), Rollback: r.Bool(5), Time: time.UnixMicro(r.Int(6)).UTC(),
		})
		return nil
	}, id.Kind, id.Name, limit)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errs.Hint(errs.NotFound, "beffroi history lists the names of a kind", "there is no document %s", id)
	}
	return out, nil
}

// versionAt finds the newest record that put the version in force; a prefix of
// the version of at least six digits will do. through is the last record of
// the apply that it was part of.
func versionAt(tx *view.Tx, id document.ID, version string) (seq, through uint64, err error) {
	if len(version) < 6 {
		return 0, 0, errs.E(errs.Invalid, "version %q is too short: give at least its first six digits", version)
	}
	found, err := tx.One(`SELECT seq, through FROM document_history
		WHERE kind = ? AND name = ? AND substr(version, 1, ?) = ? ORDER BY seq DESC LIMIT 1`, func(r view.Row) error {
		seq, through = r.Uint(0), r.Uint(1)
		return nil
	}, id.Kind, id.Name, len(version), version)
	if err != nil {
		return 0, 0, err
	}
	if !found {
		return 0, 0, errs.Hint(errs.NotFound, "beffroi history "+id.String()+" lists them", "%s has no version %s", id, version)
	}
	return seq, through, nil
}

// activeAt lists the records that hold the documents in force after record seq.
func activeAt(tx *view.Tx, seq uint64) ([]uint64, error) {
	var seqs []uint64
	err := tx.Query(`SELECT max(seq), version FROM document_history WHERE seq <= ? GROUP BY kind, name`, func(r view.Row) error {
		if r.Text(1) != "" {
			seqs = append(seqs, r.Uint(0))
		}
		return nil
	}, seq)
	return seqs, err
}

func active(tx *view.Tx) ([]uint64, error) {
	var seqs []uint64
	err := tx.Query(`SELECT seq FROM document_active`, func(r view.Row) error {
		seqs = append(seqs, r.Uint(0))
		return nil
	})
	return seqs, err
}

// load reads the document that a document.applied record holds.
func load(tx *view.Tx, blobs Blobs, seq uint64) (document.Document, error) {
	rec, err := tx.Record(seq)
	if err != nil {
		return document.Document{}, err
	}
	var d Applied
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return document.Document{}, fmt.Errorf("decode record %d: %w", seq, err)
	}
	text := []byte(d.Text)
	if d.Blob != "" {
		if text, err = blobs.Get(d.Blob); err != nil {
			return document.Document{}, fmt.Errorf("text of %s/%s: %w", d.Kind, d.Name, err)
		}
	}
	doc, err := document.FromText(d.Kind+"/"+d.Name+".yaml", text)
	if err != nil {
		return document.Document{}, fmt.Errorf("stored text of %s/%s: %w", d.Kind, d.Name, err)
	}
	return doc, nil
}
