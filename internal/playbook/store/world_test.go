package store_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// monday is what the clock of every test shows at first.
var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// catalog has one operation.
type catalog struct{}

func (catalog) Operation(name string) (playbook.Operation, bool) {
	return playbook.Operation{}, name == "test.look"
}
func (catalog) Names() []string { return []string{"test.look"} }

// A world is the core of a node: ledger, view and sequencer over real files.
// Nobody makes the calls of its runs but the test.
type world struct {
	testing.TB
	dir   string
	log   *ledger.Log
	view  *view.View
	seq   *sequencer.Sequencer
	docs  *documentstore.Registry
	runs  *store.Runs
	asks  *askstore.Questions
	blobs *blob.Store

	mu    sync.Mutex
	clock time.Time // guarded by mu
	stop  func()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), clock: monday}
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func check[T any](w *world, v T, err error) T {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return v
}

func (w *world) open() {
	w.Helper()
	var err error
	w.log, err = ledger.Open(ledger.Config{Dir: filepath.Join(w.dir, "ledger")})
	check(w, 0, err)
	w.blobs, err = blob.Open(blob.Config{Dir: filepath.Join(w.dir, "blobs")})
	check(w, 0, err)
	w.view, err = view.Open(w.Context(), view.Config{
		Dir: filepath.Join(w.dir, "view"), Source: w.log, Log: slog.New(slog.DiscardHandler),
		Stores: []view.Store{documentstore.View(), alertstore.View(), askstore.View(), store.View()},
	})
	check(w, 0, err)
	w.runs = store.New(store.Config{
		Playbooks: playbooks{w}, Facts: facts{}, Blobs: w.blobs, View: w.view,
		Reach: func(string) []string { return nil }, Sequencer: func() *sequencer.Sequencer { return w.seq },
	})
	w.seq, err = sequencer.New(sequencer.Config{
		View: w.view, Committer: committer{w.log}, Followers: w.runs.Followers(), RolledBack: []func(){w.runs.RolledBack},
		Now: w.now, Log: slog.New(slog.DiscardHandler),
	})
	check(w, 0, err)
	kind := playbook.Kind(catalog{})
	w.docs, err = documentstore.New(w.Context(), documentstore.Config{
		Kinds: document.Kinds{"playbook": kind}, View: w.view, Sequencer: w.seq, Blobs: w.blobs, Changed: func() {},
	})
	check(w, 0, err)
	w.asks = &askstore.Questions{Sequencer: w.seq, Directory: func() askstore.Directory { return everybody{} }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.seq.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := errors.Join(<-done, w.view.Close(), w.log.Close()); err != nil {
			w.Error(err)
		}
	}
}

// restart closes and opens the files again.
func (w *world) restart() {
	w.Helper()
	w.stop()
	w.open()
}

type committer struct{ log *ledger.Log }

func (c committer) Commit(ctx context.Context, b sequencer.Block) error {
	return c.log.Append(ctx, b.Lines)
}

type playbooks struct{ w *world }

func (p playbooks) Active() []*playbook.Playbook {
	return documentstore.All[*playbook.Playbook](p.w.docs.Snapshot(), "playbook")
}

func (p playbooks) Version(tx *view.Tx, name, version string) (*playbook.Playbook, error) {
	c, err := p.w.docs.Pinned(tx, document.ID{Kind: "playbook", Name: name}, version)
	if err != nil {
		return nil, err
	}
	def, ok := c.(*playbook.Playbook)
	if !ok {
		return nil, errors.New("no playbook")
	}
	return def, nil
}

type facts struct{}

func (facts) Alert(tx *view.Tx, id uint64) (map[string]any, error) {
	finding, err := alertstore.Finding(tx, id)
	if err != nil {
		return nil, err
	}
	return alert.View(finding), nil
}

func (facts) Case(tx *view.Tx, id uint64) (map[string]any, error) { return alertstore.Facts(tx, id) }

// everybody may answer.
type everybody struct{}

func (everybody) Person(id string) (ask.Person, bool) {
	return ask.Person{ID: id, Name: id, Active: true}, true
}
func (everybody) InTeam(string, string) bool                { return true }
func (everybody) Reach(target string, _ time.Time) []string { return []string{target} }

