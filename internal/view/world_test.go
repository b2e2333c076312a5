package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// start is the time of the first record of every test.
var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// put and take are the records of the tests' store: of things on a shelf.
type thing struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

const shelfSchema = `
	CREATE TABLE shelf (name TEXT PRIMARY KEY, count INTEGER NOT NULL, seq INTEGER NOT NULL, last BLOB NOT NULL) STRICT, WITHOUT ROWID;
	CREATE INDEX shelf_count ON shelf (count);
	CREATE TABLE shelf_log (name TEXT NOT NULL, time INTEGER NOT NULL, gone INTEGER) STRICT;`

func shelf() view.Store {
	return view.Store{
		Name: "shelf", Version: 1, Schema: shelfSchema,
		Apply: map[string]func(*view.Tx, ledger.Record) error{"thing.put": put, "thing.taken": take},
	}
}

func put(tx *view.Tx, rec ledger.Record) error {
	var d thing
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return err
	}
	err := tx.Exec(`INSERT INTO shelf (name, count, seq, last) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET count = count + excluded.count, seq = excluded.seq, last = excluded.last`,
		d.Name, d.Count, rec.Seq, []byte(rec.Data))
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO shelf_log (name, time, gone) VALUES (?, ?, ?)`, d.Name, rec.Time.UnixMicro(), nil)
}

// take refuses what is not there: a record that cannot be applied.
func take(tx *view.Tx, rec ledger.Record) error {
	var d thing
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return err
	}
	found, err := tx.One(`DELETE FROM shelf WHERE name = ? RETURNING seq`, nil, d.Name)
	if err == nil && !found {
		return fmt.Errorf("there is no %s", d.Name)
	}
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO shelf_log (name, time, gone) VALUES (?, ?, ?)`, d.Name, rec.Time.UnixMicro(), true)
}

// A world is a ledger and a view of it, in directories of their own.
type world struct {
	testing.TB
	dir    string
	log    *ledger.Log
	stores []view.Store
	said   bytes.Buffer
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, dir: t.TempDir(), stores: []view.Store{shelf()}}
	w.log = openLedger(t, filepath.Join(w.dir, "ledger"))
	return w
}

func openLedger(t testing.TB, dir string) *ledger.Log {
	t.Helper()
	log, err := ledger.Open(ledger.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

func (w *world) config() view.Config {
	return view.Config{Dir: filepath.Join(w.dir, "view"), Stores: w.stores, Source: w.log, Log: slog.New(slog.NewTextHandler(&w.said, nil))}
}

func (w *world) open() *view.View {
	w.Helper()
	v, err := view.Open(w.Context(), w.config())
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w *world) close(v *view.View) {
	w.Helper()
	if err := v.Close(); err != nil {
		w.Fatal(err)
	}
}

// file is the path of the view's file.
func (w *world) file() string { return filepath.Join(w.dir, "view", "view.db") }

// record is the next record of a Tx.
func record(tx *view.Tx, kind, name string, count int64) (ledger.Record, []byte) {
	data, err := json.Marshal(thing{name, count})
	if err != nil {
		panic(err)
	}
	rec := ledger.Record{Seq: tx.Next(), Time: start.Add(time.Duration(tx.Next()) * time.Second), Kind: kind, Subject: "shelf", Actor: "test", Data: data}
	line, err := ledger.Encode(rec)
	if err != nil {
		panic(err)
	}
	return rec, line
}

func begin(t testing.TB, v *view.View) *view.Tx {
	t.Helper()
	tx, err := v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func apply(t testing.TB, tx *view.Tx, kind, name string, count int64) {
	t.Helper()
	if err := tx.Apply(record(tx, kind, name, count)); err != nil {
		t.Fatal(err)
	}
}

// block makes one block of things that are put on the shelf.
func (w *world) block(v *view.View, names ...string) {
	w.Helper()
	tx := begin(w, v)
	for _, name := range names {
		apply(w, tx, "thing.put", name, 1)
	}
	w.commit(tx)
}

// commit makes a block durable and visible.
func (w *world) commit(tx *view.Tx) {
	w.Helper()
	if err := w.log.Append(w.Context(), tx.Lines()); err != nil {
		w.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		w.Fatal(err)
	}
}

// rows shows what a Tx sees.
func rows(t testing.TB, tx *view.Tx) []string {
	t.Helper()
	out := []string{}
	err := tx.Query(`SELECT name, count, seq, last FROM shelf ORDER BY name`, func(r view.Row) error {
		out = append(out, fmt.Sprintf("%s %d seq %d %s", r.Text(0), r.Int(1), r.Uint(2), r.Bytes(3)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tx.Query(`SELECT name, time, gone FROM shelf_log ORDER BY rowid`, func(r view.Row) error {
		out = append(out, fmt.Sprintf("%s %s gone %t", r.Text(0), time.UnixMicro(r.Int(1)).UTC().Format(time.TimeOnly), r.Bool(2)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func visible(t testing.TB, v *view.View) (out []string) {
	t.Helper()
	err := v.Read(t.Context(), func(tx *view.Tx) error {
		out = rows(t, tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) check() error {
	return view.Check(w.Context(), w.config(), func() (view.Source, error) { return w.log, nil })
}

// copyUnclean copies a view that is in use, as a dead process would leave it.
func (w *world) copyUnclean() map[string][]byte {
	w.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"view.db", "view.db-wal"} {
		b, err := os.ReadFile(filepath.Join(w.dir, "view", name))
		if err != nil {
			w.Fatal(err)
		}
		files[name] = b
	}
	return files
}

func (w *world) restore(files map[string][]byte) {
	w.Helper()
	if err := view.Drop(filepath.Join(w.dir, "view")); err != nil {
		w.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(w.dir, "view", name), b, 0o600); err != nil {
			w.Fatal(err)
		}
	}
}

// sql changes a closed view behind its back.
func (w *world) sql(script string) {
	w.Helper()
	conn, err := sqlite.OpenConn(w.file(), sqlite.OpenReadWrite)
	if err != nil {
		w.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close()); err != nil {
		w.Fatal(err)
	}
}

func clone(files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, b := range files {
		out[name] = bytes.Clone(b)
	}
	return out
}
