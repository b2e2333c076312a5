package sequencer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// start is what the clock of every test shows at first.
var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// item is the data of all records of the tests.
type item struct {
	Name string `json:"name"`
}

// items is a store with a table of names. A name can be added once; the other
// kinds break the view in the ways that a disk has.
func items() view.Store {
	named := func(f func(tx *view.Tx, rec ledger.Record, name string) error) func(*view.Tx, ledger.Record) error {
		return func(tx *view.Tx, rec ledger.Record) error {
			var d item
			if err := json.Unmarshal(rec.Data, &d); err != nil {
				return err
			}
			return f(tx, rec, d.Name)
		}
	}
	return view.Store{
		Name: "item", Version: 1,
		Schema: `CREATE TABLE item (seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data TEXT NOT NULL) STRICT; CREATE TABLE item_size (size INTEGER NOT NULL) STRICT;`,
		Apply: map[string]func(*view.Tx, ledger.Record) error{
			"item.added": named(func(tx *view.Tx, rec ledger.Record, name string) error {
				return tx.Exec(`INSERT INTO item (seq, name, data) VALUES (?, ?, ?)`, rec.Seq, name, string(rec.Data))
			}),
			"item.large": named(func(tx *view.Tx, rec ledger.Record, name string) error {
				return tx.Exec(`INSERT INTO item_size (size) VALUES (?)`, len(name))
			}),
		},
	}
}

// A committer is a ledger whose appends can be held up or fail.
type committer struct {
	log    *ledger.Log
	blocks []sequencer.Block // owned by the sequencer while it runs
	count  atomic.Int64

	gate    chan struct{} // when not nil, each append takes one
	fail    atomic.Bool   // the next append fails
	applied bool          // what fails is there nevertheless
}

var errDisk = errors.New("input/output error")

func (c *committer) Commit(ctx context.Context, b sequencer.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.count.Add(1)
	if c.gate != nil {
		<-c.gate
	}
	if b.First != c.log.Size() {
		return fmt.Errorf("block begins at %d, the ledger has %d", b.First, c.log.Size())
	}
	c.blocks = append(c.blocks, b)
	if c.fail.Load() && !c.applied {
		return errDisk
	}
	if err := c.log.Append(ctx, b.Lines); err != nil {
		return err
	}
	if c.fail.Load() {
		return errDisk
	}
	return nil
}

// A world is a sequencer over a real ledger and a real view.
type world struct {
	testing.TB
	dir    string
	config sequencer.Config
	disk   *committer
	view   *view.View
	seq    *sequencer.Sequencer
	said   safeBuffer

	mu    sync.Mutex
	clock time.Time // guarded by mu

	stop   context.CancelFunc
	result chan error // of Run
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), clock: start, disk: &committer{}}
	w.config = sequencer.Config{Committer: w.disk, Now: w.now, Log: slog.New(slog.NewTextHandler(&w.said, nil))}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = t
}

// open opens ledger and view, and the sequencer without running it.
func (w *world) open() {
	w.Helper()
	var err error
	if w.disk.log, err = ledger.Open(ledger.Config{Dir: filepath.Join(w.dir, "ledger")}); err != nil {
		w.Fatal(err)
	}
	w.view, err = view.Open(w.Context(), view.Config{Dir: filepath.Join(w.dir, "view"), Stores: []view.Store{items()}, Source: w.disk.log, Log: w.config.Log})
	if err != nil {
		w.Fatal(err)
	}
	w.config.View = w.view
	if w.seq, err = sequencer.New(w.config); err != nil {
		w.Fatal(err)
	}
}

// run opens everything and runs it until the test ends or close is called.
func (w *world) run() *world {
	w.Helper()
	w.open()
	w.start()
	return w
}

func (w *world) start() {
	ctx, stop := context.WithCancel(context.Background())
	result := make(chan error, 1)
	w.stop, w.result = stop, result
	go func() { result <- w.seq.Run(ctx) }()
}

// close stops the sequencer, if it runs, and closes everything. It returns
// what Run returned.
func (w *world) close() (err error) {
	w.Helper()
	if w.stop != nil {
		w.stop()
		err = <-w.result
		w.stop = nil
	}
	if e := errors.Join(w.view.Close(), w.disk.log.Close()); e != nil {
		w.Error(e)
	}
	return err
}

// end is close for those who expect that nothing failed.
func (w *world) end() {
	w.Helper()
	if err := w.close(); err != nil {
		w.Error(err)
	}
}

// add is a command that adds names.
func add(names ...string) sequencer.Command { return adds("item.added", names...) }

func adds(kind string, names ...string) sequencer.Command {
	return func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		var out []ledger.Draft
		for _, name := range names {
			out = append(out, draft(kind, name))
		}
		return out, nil
	}
}

func draft(kind, name string) ledger.Draft {
	return ledger.Draft{Kind: kind, Subject: "item/" + name, Actor: "test", Data: item{name}}
}

func (w *world) do(cmd sequencer.Command) sequencer.Result {
	w.Helper()
	res, err := w.seq.Do(w.Context(), cmd)
	if err != nil {
		w.Fatal(err)
	}
	return res
}

// visible lists the names in the view by their numbers.
func (w *world) visible() []string {
	w.Helper()
	out := []string{}
	err := w.view.Read(w.Context(), func(tx *view.Tx) error { return names(tx, &out) })
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func names(tx *view.Tx, out *[]string) error {
	return tx.Query(`SELECT seq, name FROM item ORDER BY seq`, func(r view.Row) error {
		*out = append(*out, fmt.Sprintf("%d %s", r.Uint(0), r.Text(1)))
		return nil
	})
}

// records lists what the ledger has.
func (w *world) records() []string {
	w.Helper()
	out := []string{}
	err := w.disk.log.Range(0, w.disk.log.Size(), func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		out = append(out, short(rec))
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func short(rec ledger.Record) string {
	var d item
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", rec.Seq, d.Name)
}

func shorts(recs []ledger.Record) []string {
	out := []string{}
	for _, rec := range recs {
		out = append(out, short(rec))
	}
	return out
}
