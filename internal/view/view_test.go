package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// A replay of the ledger, in other blocks than those that were live, gives the
// same rows.
func TestReplayIsLiveApplication(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same test every time
	names := strings.Fields("lamp rope bell key map book")
	on := map[string]bool{}
	for range 60 {
		tx := begin(t, v)
		for range r.IntN(100) {
			name := names[r.IntN(len(names))]
			kind := "thing.put"
			if on[name] && r.IntN(3) == 0 {
				kind = "thing.taken"
			}
			on[name] = kind == "thing.put"
			apply(t, tx, kind, name, r.Int64N(9))
			if r.IntN(10) == 0 { // what was tried and taken back leaves nothing
				if err := tx.Try(func() error { return tx.Apply(record(tx, "thing.taken", "nothing", 0)) }); err == nil {
					t.Fatal("nothing was taken")
				}
			}
		}
		apply(t, tx, "unknown.kind", "x", 1)
		if r.IntN(5) == 0 {
			clear(on)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			tx = begin(t, v)
			if err := tx.Query(`SELECT name FROM shelf`, func(r view.Row) error { on[r.Text(0)] = true; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		w.commit(tx)
	}
	live := visible(t, v)
	w.close(v)
	if err := w.check(); err != nil {
		t.Errorf("check: %v", err)
	}

	if err := view.Drop(filepath.Join(w.dir, "view")); err != nil {
		t.Fatal(err)
	}
	v = w.open()
	defer w.close(v)
	if diff := cmp.Diff(live, visible(t, v)); diff != "" {
		t.Errorf("replay differs from live application (-live +replay):\n%s", diff)
	}
	if v.Replayed() != w.log.Size() || v.Applied() != w.log.Size() {
		t.Errorf("replayed %d, applied %d, the ledger has %d", v.Replayed(), v.Applied(), w.log.Size())
	}
}

// A view that was closed is kept: only what came since is applied.
func TestOpenAppliesWhatCameSince(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	w.block(v, "lamp", "rope")
	w.close(v)
	line := func(seq uint64) []byte {
		b, err := ledger.Encode(ledger.Record{Seq: seq, Time: start, Kind: "thing.put", Subject: "shelf", Actor: "test", Data: []byte(`{"name":"bell","count":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := w.log.Append(t.Context(), [][]byte{line(2), line(3)}); err != nil {
		t.Fatal(err)
	}
	v = w.open()
	defer w.close(v)
	if v.Replayed() != 2 || v.Applied() != 4 {
		t.Errorf("replayed %d, applied %d", v.Replayed(), v.Applied())
	}
	if w.said.Len() > 0 {
		t.Errorf("nothing was to be said: %s", &w.said)
	}
}

func TestReadersSeeWholeBlocksOnly(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "lamp")
	before := visible(t, v)

	err := v.Read(t.Context(), func(old *view.Tx) error {
		rows(t, old)
		tx := begin(t, v)
		apply(t, tx, "thing.put", "rope", 1)
		if got := rows(t, tx); len(got) != 4 {
			t.Errorf("the writer does not see its own block: %v", got)
		}
		if diff := cmp.Diff(before, visible(t, v)); diff != "" {
			t.Errorf("a reader sees a block that is not committed:\n%s", diff)
		}
		w.commit(tx)
		if diff := cmp.Diff(before, rows(t, old)); diff != "" {
			t.Errorf("a snapshot changed:\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := visible(t, v); len(got) != 4 {
		t.Errorf("the block is not visible: %v", got)
	}
	if tx := begin(t, v); true {
		apply(t, tx, "thing.put", "bell", 1)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	if got := visible(t, v); len(got) != 4 || v.Applied() != 2 {
		t.Errorf("a block that was rolled back is visible: %v", got)
	}
}

// Whatever happened to the file, Open gives the view of the ledger, and says
// that it had to build it anew, and why.
func TestRebuilt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, w *world)
		reason string // part of the log line; empty: not rebuilt
	}{
		{"untouched", func(*testing.T, *world) {}, ""},
		{"missing", func(t *testing.T, w *world) { w.restore(nil) }, ""},
		{"empty", func(t *testing.T, w *world) { w.restore(map[string][]byte{"view.db": nil}) }, ""},
		{"died while it was built", func(t *testing.T, w *world) {
			w.restore(map[string][]byte{"view.db.new": []byte("SQLite format 3\x00 and then nothing")})
		}, ""},
		{"half made", func(t *testing.T, w *world) {
			w.restore(map[string][]byte{"view.db": nil})
			w.sql(shelfSchema)
		}, "another version"},
		{"other store version", func(t *testing.T, w *world) { w.stores[0].Version++ }, "another version"},
		{"other schema", func(t *testing.T, w *world) { w.stores[0].Schema += " CREATE TABLE shelf_more (a TEXT) STRICT;" }, "another version"},
		{"one store more", func(t *testing.T, w *world) {
			w.stores = append(w.stores, view.Store{Name: "more", Schema: "CREATE TABLE more (a TEXT) STRICT;"})
		}, "another version"},
		{"other format", func(t *testing.T, w *world) { w.sql("PRAGMA user_version = 1") }, "another version"},
		{"header gone", func(t *testing.T, w *world) { w.sql("DELETE FROM view_meta") }, "another version"},
		{"header table gone", func(t *testing.T, w *world) { w.sql("DROP TABLE view_meta") }, "no such table"},
		{"ahead of the ledger", func(t *testing.T, w *world) { w.sql("UPDATE view_meta SET applied = 99") }, "99 records applied, the ledger has 3"},
		{"of another ledger", func(t *testing.T, w *world) {
			w.log = openLedger(t, t.TempDir())
			v, err := view.Open(t.Context(), view.Config{Dir: t.TempDir(), Stores: w.stores, Source: w.log})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close(v)
			w.block(v, "other", "things", "here")
		}, "record 2 is another one in the ledger"},
		{"not a database", func(t *testing.T, w *world) {
			w.restore(map[string][]byte{"view.db": bytes.Repeat([]byte("\x01\x00"), 4000)})
		}, "not a database"},
		{"of a format to come", func(t *testing.T, w *world) {
			b, err := os.ReadFile(w.file())
			if err != nil {
				t.Fatal(err)
			}
			b[18] ^= 0x40
			w.restore(map[string][]byte{"view.db": b})
			var damage *view.DamageError
			if err := w.check(); !errors.As(err, &damage) {
				t.Errorf("the check says %v", err)
			}
		}, "the head of the file names format 66, 2"},
		{"cut short", func(t *testing.T, w *world) {
			if err := os.Truncate(w.file(), 5000); err != nil {
				t.Fatal(err)
			}
			w.sql("PRAGMA writable_schema = ON") // nothing reads on
		}, "malformed"},
		{"rows that no record made", func(t *testing.T, w *world) {
			w.sql(`DELETE FROM shelf; UPDATE view_meta SET applied = 2, last = x'` + hash(t, w.log, 1) + `'`)
		}, "there is no rope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			v := w.open()
			tx := begin(t, v)
			apply(t, tx, "thing.put", "lamp", 2)
			apply(t, tx, "thing.put", "rope", 1)
			apply(t, tx, "thing.taken", "rope", 1)
			w.commit(tx)
			w.close(v)

			tt.damage(t, w)
			w.said.Reset()
			v = w.open()
			defer w.close(v)
			want := view.Config{Dir: t.TempDir(), Stores: w.stores, Source: w.log}
			fresh, err := view.Open(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close(fresh)
			if diff := cmp.Diff(visible(t, fresh), visible(t, v)); diff != "" {
				t.Errorf("not the view of the ledger (-want +got):\n%s", diff)
			}
			if said := w.said.String(); (tt.reason == "") != (said == "") || !strings.Contains(said, tt.reason) {
				t.Errorf("said %q, want %q", said, tt.reason)
			}
		})
	}
}

// What a rebuild cannot mend is an error, and the view stays as it is.
func TestNotRebuilt(t *testing.T) {
	errLedger := errors.New("the ledger is damaged")
	for _, tt := range []struct {
		name string
		open func(t *testing.T, w *world, c view.Config) error
		want string
	}{
		{"the ledger cannot be read", func(t *testing.T, w *world, c view.Config) error {
			c.Source = brokenSource{w.log, errLedger}
			_, err := view.Open(t.Context(), c)
			return err
		}, errLedger.Error()},
		{"ctx has ended", func(t *testing.T, w *world, c view.Config) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			w.sql(`UPDATE view_meta SET applied = 0`)
			_, err := view.Open(ctx, c)
			return err
		}, "context canceled"},
		{"a store that cannot apply its own record", func(t *testing.T, w *world, c view.Config) error {
			c.Dir = t.TempDir()
			c.Stores[0].Apply["thing.put"] = take
			_, err := view.Open(t.Context(), c)
			return err
		}, "replay records 0 to 1: apply record 0 (thing.put): there is no lamp"},
		{"a schema that is none", func(t *testing.T, w *world, c view.Config) error {
			c.Dir = t.TempDir()
			c.Stores[0].Schema = "CREATE TABEL shelf"
			_, err := view.Open(t.Context(), c)
			return err
		}, "create tables of shelf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			v := w.open()
			w.block(v, "lamp", "rope")
			w.close(v)
			w.said.Reset()
			if err := tt.open(t, w, w.config()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if w.said.Len() > 0 {
				t.Errorf("said %s", &w.said)
			}
		})
	}
}

type brokenSource struct {
	view.Source
	err error
}

func (s brokenSource) Read(uint64) ([]byte, error) { return nil, s.err }

// A process that dies leaves the newest blocks in the write-ahead log. They
// are there at the next start; and when a page of the file is not as it was
// written, the view is built anew.
func TestDeadProcess(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	for i := range 300 {
		w.block(v, fmt.Sprint("lamp ", i), "rope")
	}
	want := visible(t, v)
	dead := w.copyUnclean()
	w.close(v)

	w.restore(dead)
	v = w.open()
	if diff := cmp.Diff(want, visible(t, v)); diff != "" || v.Replayed() != 0 || w.said.Len() > 0 {
		t.Errorf("replayed %d, said %q, rows differ:\n%s", v.Replayed(), &w.said, diff)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "view", "view.db-wal")); err != nil {
		t.Error(err)
	}
	w.close(v)

	// A torn log gives the blocks before the tear; the ledger has the others.
	torn := clone(dead)
	torn["view.db-wal"] = torn["view.db-wal"][:len(torn["view.db-wal"])*2/3]
	w.restore(torn)
	v = w.open()
	if diff := cmp.Diff(want, visible(t, v)); diff != "" || v.Replayed() == 0 || w.said.Len() > 0 {
		t.Errorf("torn: replayed %d, said %q, rows differ:\n%s", v.Replayed(), &w.said, diff)
	}
	w.close(v)

	// The page of a table that nothing reads while the view is opened.
	b, err := os.ReadFile(w.file())
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(b, []byte("lamp 7")) / 4096 * 4096
	b[at] ^= 0x40
	w.restore(map[string][]byte{"view.db": b})
	w.sql(`UPDATE view_meta SET clean = 0`)
	w.said.Reset()
	v = w.open()
	defer w.close(v)
	if diff := cmp.Diff(want, visible(t, v)); diff != "" || !strings.Contains(w.said.String(), "the file is damaged") {
		t.Errorf("damaged page: said %q, rows differ:\n%s", &w.said, diff)
	}
}

// The end of ctx ends a query, says why, and gives the reader back.
func TestReadIsCancelled(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	c.Readers = 1
	v, err := view.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close(v)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		err = v.Read(ctx, func(tx *view.Tx) error {
			rows(t, tx)
			cancel()
			return tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`)
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		if err := v.Read(ctx, func(*view.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		w.block(v, "lamp")
	}
	if got := visible(t, v); got[0] != `lamp 3 seq 2 {"name":"lamp","count":1}` {
		t.Errorf("the reader still has its old snapshot: %v", got)
	}
	if err := v.Read(t.Context(), func(*view.Tx) error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}
