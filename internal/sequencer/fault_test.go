package sequencer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// An append that fails may have failed before or after the records became
// durable. Either way nobody is told that they are, nothing of the block is
// visible, and no more commands are taken. Opening it again recovers.
func TestAppendFails(t *testing.T) {
	for _, applied := range []bool{false, true} {
		t.Run(fmt.Sprintf("applied %t", applied), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				rolledBack, told := 0, 0
				w.config.RolledBack = []func(){func() { rolledBack++ }}
				w.config.Committed = []func([]ledger.Record){func(recs []ledger.Record) { told += len(recs) }}
				w.run()
				w.do(add("before"))
				refused := errors.New("refused")
				w.disk.gate = make(chan struct{})
				w.disk.applied = applied
				outcomes := make(chan error, 3)
				go func() { _, err := w.seq.Do(t.Context(), add("first")); outcomes <- err }()
				synctest.Wait()
				for _, cmd := range []sequencer.Command{add("a", "b"), func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) { return nil, refused }} {
					go func() { _, err := w.seq.Do(t.Context(), cmd); outcomes <- err }()
					synctest.Wait()
				}
				w.disk.gate <- struct{}{} // the first succeeds
				if err := <-outcomes; err != nil {
					t.Fatal(err)
				}
				w.disk.fail.Store(true)
				close(w.disk.gate)
				for range 2 { // a refusal may follow from what never came to be
					if err := <-outcomes; !errors.Is(err, sequencer.ErrStopped) || !errors.Is(err, errDisk) || errors.Is(err, refused) || errs.KindOf(err) != errs.Unavailable {
						t.Errorf("answered %v", err)
					}
				}
				synctest.Wait()
				if _, err := w.seq.Do(t.Context(), add("late")); !errors.Is(err, sequencer.ErrStopped) || !errors.Is(err, errDisk) {
					t.Errorf("late: %v", err)
				}
				if err := w.seq.Err(); !errors.Is(err, errDisk) {
					t.Errorf("stopped by %v", err)
				}
				want(t, "visible", []string{"0 before", "1 first"}, w.visible())
				if told != 2 || rolledBack != 1 {
					t.Errorf("told of %d records, rolled back %d times", told, rolledBack)
				}
				if err := w.close(); !errors.Is(err, errDisk) {
					t.Errorf("run returned %v", err)
				}

				w.disk.fail.Store(false)
				w.run()
				defer w.end()
				all := []string{"0 before", "1 first"}
				if applied {
					all = append(all, "2 a", "3 b")
				}
				want(t, "visible again", all, w.visible())
				want(t, "in the ledger", all, w.records())
				w.do(add("after"))
				want(t, "goes on", append(all, fmt.Sprintf("%d after", len(all))), w.visible())
			})
		})
	}
}

// The view's own disk may fail after the append: what was answered is visible,
// what is durable is visible after the next start.
func TestViewFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cmd     sequencer.Command // breaks the view
		durable bool
	}{
		{"full, in a command", func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) { return nil, fill(tx) }, false},
		{"full, when applied", adds("item.fills", "a"), false},
		{"ended by SQLite, after the append", adds("item.ends", "a"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Followers = map[string][]sequencer.Follower{
				"item.fills": {func(tx *view.Tx, _ ledger.Record) ([]ledger.Draft, error) { return nil, fill(tx) }},
				"item.ends":  {func(tx *view.Tx, _ ledger.Record) ([]ledger.Draft, error) { return nil, tx.Exec("ROLLBACK") }},
			}
			w.run()
			w.do(add("before"))
			if _, err := w.seq.Do(t.Context(), tt.cmd); !errors.Is(err, sequencer.ErrStopped) {
				t.Errorf("answered %v", err)
			}
			if err := <-w.result; err == nil {
				t.Error("run returned nil")
			}
			w.stop = nil
			want(t, "visible", []string{"0 before"}, w.visible())
			w.end()

			w.run()
			defer w.end()
			all := []string{"0 before"}
			if tt.durable {
				all = append(all, "1 a")
			}
			want(t, "in the ledger", all, w.records())
			if n := w.view.Applied(); n != uint64(len(all)) {
				t.Errorf("%d records applied", n)
			}
			w.do(add("after"))
		})
	}
}

// fill writes until there is no room for the view.
func fill(tx *view.Tx) error {
	if err := tx.Exec("PRAGMA max_page_count = 1"); err != nil {
		return err
	}
	return tx.Exec("INSERT INTO item_size WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) SELECT i FROM n")
}

// A ledger that cannot be read does not let the sequencer start: it would not
// know the time of the newest record.
func TestRunNeedsTheNewestRecord(t *testing.T) {
	w := newWorld(t).run()
	w.do(add("before"))
	w.end()
	w.open()
	if err := w.view.Close(); err != nil {
		t.Fatal(err)
	}
	broken := source{w.disk.log}
	var err error
	if w.view, err = view.Open(t.Context(), view.Config{Dir: filepath.Join(w.dir, "view"), Stores: []view.Store{items()}, Source: &broken, Log: w.config.Log}); err != nil {
		t.Fatal(err)
	}
	defer w.end()
	w.config.View = w.view
	if w.seq, err = sequencer.New(w.config); err != nil {
		t.Fatal(err)
	}
	broken.Log = nil
	if err := w.seq.Run(t.Context()); !errors.Is(err, errDisk) {
		t.Errorf("run returned %v", err)
	}
	if _, err := w.seq.Do(t.Context(), add("a")); !errors.Is(err, sequencer.ErrStopped) {
		t.Errorf("answered %v", err)
	}
}

// source is a ledger that cannot be read when there is none.
type source struct{ *ledger.Log }

func (s *source) Read(seq uint64) ([]byte, error) {
	if s.Log == nil {
		return nil, errDisk
	}
	return s.Log.Read(seq)
}

func (s *source) Size() uint64 {
	if s.Log == nil {
		return 1
	}
	return s.Log.Size()
}

// What every Committer must do, whatever stands behind it: a block whose
// Commit returned nil is what a reader of the ledger finds, whole and in its
// place; one out of its place is refused and leaves nothing.
func TestCommitterConformance(t *testing.T) {
	w := newWorld(t)
	w.open()
	defer w.end()
	var c sequencer.Committer = w.disk
	line := func(seq uint64, name string) []byte {
		b, err := ledger.Encode(ledger.Record{Seq: seq, Time: start, Kind: "item.added", Subject: "item", Actor: "test", Data: []byte(`{"name":"` + name + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	blocks := []sequencer.Block{
		{First: 0, Lines: [][]byte{line(0, "a")}},
		{First: 1, Lines: [][]byte{line(1, "b"), line(2, "c")}},
	}
	for _, b := range blocks {
		if err := c.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []sequencer.Block{{First: 2, Lines: [][]byte{line(2, "again")}}, {First: 4, Lines: [][]byte{line(4, "gap")}}, {First: 3, Lines: [][]byte{line(7, "not its number")}}} {
		if err := c.Commit(t.Context(), b); err == nil {
			t.Errorf("block %d of records %s was taken", b.First, b.Lines)
		}
	}
	want(t, "records", []string{"0 a", "1 b", "2 c"}, w.records())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Commit(ctx, sequencer.Block{First: 3, Lines: [][]byte{line(3, "d")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
