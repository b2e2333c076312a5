package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// A note may name another, and compiles to its text and the other's.
type note struct {
	Text string `yaml:"text"`
	See  string `yaml:"see,omitempty"`
}

func kinds() document.Kinds {
	decode := func(d document.Document) (note, error) {
		var n note
		return n, d.Decode(&n)
	}
	return document.Kinds{"note": {
		Name: "note", Title: "Note", Doc: "A note.", Spec: note{},
		Compile: func(d document.Document, in document.Set) (any, error) {
			n, err := decode(d)
			if err != nil {
				return nil, err
			}
			if n.See == "" {
				return n.Text, nil
			}
			other, ok := in[document.ID{Kind: "note", Name: n.See}]
			if !ok {
				return nil, errs.Issues{d.Issue("see", "there is no note %s", n.See)}
			}
			o, err := decode(other)
			return n.Text + " " + o.Text, err
		},
	}}
}

type committer struct{ log *ledger.Log }

func (c committer) Commit(ctx context.Context, b sequencer.Block) error {
	return c.log.Append(ctx, b.Lines)
}

type world struct {
	testing.TB
	dir     string
	log     *ledger.Log
	view    *view.View
	docs    *store.Registry
	changed int
	stop    func()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir()}
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) open() {
	w.Helper()
	var err error
	w.log, err = ledger.Open(ledger.Config{Dir: filepath.Join(w.dir, "ledger")})
	w.must(err)
	blobs, err := blob.Open(blob.Config{Dir: filepath.Join(w.dir, "blobs")})
	w.must(err)
	quiet := slog.New(slog.DiscardHandler)
	w.view, err = view.Open(w.Context(), view.Config{Dir: filepath.Join(w.dir, "view"), Stores: []view.Store{store.View()}, Source: w.log, Log: quiet})
	w.must(err)
	seq, err := sequencer.New(sequencer.Config{View: w.view, Committer: committer{w.log}, Now: time.Now, Log: quiet})
	w.must(err)
	w.docs, err = store.New(w.Context(), store.Config{Kinds: kinds(), View: w.view, Sequencer: seq, Blobs: blobs, Changed: func() { w.changed++ }})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- seq.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.Error(err)
		}
		w.must(errors.Join(w.view.Close(), w.log.Close()))
	}
}

func (w *world) restart() {
	w.Helper()
	w.stop()
	w.open()
}

