package view_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// hash is the hex SHA-256 of a record's line, as view_meta holds it.
func hash(t testing.TB, log *ledger.Log, seq uint64) string {
	t.Helper()
	line, err := log.Read(seq)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

func TestRowsAreWhatWasBound(t *testing.T) {
	w := newWorld(t)
	w.stores = []view.Store{{Name: "any", Schema: `CREATE TABLE any_value (id INTEGER PRIMARY KEY, v ANY) STRICT;`}}
	v := w.open()
	defer w.close(v)
	tx := begin(t, v)
	for i, a := range []any{nil, -7, int64(-8), uint64(1) << 62, true, "Zoë\x00x", []byte{0, 1, 2}, "", []byte{}} {
		if err := tx.Exec(`INSERT INTO any_value (id, v) VALUES (?, ?)`, i, a); err != nil {
			t.Fatal(err)
		}
	}
	get := func(i int, f func(view.Row) any) (out any) {
		if found, err := tx.One(`SELECT v FROM any_value WHERE id = ?`, func(r view.Row) error { out = f(r); return nil }, i); err != nil || !found {
			t.Fatalf("row %d: found %t, %v", i, found, err)
		}
		return out
	}
	integer := func(r view.Row) any { return r.Int(0) }
	for _, tt := range []struct {
		row  int
		get  func(view.Row) any
		want any
	}{
		{0, integer, int64(0)},
		{0, func(r view.Row) any { return r.Text(0) }, ""},
		{0, func(r view.Row) any { return r.Bool(0) }, false},
		{0, func(r view.Row) any { return r.Bytes(0) }, []byte{}},
		{1, integer, int64(-7)},
		{2, integer, int64(-8)},
		{3, func(r view.Row) any { return r.Uint(0) }, uint64(1) << 62},
		{4, func(r view.Row) any { return r.Bool(0) }, true},
		{5, func(r view.Row) any { return r.Text(0) }, "Zoë\x00x"},
		{6, func(r view.Row) any { return r.Bytes(0) }, []byte{0, 1, 2}},
		{7, func(r view.Row) any { return r.Text(0) }, ""},
		{8, func(r view.Row) any { return r.Bytes(0) }, []byte{}},
	} {
		if diff := cmp.Diff(tt.want, get(tt.row, tt.get)); diff != "" {
			t.Errorf("row %d:\n%s", tt.row, diff)
		}
	}
	if found, err := tx.One(`SELECT v FROM any_value WHERE id = 99`, nil); found || err != nil {
		t.Errorf("a row that is not there: found %t, %v", found, err)
	}
	mustPanic(t, "internal error: a struct {} cannot be bound", func() { _ = tx.Exec(`SELECT ?`, struct{}{}) })
	if err := tx.Rollback(); err != nil { // no statement is left open
		t.Fatal(err)
	}
}

// A callback may run any query, the very one whose rows it is given too.
func TestQueriesNest(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "a", "b", "c")
	const query = `SELECT name FROM shelf WHERE name > ? ORDER BY name`
	var seen []string
	var walk func(tx *view.Tx, after string) error
	walk = func(tx *view.Tx, after string) error {
		return tx.Query(query, func(r view.Row) error {
			seen = append(seen, after+">"+r.Text(0))
			return walk(tx, r.Text(0))
		}, after)
	}
	if err := v.Read(t.Context(), func(tx *view.Tx) error { return walk(tx, "") }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{">a", "a>b", "b>c", "a>c", ">b", "b>c", ">c"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestQueryErrors(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "a")
	stop := errors.New("stop")
	err := v.Read(t.Context(), func(tx *view.Tx) error {
		if err := tx.Query(`SELECT name FROM shelf`, func(view.Row) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("error %v", err)
		}
		if err := tx.Exec(`SELECT nonsense`); err == nil || view.Failed(err) {
			t.Errorf("error %v, failed %t", err, view.Failed(err))
		}
		return tx.Exec(`DELETE FROM shelf`)
	})
	if err == nil {
		t.Error("a reader wrote")
	}
	mustPanic(t, "internal error: a reader asks for the next sequence number", func() {
		_ = v.Read(t.Context(), func(tx *view.Tx) error { tx.Next(); return nil })
	})
	w.block(v, "b") // the reader that panicked was given back
	if got := visible(t, v); len(got) != 4 {
		t.Errorf("rows %v", got)
	}
}

// Try takes back what failed: rows, records and numbers. The rest of the block
// stays.
func TestTry(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "lamp")
	tx := begin(t, v)
	apply(t, tx, "thing.put", "rope", 1)
	failed := errors.New("not today")
	err := tx.Try(func() error {
		apply(t, tx, "thing.put", "bell", 1)
		if rec, err := tx.Record(2); err != nil || rec.Kind != "thing.put" {
			t.Errorf("record 2: %v, %v", rec, err)
		}
		return tx.Try(func() error { return failed })
	})
	if !errors.Is(err, failed) || view.Failed(err) {
		t.Errorf("error %v", err)
	}
	if err := tx.Try(func() error { apply(t, tx, "thing.put", "key", 1); return nil }); err != nil {
		t.Error(err)
	}
	if tx.Next() != 3 || len(tx.Lines()) != 2 {
		t.Errorf("next %d, %d lines", tx.Next(), len(tx.Lines()))
	}
	want := rows(t, tx)
	w.commit(tx)
	if diff := cmp.Diff(want, visible(t, v)); diff != "" || len(want) != 6 {
		t.Errorf("rows %v, differ:\n%s", want, diff)
	}
}

func TestRecord(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "lamp", "rope")
	tx := begin(t, v)
	apply(t, tx, "thing.put", "bell", 1)
	see := func(tx *view.Tx) []string {
		var out []string
		for seq := range uint64(4) {
			rec, err := tx.Record(seq)
			if errs.KindOf(err) == errs.NotFound {
				out = append(out, "none")
			} else if err != nil {
				t.Error(err)
			} else {
				out = append(out, fmt.Sprintf("%d %s", rec.Seq, rec.Data))
			}
		}
		return out
	}
	durable := []string{`0 {"name":"lamp","count":1}`, `1 {"name":"rope","count":1}`}
	if diff := cmp.Diff(append(durable, `2 {"name":"bell","count":1}`, "none"), see(tx)); diff != "" {
		t.Errorf("the writer:\n%s", diff)
	}
	if err := v.Read(t.Context(), func(r *view.Tx) error {
		if diff := cmp.Diff(append(durable, "none", "none"), see(r)); diff != "" {
			t.Errorf("a reader:\n%s", diff)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if rec, line := record(tx, "thing.put", "x", 1); true {
		rec.Seq = 7
		if err := tx.Apply(rec, line); err == nil {
			t.Error("a record was applied out of its place")
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err == nil {
		t.Error("a transaction ended twice")
	}
	if err := tx.Exec(`SELECT 1`); err == nil {
		t.Error("a transaction was used after its end")
	}
	if err := tx.Commit(); err == nil {
		t.Error("a transaction was committed after its end")
	}
	// SQLite ends a transaction by itself when the disk fails.
	tx = begin(t, v)
	apply(t, tx, "thing.put", "map", 1)
	if err := tx.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("a transaction that SQLite ended was committed")
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}
