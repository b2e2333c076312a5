package playbook

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/document"
)

// TestTestsInPlaybooks runs the tests that the playbooks of testdata/tests
// carry. Those whose name begins with FAILS must fail.
func TestTestsInPlaybooks(t *testing.T) {
	forEachFile(t, "testdata/tests/*.txt", func(t *testing.T, a *txtar.Archive) {
		p := compile(t, string(a.Files[0].Data))
		var got strings.Builder
		for _, r := range p.Test() {
			if r.Passed == strings.HasPrefix(r.Name, "FAILS") {
				t.Errorf("line %d: %q passed: %t", r.Line, r.Name, r.Passed)
			}
			if !r.Passed {
				fmt.Fprintf(&got, "line %d: %s\n  %s\n", r.Line, r.Name, strings.ReplaceAll(r.Message, "\n", "\n  "))
			}
		}
		a.Files[1].Data = []byte(got.String())
	})
}

// TestDryRun shows what a playbook would do, with results that are assumed.
func TestDryRun(t *testing.T) {
	p := compile(t, `
kind: playbook
name: dry
steps:
  - { id: look, call: intel.ip, with: { ip: "${{ alert.ip }}" } }
  - { id: triage, ask: { channel: "#soc", title: "${{ alert.ip }}", answers: [contain, close] } }
  - { id: reply, wait: { event: webhook/reply } }
  - { id: contain, if: steps.triage.answer == "contain", call: edr.contain, with: { host: "${{ steps.look.body.host }}" } }
`)
	s := Simulate(p, Init{Alert: map[string]any{"ip": "192.0.2.1"}}, Given{Assume: true}, start)
	var got []string
	for _, x := range s.Sent {
		got = append(got, fmt.Sprintf("%s %s %s", x.Kind, x.Action, x.Name))
	}
	want := []string{"call look intel.ip", "ask triage #soc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"look", "triage", "reply"}, s.Assumed); diff != "" {
		t.Errorf("assumed (-want +got):\n%s", diff)
	}
	if s.Status != RunFailed || s.Error.Step != "contain" {
		t.Errorf("status %s: %v", s.Status, s.Error)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
}

// TestSimulationThatCannotEnd: a run that waits for what never comes.
func TestSimulationThatCannotEnd(t *testing.T) {
	p := compile(t, "kind: playbook\nname: x\nsteps:\n  - { id: a, ask: { to: \"#a\", title: Hi, answers: [yes] } }\n")
	s := Simulate(p, Init{}, Given{Steps: map[string]any{"a": map[string]any{"silent": true}}}, start)
	if s.Problem != "the run waits for ever at a" || s.Status != Running {
		t.Errorf("got %s, %q", s.Status, s.Problem)
	}
}

func TestMatches(t *testing.T) {
	p := compile(t, `
kind: playbook
name: x
on:
  - alert: alert.severity_id >= 4 && (alert.message == "a && b" || has(alert.device)) && alert.time > 5
  - { alert: "${{ alert.count == 1 || alert.count == 2 }}", manual: true }
  - { webhook: hook, schedule: { cron: "0 8 * * *", zone: Europe/Paris }, record: { kinds: [case.resolved], if: record.n > 1 } }
steps:
  - call: intel.ip
`)
	var kinds []string
	for _, tr := range p.Triggers() {
		kinds = append(kinds, strings.TrimSpace(fmt.Sprint(tr.Kind, " ", tr.Webhook, tr.Cron, " ", tr.Zone, tr.Condition)))
	}
	if diff := cmp.Diff([]string{
		`alert  alert.severity_id >= 4 && (alert.message == "a && b" || has(alert.device)) && alert.time > 5`,
		"alert  alert.count == 1 || alert.count == 2", "manual", "webhook hook", "schedule 0 8 * * * Europe/Paris", "record  record.n > 1",
	}, kinds); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	if next := p.Triggers()[4].Next(start); !next.Equal(time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)) {
		t.Errorf("next: %s", next)
	}
	for _, tt := range []struct {
		alert   string
		matches bool
		why     string
	}{
		{`{"severity_id": 5, "message": "a && b", "time": 6}`, true, `alert.severity_id >= 4 → true; (alert.message == "a && b" || has(alert.device)) → true; alert.time > 5 → true`},
		{`{"severity_id": 3}`, false, "alert.severity_id >= 4 → false; alert.count == 1 || alert.count == 2 → column 7: alert has no \"count\"; write alert.?count.orValue(…)"},
		{`{"severity_id": 3, "count": 2}`, true, "alert.severity_id >= 4 → false; alert.count == 1 || alert.count == 2 → true"},
		{`{"message": "a && b", "time": 1, "count": 0}`, false, `alert.severity_id >= 4 → column 7: alert has no "severity_id"; write alert.?severity_id.orValue(…); (alert.message == "a && b" || has(alert.device)) → true; alert.time > 5 → false; alert.count == 1 || alert.count == 2 → false`},
	} {
		var alert map[string]any
		d := json.NewDecoder(strings.NewReader(tt.alert))
		if err := d.Decode(&alert); err != nil {
			t.Fatal(err)
		}
		got, why, err := p.Matches(alert, nil, start)
		if got != tt.matches || strings.Join(why, "; ") != tt.why {
			t.Errorf("%s: %t, %s\nwant %t, %s", tt.alert, got, strings.Join(why, "; "), tt.matches, tt.why)
		}
		if hasError := strings.Contains(tt.why, "column") && !got && !strings.HasPrefix(tt.alert, `{"message"`); (err != nil) != hasError {
			t.Errorf("%s: error %v", tt.alert, err)
		}
	}
	for record, want := range map[string]bool{"case.resolved": true, "case.opened": false} {
		if got, _, err := p.MatchesRecord(record, map[string]any{"n": int64(2)}, start); got != want || err != nil {
			t.Errorf("%s: %t, %v", record, got, err)
		}
	}
}