func (w *world) apply(yaml string) {
	w.Helper()
	docs, err := document.Parse("test.yaml", []byte(yaml))
	check(w, 0, err)
	_, err = w.docs.Apply(w.Context(), documentstore.Change{Desired: docs, Actor: "person/ada", Message: "test"})
	check(w, 0, err)
}

// receive takes an alert of a severity; the same id is the same alert.
func (w *world) receive(id string, severity int64) {
	w.Helper()
	f := alert.Finding{
		Source: "siem", Fingerprint: id, Title: "alert " + id, SeverityID: severity, Raw: map[string]any{"id": id},
		OCSF: map[string]any{"severity_id": severity, "finding_info": map[string]any{"uid": id, "title": "alert " + id}},
	}
	p, err := alertstore.Prepare(w.Context(), w.blobs, f, alert.Policy{Window: time.Hour})
	check(w, 0, err)
	res, err := w.seq.Do(w.Context(), p.Receive())
	check(w, 0, err)
	taken, err := alertstore.TakenFrom(res)
	check(w, taken, err)
}

func (w *world) read(f func(tx *view.Tx) error) {
	w.Helper()
	check(w, 0, w.view.Read(w.Context(), f))
}

// runsOf lists the runs of a playbook, oldest first, by their states.
func (w *world) runsOf(name string) (out []store.Summary) {
	w.Helper()
	w.read(func(tx *view.Tx) error {
		newest, err := store.List(tx, store.Filter{Playbook: name, Limit: 1000})
		for i := range newest {
			out = append(out, newest[len(newest)-1-i])
		}
		return err
	})
	return out
}

func (w *world) states(name string) []string {
	w.Helper()
	out := []string{}
	for _, s := range w.runsOf(name) {
		out = append(out, s.State)
	}
	return out
}

func (w *world) story(id uint64) (out store.Story) {
	w.Helper()
	w.read(func(tx *view.Tx) (err error) {
		out, err = w.runs.Story(tx, id)
		return err
	})
	return out
}

func (w *world) open1(id uint64) (out []store.OpenStep) {
	w.Helper()
	w.read(func(tx *view.Tx) (err error) {
		out, err = store.Open(tx, id)
		return err
	})
	return out
}

// calls lists what is to be called, oldest first.
func (w *world) calls() (out []store.Call) {
	w.Helper()
	w.read(func(tx *view.Tx) error {
		open, err := store.Calls(tx, 0, 1000)
		for _, o := range open {
			rec, err := tx.Record(o.Seq)
			if err != nil {
				return err
			}
			var c store.Call
			if err := unmarshal(rec, &c); err != nil {
				return err
			}
			out = append(out, c)
		}
		return err
	})
	return out
}

// finish gives every open call a result.
func (w *world) finish(result any) {
	w.Helper()
	for _, c := range w.calls() {
		check(w, 0, w.runs.Finish(w.Context(), c, result, nil, nil, time.Millisecond))
	}
}

// fail gives every open call an error.
func (w *world) fail(e playbook.Error) {
	w.Helper()
	for _, c := range w.calls() {
		check(w, 0, w.runs.Finish(w.Context(), c, nil, &e, nil, time.Millisecond))
	}
}

// wake passes time and wakes what is due.
func (w *world) wake(d time.Duration) {
	w.Helper()
	w.pass(d)
	for {
		n, err := w.runs.Wake(w.Context(), 100)
		if check(w, n, err) == 0 {
			return
		}
	}
}

func (w *world) start(name string, inputs map[string]any) uint64 {
	w.Helper()
	id, err := w.runs.StartManual(w.Context(), store.Request{Playbook: name, Inputs: inputs, Actor: "person/ada"})
	return check(w, id, err)
}

// output is what a run that ended gave.
func (w *world) output(id uint64) any {
	w.Helper()
	var out any
	found := false
	check(w, 0, w.log.Range(id, w.log.Size(), func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		if err != nil || rec.Kind != store.KindFinished {
			return err
		}
		var d store.Finished
		if err := unmarshal(rec, &d); err != nil || d.Run != id {
			return err
		}
		found = true
		if d.Output == nil {
			out = nil
			return nil
		}
		b := []byte(d.Output.JSON)
		if d.Output.Blob != "" {
			if b, err = w.blobs.Get(d.Output.Blob); err != nil {
				return err
			}
		}
		out, err = expr.FromJSON(b)
		return err
	}))
	if !found {
		w.Fatalf("run %d has not ended: %+v", id, w.open1(id))
	}
	return out
}