func parse(t testing.TB, yaml string) []document.Document {
	t.Helper()
	docs, err := document.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func one(name, text string) string { return "kind: note\nname: " + name + "\ntext: " + text + "\n" }

func (w *world) apply(yaml ...string) document.Plan {
	w.Helper()
	plan, err := w.docs.Apply(w.Context(), store.Change{Desired: parse(w, strings.Join(yaml, "---\n")), Actor: "person/ada", Message: "why"})
	w.must(err)
	return plan
}

// force is what is in force, compiled.
func (w *world) force() map[string]string {
	out := map[string]string{}
	for id, c := range w.docs.Snapshot().Compiled {
		out[id.Name] = fmt.Sprint(c)
	}
	return out
}

func (w *world) is(what string, got, want any) {
	w.Helper()
	if d := cmp.Diff(want, got); d != "" {
		w.Errorf("%s (-want +got):\n%s", what, d)
	}
}

var idA = document.ID{Kind: "note", Name: "a"}

func TestApplyIsAllOrNone(t *testing.T) {
	w := newWorld(t)
	w.apply(one("a", "one"))
	size, changed := w.log.Size(), w.changed
	_, err := w.docs.Apply(t.Context(), store.Change{Desired: parse(t, one("b", "two")+"---\n"+one("c", "three")+"see: nowhere\n"), Actor: "person/ada"})
	var is errs.Issues
	if !errors.As(err, &is) || len(is) != 1 || is[0].Line != 8 {
		t.Errorf("apply: %v", err)
	}
	w.is("in force", w.force(), map[string]string{"a": "one"})
	w.is("records", w.log.Size(), size)
	w.is("told", w.changed, changed)

	w.apply(one("a", "one"))
	w.is("what is the same leaves no record", w.log.Size(), size)

	_, err = w.docs.Apply(t.Context(), store.Change{Desired: parse(t, one("b", "two")+"see: a\n"), Remove: []document.ID{idA}, Actor: "person/ada"})
	if err == nil {
		t.Error("a is needed by b")
	}
	w.apply(one("b", "two")+"see: a\n", one("a", "new"))
	w.is("in force", w.force(), map[string]string{"a": "new", "b": "two new"})
	w.restart()
	w.is("after a restart", w.force(), map[string]string{"a": "new", "b": "two new"})
}

func TestApplyOnWhatWasPlanned(t *testing.T) {
	w := newWorld(t)
	w.apply(one("a", "one"))
	base := w.docs.Snapshot().Version
	w.apply(one("b", "two"))
	ch := store.Change{Desired: parse(t, one("a", "mine")), Actor: "person/bob", Base: base}
	if _, err := w.docs.Apply(t.Context(), ch); errs.KindOf(err) != errs.Conflict {
		t.Errorf("something was applied since: %v", err)
	}
	ch.Base = w.docs.Snapshot().Version
	if _, err := w.docs.Apply(t.Context(), ch); err != nil {
		t.Error(err)
	}
}

func TestHistoryAndRollback(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	versions := []string{}
	for _, text := range []string{"one", "two", "three"} {
		w.apply(one("a", text))
		versions = append(versions, w.docs.Snapshot().Set[idA].Version)
	}
	back := func(version string) {
		t.Helper()
		_, err := w.docs.Rollback(ctx, idA, version, "person/bob", "back")
		w.must(err)
	}
	back("")
	w.is("the one before", w.force()["a"], "two")
	back(versions[0][:8])
	w.is("the one named", w.force()["a"], "one")
	_, err := w.docs.Apply(ctx, store.Change{Remove: []document.ID{idA}, Actor: "person/bob"})
	w.must(err)
	w.is("removed", w.force(), map[string]string{})
	w.restart()
	back("")
	w.is("what was removed comes back", w.force()["a"], "one")

	h, err := w.docs.History(ctx, idA, 100)
	w.must(err)
	got := []string{}
	for _, v := range h {
		got = append(got, fmt.Sprintf("%.4s %s %q %t", v.Version, v.Actor, v.Message, v.Rollback))
	}
	short := func(i int) string { return versions[i][:4] }
	w.is("history", got, []string{
		short(0) + ` person/bob "back" true`, ` person/bob "" false`, short(0) + ` person/bob "back" true`, short(1) + ` person/bob "back" true`,
		short(2) + ` person/ada "why" false`, short(1) + ` person/ada "why" false`, short(0) + ` person/ada "why" false`,
	})
	for version, kind := range map[string]errs.Kind{"abc": errs.Invalid, "000000000": errs.NotFound} {
		if _, err := w.docs.Rollback(ctx, idA, version, "person/bob", ""); errs.KindOf(err) != kind {
			t.Errorf("version %q: %v", version, err)
		}
	}
	if _, err := w.docs.Rollback(ctx, document.ID{Kind: "note", Name: "x"}, "", "person/bob", ""); errs.KindOf(err) != errs.NotFound {
		t.Errorf("unknown document: %v", err)
	}
}

// A pinned version sees the documents of the moment when it was put in force,
// also those that were applied with it.
func TestPinned(t *testing.T) {
	w := newWorld(t)
	w.apply(one("a", "first")+"see: b\n", one("b", "then"))
	old := w.docs.Snapshot().Set[idA].Version
	w.apply(one("b", "now"))
	w.apply(one("a", "second") + "see: b\n")
	w.restart()
	for range 2 {
		w.must(w.view.Read(t.Context(), func(tx *view.Tx) error {
			got, err := w.docs.Pinned(tx, idA, old)
			w.is("the old one", got, any("first then"))
			return err
		}))
	}
}

func TestLongTexts(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("long ", 5000) + "end"
	w.apply(one("a", long))
	line, err := w.log.Read(0)
	w.must(err)
	if len(line) > 1000 {
		t.Errorf("the record has %d bytes", len(line))
	}
	w.restart()
	w.is("text", w.force()["a"], long)
}