func TestSlot(t *testing.T) {
	p := compile(t, `
kind: playbook
name: x
inputs: { env: { default: prod } }
concurrency: { key: "${{ alert.device.uid }}/${{ inputs.env }}", max: 2, when_full: drop }
steps:
  - call: intel.ip
`)
	got, needed, err := p.Slot(Init{Alert: map[string]any{"device": map[string]any{"uid": "h"}}}, start)
	if want := (Slot{Key: "h/prod", Max: 2, Drop: true}); got != want || !needed || err != nil {
		t.Errorf("got %v, %t, %v", got, needed, err)
	}
	if _, _, err = p.Slot(Init{}, start); err == nil || !strings.HasPrefix(err.Error(), "concurrency.key, column 11: alert has no") {
		t.Errorf("got %v", err)
	}
}

func TestAwaitMatches(t *testing.T) {
	data := map[string]any{"a": map[string]any{"b": int64(1)}, "c": []any{1.0, map[string]any{"d": nil}}, "e": "x"}
	for _, tt := range []struct {
		match map[string]any
		want  bool
	}{
		{nil, true},
		{map[string]any{"a.b": 1.0, "e": "x"}, true},
		{map[string]any{"a.b": int64(2)}, false},
		{map[string]any{"a.b.c": int64(2)}, false},
		{map[string]any{"a.z": nil}, false},
		{map[string]any{"c": []any{int64(1), map[string]any{"d": nil}}}, true},
		{map[string]any{"c": []any{int64(1)}}, false},
		{map[string]any{"a": map[string]any{"b": int64(1), "c": nil}}, false},
	} {
		if got := (Await{Match: tt.match}).Matches(data); got != tt.want {
			t.Errorf("%v: %t", tt.match, got)
		}
	}
}

// TestKind goes through the document's own plan.
func TestKind(t *testing.T) {
	kinds := document.Kinds{"playbook": Kind(testCatalog)}
	schema, err := kinds.Schema("playbook")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(schema), `"on_error"`) || !json.Valid(schema) {
		t.Errorf("schema: %s", schema)
	}
	docs := parse(t, "x.yaml", "kind: playbook\nname: x\nsteps: [ { id: a, call: intel.ip } ]\ntests: [ { name: t, given: { steps: { a: {} } }, expect: { called: [intel.ip] } } ]\n")
	plan := kinds.Plan(nil, docs, nil)
	if !plan.OK() || !plan.Tests[docs[0].ID][0].Passed {
		t.Errorf("plan: %v %v", plan.Issues, plan.Tests)
	}
	bad := parse(t, "x.yaml", "kind: playbook\nname: x\nsteps: [ { id: a, call: intel.pi } ]\n")
	if plan = kinds.Plan(nil, bad, nil); plan.OK() || len(plan.Issues) != 1 || plan.Issues[0].Line != 3 {
		t.Errorf("plan: %v", plan.Issues)
	}
}

// heapBytes is what lives on the heap, in bytes.
func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestSpanReadsWhatItWrites(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, 1500 * time.Millisecond, time.Minute, time.Hour, 90 * time.Minute, 49*time.Hour + time.Second} {
		b, err := json.Marshal(Span(d))
		if err != nil {
			t.Fatal(err)
		}
		var back Span
		if err := json.Unmarshal(b, &back); err != nil || time.Duration(back) != d {
			t.Errorf("%s is read as %s: %v", b, back, err)
		}
	}
}
