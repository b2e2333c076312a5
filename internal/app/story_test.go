package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/view"
)

// running is a node that runs until the test ends.
func running(t *testing.T, dir string) *Node {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	n, err := Open(ctx, Config{Data: dir, Listen: "127.0.0.1:0", Private: "off", Log: slog.New(slog.NewTextHandler(testWriter{t}, nil))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func apply(t *testing.T, n *Node, yaml string) {
	t.Helper()
	docs, err := document.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := n.docs.Apply(t.Context(), documentstore.Change{Desired: docs, Actor: "person/ada", Message: "test"})
	if err != nil {
		t.Fatalf("apply: %v\n%+v", err, plan.Tests)
	}
}

func receive(t *testing.T, n *Node, event string) alertstore.Taken {
	t.Helper()
	src, ok := documentstore.Get[*alert.Source](n.docs.Snapshot(), "source", "siem")
	if !ok {
		t.Fatal("no source")
	}
	v, err := expr.FromJSON([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	findings, _, err := src.Map(v, time.Now())
	if err != nil || len(findings) != 1 {
		t.Fatalf("map: %v, %d findings", err, len(findings))
	}
	p, err := alertstore.Prepare(t.Context(), n.blobs, findings[0], src.Policy)
	if err != nil {
		t.Fatal(err)
	}
	res, err := n.seq.Do(t.Context(), p.Receive())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := alertstore.TakenFrom(res)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func eventually(t *testing.T, what string, f func(tx *view.Tx) (bool, error), n *Node) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		var ok bool
		err := n.view.Read(t.Context(), func(tx *view.Tx) (err error) { ok, err = f(tx); return err })
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestAnAlertIsHandledByMachinesAndPeople is the story of the spine: an alert
// starts a playbook, which calls an API, asks a person, and acts on the answer.
func TestAnAlertIsHandledByMachinesAndPeople(t *testing.T) {
	var keys []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Method+" "+r.URL.Path+" "+r.Header.Get("Idempotency-Key"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"score": 87}`)
	}))
	defer api.Close()
	dir := filepath.Join(t.TempDir(), "data")
	n := running(t, dir)
	apply(t, n, `
kind: person
name: ada
title: Ada Lovelace
email: ada@example.org
---
kind: source
name: siem
product: {vendor_name: Elastic, name: SIEM}
verify: {scheme: none, allow: [127.0.0.1/32]}
map:
  uid: event.id
  title: event.title
  severity: event.severity
  src_endpoint: {ip: event.ip}
fingerprint: [event.id]
---
kind: connection
name: reputation
base_url: `+api.URL+`
allow_private: [127.0.0.1/32]
---
kind: playbook
name: triage
on:
  alert: alert.severity_id >= 4
steps:
  - id: reputation
    call: http
    connection: reputation
    with: { method: GET, path: "/ip/${{ alert.src_endpoint.ip }}" }
  - id: triage
    ask:
      to: "#soc"
      title: "${{ alert.finding_info.title }}"
      fields: { Score: "${{ steps.reputation.body.score }}" }
      answers: [contain, false_positive]
  - if: steps.triage.answer == "contain"
    then:
      - id: contain
        call: http
        connection: reputation
        with: { method: POST, path: /contain, body: { ip: "${{ alert.src_endpoint.ip }}" } }
      - call: case.resolve
        with: { verdict: true_positive, reason: contained }
`)
	taken := receive(t, n, `{"id": "a-1", "title": "Credential dumping on web-1", "severity": "high", "ip": "203.0.113.7"}`)
	var asked askstore.Question
	eventually(t, "a question is asked", func(tx *view.Tx) (bool, error) {
		qs, err := askstore.List(tx, askstore.Filter{Open: true, Limit: 10})
		if len(qs) == 1 {
			asked = qs[0]
		}
		return len(qs) == 1, err
	}, n)
	if asked.Question.Title != "Credential dumping on web-1" || asked.Question.Fields[0].Value != "87" || asked.Question.Case != taken.Case {
		t.Errorf("asked %+v", asked.Question)
	}
	if _, err := n.questions.Answer(t.Context(), asked.ID, ask.Attempt{Person: "person/ada", Via: "api", Answer: "contain"}); err != nil {
		t.Fatal(err)
	}
	var runs []playbookstore.Summary
	eventually(t, "the run ends", func(tx *view.Tx) (ok bool, err error) {
		runs, err = playbookstore.List(tx, playbookstore.Filter{Limit: 10})
		return len(runs) == 1 && runs[0].Ended != nil, err
	}, n)
	if runs[0].State != "ok" {
		t.Errorf("run: %+v", runs[0])
	}
	if len(keys) != 2 || !strings.HasPrefix(keys[1], "POST /contain run/") {
		t.Errorf("calls: %q", keys)
	}
	eventually(t, "the case is resolved", func(tx *view.Tx) (bool, error) {
		id, err := alertstore.ID("case", taken.Case)
		if err != nil {
			return false, err
		}
		c, err := alertstore.Get(tx, id)
		return c.State == alert.Resolved && c.ActedBy == "person/ada", err
	}, n)
	var kinds []string
	err := n.ledger.Range(4, n.ledger.Size(), func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		kinds = append(kinds, rec.Kind)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"alert.received", "run.started", "step.started", "step.finished", "ask.asked", "step.waiting",
		"ask.answered", "step.finished", "step.started", "step.finished", "step.started", "case.resolved", "step.finished", "run.finished",
	}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("the ledger tells another story:\n%s", d)
	}
	proof, err := n.ledger.Prove(4)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := ledger.CheckProof(proof, n.ledger.Key()); err != nil || rec.Kind != "alert.received" {
		t.Errorf("proof of the alert: %v, %+v", err, rec)
	}
}
