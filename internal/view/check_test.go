package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/view"
)

// filled is a world whose closed view has two rows and a log.
func filled(t *testing.T) *world {
	w := newWorld(t)
	v := w.open()
	w.block(v, "lamp", "rope")
	w.close(v)
	return w
}

// Whatever is not as the ledger says is named: the table, the row, the column.
func TestCheckNamesWhatDiffers(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		want      []view.Difference
	}{
		{"nothing", ``, nil},
		{"a value", `UPDATE shelf SET count = 7 WHERE name = 'rope'`, []view.Difference{{"shelf", `name="rope"`, "count is not what the ledger says"}}},
		{"a blob", `UPDATE shelf SET last = x'00'`, []view.Difference{
			{"shelf", `name="lamp"`, "last is not what the ledger says"}, {"shelf", `name="rope"`, "last is not what the ledger says"},
		}},
		{"a null", `UPDATE shelf_log SET gone = 0 WHERE rowid = 2`, []view.Difference{{"shelf_log", `rowid=2`, "gone is not what the ledger says"}}},
		{"a row gone", `DELETE FROM shelf WHERE name = 'lamp'`, []view.Difference{{"shelf", `name="lamp"`, "is missing"}}},
		{"all rows gone", `DELETE FROM shelf`, []view.Difference{{"shelf", `name="lamp"`, "is missing"}, {"shelf", `name="rope"`, "is missing"}}},
		{"a row too many", `INSERT INTO shelf VALUES ('map', 1, 0, x'')`, []view.Difference{{"shelf", `name="map"`, "the ledger knows no such row"}}},
		{"a key", `UPDATE shelf SET name = 'ropf' WHERE name = 'rope'`, []view.Difference{
			{"shelf", `name="rope"`, "is missing"}, {"shelf", `name="ropf"`, "the ledger knows no such row"},
		}},
		{"two tables", `DELETE FROM shelf; DELETE FROM shelf_log WHERE rowid = 1`, []view.Difference{
			{"shelf", `name="lamp"`, "is missing"}, {"shelf", `name="rope"`, "is missing"}, {"shelf_log", `rowid=1`, "is missing"},
		}},
		{"an index gone", `DROP INDEX shelf_count`, []view.Difference{{"sqlite_schema", `name="shelf_count"`, "is missing"}}},
		{"an index of another form", `DROP INDEX shelf_count; CREATE INDEX shelf_count ON shelf (seq)`, []view.Difference{{"sqlite_schema", `name="shelf_count"`, "sql is not what the ledger says"}}},
		{"a table too many", `CREATE TABLE shelf_z (a TEXT)`, []view.Difference{{"sqlite_schema", `name="shelf_z"`, "the ledger knows no such row"}}},
		{"ahead", `UPDATE view_meta SET applied = 3`, []view.Difference{{Msg: "the view is stale: 3 records applied, the ledger has 2"}}},
		{"of another ledger", `UPDATE view_meta SET last = x'00'`, []view.Difference{{Msg: "the view is stale: record 1 is another one in the ledger"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := filled(t)
			w.sql(tt.sql)
			err := w.check()
			var damage *view.DamageError
			switch {
			case tt.want == nil && err != nil:
				t.Errorf("error %v", err)
			case tt.want == nil:
			case !errors.As(err, &damage):
				t.Errorf("error %v", err)
			default:
				if diff := cmp.Diff(&view.DamageError{File: w.file(), Differences: tt.want}, damage); diff != "" {
					t.Error(diff)
				}
			}
			if left, err := filepath.Glob(filepath.Join(w.dir, "view-check-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestDamageInOneLine(t *testing.T) {
	err := &view.DamageError{File: "view.db", Differences: []view.Difference{
		{"shelf", `name="rope"`, "count is not what the ledger says"}, {Table: "shelf", Msg: "is gone"}, {Msg: "not a database"},
	}}
	const want = `the view is damaged: view.db: table shelf row name="rope": count is not what the ledger says; table shelf: is gone; not a database`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A view that another version made is not damaged.
func TestCheckOfAnotherVersion(t *testing.T) {
	for _, script := range []string{`UPDATE view_meta SET fingerprint = 'x'`, `PRAGMA user_version = 1`} {
		w := filled(t)
		w.sql(script)
		if err := w.check(); errs.KindOf(err) != errs.Conflict {
			t.Errorf("%s: error %v", script, err)
		}
	}
	if err := newWorld(t).check(); errs.KindOf(err) != errs.NotFound {
		t.Errorf("no view: error %v", err)
	}
}

// A node may use the view while it is checked.
func TestCheckBesideTheWriter(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	defer w.close(v)
	w.block(v, "lamp")
	tx := begin(t, v)
	apply(t, tx, "thing.put", "rope", 1)
	err := view.Check(t.Context(), w.config(), func() (view.Source, error) {
		w.commit(tx) // after the newest block was looked at
		w.block(v, "bell")
		return w.log, nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := visible(t, v); len(got) != 6 {
		t.Errorf("rows %v", got)
	}
	failed := errors.New("no ledger")
	if err := view.Check(t.Context(), w.config(), func() (view.Source, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
}

// A bit that flips in the file is found by the check, or is in a place that
// holds nothing: then every row is as the ledger says.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	for i := range 40 {
		w.block(v, fmt.Sprintf("lamp %d", i), fmt.Sprintf("rope %d", i))
	}
	want := visible(t, v)
	w.close(v)
	whole, err := os.ReadFile(w.file())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same test every time
	const rounds = 80
	found := 0
	for range rounds {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		b := bytes.Clone(whole)
		b[at] ^= bit
		w.restore(map[string][]byte{"view.db": b})
		var damage *view.DamageError
		if err := w.check(); errors.As(err, &damage) || errs.KindOf(err) == errs.Conflict {
			found++
			continue
		} else if err != nil {
			t.Errorf("bit %#x of byte %d: error %v", bit, at, err)
		}
		v := w.open()
		if diff := cmp.Diff(want, visible(t, v)); diff != "" {
			t.Errorf("bit %#x of byte %d was not found:\n%s", bit, at, diff)
		}
		w.close(v)
	}
	t.Logf("%d of %d flipped bits were in data", found, rounds)
	if found == 0 {
		t.Error("no flipped bit was found")
	}
}

// A bit that flips in the write-ahead log of a dead process ends it there; the
// ledger has the rest.
func TestFlippedBitInTheLog(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	for i := range 30 {
		w.block(v, fmt.Sprintf("lamp %d", i))
	}
	want := visible(t, v)
	dead := w.copyUnclean()
	w.close(v)
	r := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // the same test every time
	for range 40 {
		files := clone(dead)
		wal := files["view.db-wal"]
		wal[r.IntN(len(wal))] ^= 1 << r.IntN(8)
		w.restore(files)
		v := w.open()
		if diff := cmp.Diff(want, visible(t, v)); diff != "" {
			t.Fatal(diff)
		}
		w.close(v)
		if err := w.check(); err != nil {
			t.Error(err)
		}
	}
}
