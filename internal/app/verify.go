package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// VerifyLedger recomputes the ledger of a data directory from its stored bytes,
// and checks that every payload that a record names is there and is what it was.
func VerifyLedger(ctx context.Context, data, key string) (ledger.Report, error) {
	blobs, err := blob.Open(blob.Config{Dir: filepath.Join(data, "blobs"), ReadOnly: true})
	if err != nil {
		return ledger.Report{}, err
	}
	seen := map[string]bool{}
	return ledger.Verify(ledger.VerifyConfig{Dir: filepath.Join(data, "ledger"), Key: key, Each: func(rec ledger.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var all error
		for _, name := range blobNames(rec.Data) {
			if seen[name] {
				continue
			}
			seen[name] = true
			if _, err := blobs.Get(name); err != nil {
				all = errors.Join(all, fmt.Errorf("record %d: %w", rec.Seq, err))
			}
		}
		return all
	}})
}

// blobNames finds the names of payloads in the data of a record.
func blobNames(data []byte) []string {
	const prefix = `"sha256:`
	var names []string
	for i := 0; i+len(prefix)+64 < len(data); i++ {
		if data[i] != '"' || string(data[i:i+len(prefix)]) != prefix {
			continue
		}
		var name string
		end := i + len(prefix) + 65
		if data[end-1] == '"' && json.Unmarshal(data[i:end], &name) == nil && blobKey(data[:i]) {
			names = append(names, name)
		}
		i = end - 1
	}
	return names
}

// blobKey reports whether what stands before a value is a key of ours for a
// payload: blob, raw_blob. Alerts hold hashes of their own.
func blobKey(before []byte) bool {
	for _, key := range []string{`"blob":`, `"raw_blob":`} {
		if n := len(before) - len(key); n >= 0 && string(before[n:]) == key {
			return true
		}
	}
	return false
}

// VerifyView rebuilds the view of a data directory and compares the two. A node
// may be running on it.
func VerifyView(ctx context.Context, data string) (err error) {
	var log *ledger.Log
	defer func() {
		if log != nil {
			err = errors.Join(err, log.Close())
		}
	}()
	c := view.Config{Dir: filepath.Join(data, "view"), Stores: stores(), Log: slog.New(slog.DiscardHandler)}
	return view.Check(ctx, c, func() (view.Source, error) {
		log, err = ledger.Open(ledger.Config{Dir: filepath.Join(data, "ledger"), ReadOnly: true})
		return log, err
	})
}
