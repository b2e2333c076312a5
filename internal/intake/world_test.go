package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
	"beffroi.dev/internal/web"
)

// start is what the clock of every test shows at first.
var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// A world is an intake over a real ledger, view and blob store.
type world struct {
	testing.TB
	config  Config
	in      *Intake
	handler http.Handler
	log     *ledger.Log
	view    *view.View
	blobs   *blob.Store
	broken  atomic.Bool // the ledger's disk
	said    bytes.Buffer

	mu       sync.Mutex
	clock    time.Time                // guarded by mu
	sources  map[string]string        // verify: of each
	compiled map[string]*alert.Source // guarded by mu
	secrets  map[string]string
	pages    map[string][]byte // what there is to fetch
	fetched  []string          // guarded by mu
	hooked   []any             // guarded by mu
	deaf     bool              // no playbook listens
}

// newWorld is an intake with a source for each verify: that is given by name.
func newWorld(t testing.TB, sources map[string]string) *world {
	t.Helper()
	w := &world{TB: t, clock: start, sources: sources, compiled: map[string]*alert.Source{}, secrets: map[string]string{"KEY": "sesame"}, pages: map[string][]byte{}}
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(&w.said, nil))
	var err error
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.log, err = ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger")})
	fatal(err)
	w.blobs, err = blob.Open(blob.Config{Dir: filepath.Join(dir, "blobs")})
	fatal(err)
	w.view, err = view.Open(t.Context(), view.Config{Dir: filepath.Join(dir, "view"), Stores: []view.Store{store.View()}, Source: w.log, Log: log})
	fatal(err)
	seq, err := sequencer.New(sequencer.Config{View: w.view, Committer: w, Now: w.now, Log: log})
	fatal(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- seq.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !w.broken.Load() {
			t.Error(err)
		}
		if err := errors.Join(w.view.Close(), w.log.Close()); err != nil {
			t.Error(err)
		}
	})
	w.config = Config{Source: w.source, Secrets: w.secret, Blobs: w.blobs, Sequencer: seq, Fetch: w.fetch, Hooks: w.hook, Now: w.now, Log: log}
	w.open()
	return w
}

// open makes the intake of w.config.
func (w *world) open() {
	w.Helper()
	var err error
	if w.in, err = New(w.config); err != nil {
		w.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/{source}", web.Handle(w.config.Log, w.in.Hook))
	w.handler = mux
}

var errDisk = errors.New("input/output error")

// Commit implements sequencer.Committer.
func (w *world) Commit(ctx context.Context, b sequencer.Block) error {
	if w.broken.Load() {
		return errDisk
	}
	return w.log.Append(ctx, b.Lines)
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

// source compiles a source whose events have an id, a title and a severity.
func (w *world) source(name string) (*alert.Source, bool) {
	verify, ok := w.sources[name]
	if !ok {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.compiled[name] == nil {
		w.compiled[name] = compile(w, name, verify)
	}
	return w.compiled[name], true
}

func compile(t testing.TB, name, verify string) *alert.Source {
	t.Helper()
	docs, err := document.Parse(name+".yaml", fmt.Appendf(nil, `kind: source
name: %s
title: A tool
product: { vendor_name: Acme, name: Watch }
verify: %s
max_size: 64KiB
batch: body.?alerts
accept: ['event.?kind.orValue("alert") == "alert"']
map: { uid: event.id, title: event.title, severity: 'event.?severity.orValue("high")' }
`, name, verify))
	if err != nil {
		t.Fatal(err)
	}
	s, err := alert.CompileSource(docs[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) secret(_ context.Context, name string) (secret.String, error) {
	s, ok := w.secrets[name]
	if !ok {
		return secret.String{}, errors.New("there is no such secret")
	}
	return secret.New(s), nil
}

func (w *world) fetch(_ context.Context, address string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetched = append(w.fetched, address)
	b, ok := w.pages[address]
	if !ok {
		return nil, errors.New("not found")
	}
	return b, nil
}

func (w *world) hook(_ context.Context, name, actor string, body any) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if actor != "source/"+name {
		w.Errorf("hook %s was called by %s", name, actor)
	}
	w.hooked = append(w.hooked, body)
	return !w.deaf, nil
}

// A call is what a tool sends. The zero Method is POST, and the zero From an
// address of its own.
type call struct {
	Method, Source, Body, From string
	Header                     http.Header
}

// header is a list of names and values.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for p := range slices.Chunk(pairs, 2) {
		h.Add(p[0], p[1])
	}
	return h
}

// An answered is what a call was answered.
type answered struct {
	Status int
	Body   map[string]any
}

func (a answered) String() string {
	switch d := a.Body["detail"].(type) {
	case string:
		return fmt.Sprintf("%d %s", a.Status, d)
	default:
		b, err := json.Marshal(a.Body)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%d %s", a.Status, b)
	}
}

func (w *world) call(c call) answered {
	w.Helper()
	if c.Method == "" {
		c.Method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(w.Context(), c.Method, "/hooks/"+c.Source, strings.NewReader(c.Body))
	maps.Copy(r.Header, c.Header)
	if r.RemoteAddr = "192.0.2.1:4711"; c.From != "" {
		r.RemoteAddr = c.From
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := rec.Result()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	a := answered{Status: res.StatusCode}
	if err := json.Unmarshal(b, &a.Body); err != nil {
		w.Fatalf("the answer is not JSON: %v: %s", err, b)
	}
	return a
}

// records lists the ledger from seq on: kind, subject and what matters of the
// data.
func (w *world) records(from uint64) []string {
	w.Helper()
	out := []string{}
	err := w.log.Range(from, w.log.Size(), func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		if err != nil {
			return err
		}
		var d struct {
			Refused
			Title   string `json:"title"`
			Outcome string `json:"outcome"`
		}
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			return err
		}
		var s strings.Builder
		s.WriteString(rec.Kind + " " + rec.Subject)
		for _, v := range []string{d.Title, d.Outcome, d.Reason, d.Detail, d.From} {
			if v != "" {
				s.WriteString(" | " + v)
			}
		}
		if d.Also > 0 {
			fmt.Fprintf(&s, " | also %d", d.Also)
		}
		out = append(out, s.String())
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return out
}
