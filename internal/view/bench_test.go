package view_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// A small domain as the stores have it: a row a record, a counter a subject,
// an index on each.
func small() view.Store {
	return view.Store{
		Name: "small", Version: 1,
		Schema: `CREATE TABLE small (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, time INTEGER NOT NULL, title TEXT NOT NULL) STRICT;
			CREATE INDEX small_subject ON small (subject, id);
			CREATE TABLE small_count (subject TEXT PRIMARY KEY, n INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
		Apply: map[string]func(*view.Tx, ledger.Record) error{
			"small.made": func(tx *view.Tx, rec ledger.Record) error {
				var d struct {
					Title string `json:"title"`
				}
				if err := json.Unmarshal(rec.Data, &d); err != nil {
					return err
				}
				if err := tx.Exec(`INSERT INTO small (id, subject, time, title) VALUES (?, ?, ?, ?)`, rec.Seq, rec.Subject, rec.Time.UnixMicro(), d.Title); err != nil {
					return err
				}
				return tx.Exec(`INSERT INTO small_count (subject, n, last) VALUES (?, 1, ?) ON CONFLICT (subject) DO UPDATE SET n = n + 1, last = excluded.last`, rec.Subject, rec.Seq)
			},
		},
	}
}

// million is how many records the benchmarks replay.
const million = 1_000_000

func millionRecords(b *testing.B, dir string) *ledger.Log {
	b.Helper()
	log := openLedger(b, filepath.Join(dir, "ledger"))
	for log.Size() < million {
		lines := make([][]byte, 0, 10_000)
		for i := range 10_000 {
			seq := log.Size() + uint64(i)
			rec := ledger.Record{
				Seq: seq, Time: start.Add(time.Duration(seq) * time.Millisecond), Kind: "small.made", Actor: "source/bench",
				Subject: fmt.Sprintf("case/%d", seq%5000), Data: fmt.Appendf(nil, `{"title":"Sign-in from a new country","severity_id":4,"n":%d}`, seq),
			}
			lines = append(lines, rec.AppendLine(nil))
		}
		if err := log.Append(b.Context(), lines); err != nil {
			b.Fatal(err)
		}
	}
	return log
}

// BenchmarkReplayMillion builds the view of a million small records anew, and
// then opens it after a dead process, which has it looked over.
// Run it with -benchtime=1x.
func BenchmarkReplayMillion(b *testing.B) {
	dir := b.TempDir()
	c := view.Config{Dir: filepath.Join(dir, "view"), Stores: []view.Store{small()}, Source: millionRecords(b, dir), Log: slog.New(slog.DiscardHandler)}
	open := func(b *testing.B) {
		v, err := view.Open(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("replay", func(b *testing.B) {
		for b.Loop() {
			if err := view.Drop(c.Dir); err != nil {
				b.Fatal(err)
			}
			open(b)
		}
		b.ReportMetric(float64(b.N)*million/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			open(b)
		}
	})
	b.Run("open-unclean", func(b *testing.B) {
		w := &world{TB: b, dir: dir}
		for b.Loop() {
			b.StopTimer()
			w.sql(`UPDATE view_meta SET clean = 0`)
			b.StartTimer()
			open(b)
		}
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := view.Check(b.Context(), c, func() (view.Source, error) { return c.Source, nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
