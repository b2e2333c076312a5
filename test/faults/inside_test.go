package faults

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/secret"
)

// A clock runs with the real one and can be set.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) jump(d time.Duration) { c.ahead.Add(int64(d)) }

// within runs a node inside the test, so that its clock can be set.
func within(t *testing.T, c *clock) (n *node, stop func()) {
	t.Helper()
	n = &node{t: t, data: filepath.Join(t.TempDir(), "data")}
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan string, 1)
	in, err := app.Open(ctx, app.Config{
		Data: n.data, Listen: "127.0.0.1:0", Private: "off", SlackPace: time.Millisecond, Now: c.now, Log: slog.New(slog.DiscardHandler),
		FirstToken: func(s secret.String) { n.token = s.Reveal() },
		Ready:      func(addr string) { ready <- addr },
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	select {
	case n.addr = <-ready:
	case <-time.After(time.Minute):
		t.Fatal("the node does not serve")
	}
	return n, stop
}

// apply sets secrets and applies documents.
func (n *node) apply(yaml string, secrets map[string]string) {
	n.t.Helper()
	for name, value := range secrets {
		if err := n.api(http.MethodPut, "/secrets/"+name, map[string]string{"value": value}, nil); err != nil {
			n.t.Fatal(err)
		}
	}
	in := map[string]any{"message": "faults", "files": []map[string]string{{"name": "faults.yaml", "text": yaml}}}
	if err := n.api(http.MethodPost, "/documents/apply", in, nil); err != nil {
		n.t.Fatal(err)
	}
}

// A record of the ledger.
type record struct {
	Seq                  uint64
	Time                 time.Time
	Kind, Subject, Actor string
	Data                 json.RawMessage
}

// records reads the ledger of a node that runs.
func (n *node) records(kind string) []record {
	n.t.Helper()
	var all []record
	for from, pages := uint64(0), 0; pages < 100; pages++ {
		var page struct {
			Items []record
			Next  uint64
		}
		if err := n.api(http.MethodGet, "/records?limit=500&kind="+kind+"&from="+jsonText(from), nil, &page); err != nil {
			n.t.Fatal(err)
		}
		if len(page.Items) == 0 {
			break
		}
		all = append(all, page.Items...)
		from = page.Next
	}
	return all
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.Trim(string(b), `"`)
}

// until waits for something that is bound to happen.
func (n *node) until(what string, limit time.Duration, f func() bool) {
	n.t.Helper()
	for began := time.Now(); !f(); {
		if time.Since(began) > limit {
			n.t.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
