package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/view"
)

func unmarshal(rec ledger.Record, v any) error { return json.Unmarshal(rec.Data, v) }

func is(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// An alert starts the playbooks that it matches; one that repeats it starts none.
func TestAlertsStartRuns(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: severe
on: { alert: alert.severity_id >= 4 }
steps: [ { id: look, call: test.look, with: { who: "${{ alert.finding_info.uid }}" } } ]
---
kind: playbook
name: breaks
on: { alert: alert.nowhere.at_all == 1 }
steps: [ { stop: never } ]
`)
	w.receive("a", 4)
	w.receive("a", 4)
	w.receive("b", 2)
	is(t, "runs", w.states("severe"), []string{"running"})
	is(t, "a condition that fails starts nothing", w.states("breaks"), []string{})
	w.finish(map[string]any{"status": 200})
	is(t, "after the call", w.states("severe"), []string{"ok"})
	if run := w.runsOf("severe")[0]; run.Trigger != "alert" || run.Alert == 0 || run.Case != run.Alert {
		t.Errorf("run: %+v", run)
	}
}

func TestHooksStartRunsAndWakeThem(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: hooked
on: { webhook: edr }
steps: [ { id: s, set: { n: "${{ trigger.data.n + 1 }}" } } ]
output: "${{ vars.n }}"
---
kind: playbook
name: waits
on: { manual: true }
steps: [ { id: reply, wait: { event: webhook/callback, match: { device.id: 7 }, timeout: 2h } } ]
output: "${{ steps.reply.event.verdict }}"
`)
	if _, err := w.runs.Call(t.Context(), "edr", "source/x", map[string]any{"n": 41}); err != nil {
		t.Fatal(err)
	}
	is(t, "output", w.output(w.runsOf("hooked")[0].ID), any(int64(42)))
	if _, err := w.runs.Call(t.Context(), "callback", "source/x", nil); errs.KindOf(err) != errs.NotFound {
		t.Errorf("nothing waits for callback yet: %v", err)
	}
	id := w.start("waits", nil)
	for _, device := range []int{6, 7} {
		data := map[string]any{"device": map[string]any{"id": device}, "verdict": fmt.Sprint("of ", device)}
		if _, err := w.runs.Call(t.Context(), "callback", "source/x", data); err != nil {
			t.Fatal(err)
		}
	}
	is(t, "it takes the call that matches", w.output(id), any("of 7"))
}

// The end of a run may start another; a ring of playbooks comes to an end.
func TestRecordsStartRuns(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: ping
on: [ { manual: true }, { record: { kinds: [run.finished], if: "record.actor == 'playbook/pong'" } } ]
steps: [ { set: { x: 1 } } ]
---
kind: playbook
name: pong
on: { record: { kinds: [run.finished], if: "record.actor == 'playbook/ping'" } }
steps: [ { set: { x: 1 } } ]
`)
	w.start("ping", nil)
	if n := len(w.states("ping")) + len(w.states("pong")); n < 2 || n > 20 {
		t.Errorf("%d runs", n)
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		missed string
		first  int // runs after the first time that is due
		later  int // runs after three more hours in which no node was there, and ten minutes
	}{{"skip", 1, 1}, {"once", 1, 2}, {"all", 1, 4}} {
		t.Run(c.missed, func(t *testing.T) {
			w := newWorld(t)
			w.apply(`
kind: playbook
name: hourly
on: { schedule: { cron: "0 * * * *", missed: ` + c.missed + ` } }
concurrency: { key: one, max: 1 }
steps: [ { id: look, call: test.look } ]
`)
			since := w.now()
			fire := func() {
				t.Helper()
				if _, err := w.runs.Schedules(t.Context(), since); err != nil {
					t.Fatal(err)
				}
				if _, err := w.runs.Schedules(t.Context(), since); err != nil {
					t.Fatal(err)
				}
			}
			fire()
			is(t, "nothing is due", len(w.states("hourly")), 0)
			w.pass(time.Hour)
			fire()
			is(t, "one is due", len(w.states("hourly")), c.first)
			w.pass(3*time.Hour + 10*time.Minute)
			w.restart()
			fire()
			is(t, "after a pause", len(w.states("hourly")), c.later)
			running := 0
			for _, s := range w.states("hourly") {
				if s == "running" {
					running++
				}
			}
			is(t, "they keep to their places", running, 1)
		})
	}
}

func TestStartByHand(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: lift
on: { manual: true }
inputs:
  host: { type: string, required: true }
  level: { type: int, default: 2 }
steps: [ { set: { x: "${{ inputs.host }}-${{ inputs.level }}" } } ]
output: "${{ vars.x }}"
---
kind: playbook
name: inner
steps: [ { set: { x: 1 } } ]
`)
	is(t, "output", w.output(w.start("lift", map[string]any{"host": "web-1"})), any("web-1-2"))
	for name, c := range map[string]struct {
		q    store.Request
		kind errs.Kind
	}{
		"unknown playbook": {store.Request{Playbook: "nope"}, errs.NotFound},
		"not by hand":      {store.Request{Playbook: "inner"}, errs.Denied},
		"missing input":    {store.Request{Playbook: "lift"}, errs.Invalid},
		"unknown case":     {store.Request{Playbook: "lift", Inputs: map[string]any{"host": "x"}, Case: 999}, errs.NotFound},
	} {
		before := w.log.Size()
		if _, err := w.runs.StartManual(t.Context(), c.q); errs.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		is(t, name+" leaves no record", w.log.Size(), before)
	}
}

const limited = `
kind: playbook
name: limited
on: { manual: true }
inputs: { host: { type: string, required: true } }
concurrency: { key: "${{ inputs.host }}", max: 1, when_full: WHEN }
steps: [ { id: look, call: test.look } ]
`

func TestRunsWaitTheirTurn(t *testing.T) {
	w := newWorld(t)
	w.apply(strings.Replace(limited, "WHEN", "queue", 1))
	a := map[string]any{"host": "a"}
	first, second := w.start("limited", a), w.start("limited", a)
	third := w.start("limited", a)
	w.start("limited", map[string]any{"host": "b"})
	is(t, "another key has its own place", w.states("limited"), []string{"running", "queued", "queued", "running"})
	if err := w.runs.Cancel(t.Context(), second, "person/ada", "no need"); err != nil {
		t.Fatal(err)
	}
	is(t, "who leaves the queue frees no place", w.states("limited"), []string{"running", "cancelled", "queued", "running"})
	w.restart()
	w.finish(map[string]any{})
	is(t, "the next starts", w.states("limited"), []string{"ok", "cancelled", "running", "ok"})
	if got := w.story(third); got.Started.Run != third || len(got.Records) != 1 {
		t.Errorf("story: %+v", got)
	}
	if err := w.runs.Retry(t.Context(), second, "", "person/ada"); errs.KindOf(err) != errs.Conflict {
		t.Errorf("a run that never began cannot be retried: %v", err)
	}
	if err := w.runs.Cancel(t.Context(), first, "person/ada", ""); errs.KindOf(err) != errs.Conflict {
		t.Errorf("a run that ended cannot be cancelled: %v", err)
	}
}

func TestRunsAreDropped(t *testing.T) {
	w := newWorld(t)
	w.apply(strings.Replace(limited, "WHEN", "drop", 1))
	a := map[string]any{"host": "a"}
	w.start("limited", a)
	if _, err := w.runs.StartManual(t.Context(), store.Request{Playbook: "limited", Inputs: a, Actor: "person/ada"}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("full: %v", err)
	}
	is(t, "states", w.states("limited"), []string{"running"})
}

const family = `
kind: playbook
name: parent
on: [ { manual: true }, { alert: "true" } ]
steps:
  - { id: child, play: child, with: { n: 20 }, on_error: continue }
output: { status: "${{ steps.child.status }}", got: "${{ steps.child.?output.orValue(null) }}" }
---
kind: playbook
name: child
inputs: { n: { type: int, required: true } }
CONCURRENCY
steps: [ { id: look, call: test.look, with: { n: "${{ inputs.n + 1 }}" } } ]
output: "${{ steps.look }}"
`

func parentAndChild(concurrency string) string {
	return strings.Replace(family, "CONCURRENCY\n", concurrency, 1)
}

func TestPlay(t *testing.T) {
	t.Run("the parent gets what the child gave", func(t *testing.T) {
		w := newWorld(t)
		w.apply(parentAndChild("concurrency: { key: one, max: 1 }\n"))
		w.receive("a", 4) // the child sees the alert too
		w.finish(map[string]any{"seen": true})
		is(t, "parent", w.states("parent"), []string{"ok"})
		out, _ := w.output(w.runsOf("parent")[0].ID).(map[string]any)
		is(t, "output", out["status"], any("ok"))
	})
	t.Run("the end of the parent ends the child", func(t *testing.T) {
		w := newWorld(t)
		w.apply(parentAndChild("concurrency: { key: one, max: 1 }\n"))
		w.start("parent", nil)
		queued := w.start("parent", nil)
		is(t, "children", w.states("child"), []string{"running", "queued"})
		if err := w.runs.Cancel(t.Context(), queued, "person/ada", "no"); err != nil {
			t.Fatal(err)
		}
		is(t, "a child that waits", w.states("child"), []string{"running", "cancelled"})
		if err := w.runs.Cancel(t.Context(), w.runsOf("parent")[0].ID, "person/ada", "no"); err != nil {
			t.Fatal(err)
		}
		is(t, "a child that runs", w.states("child"), []string{"cancelled", "cancelled"})
		is(t, "parents", w.states("parent"), []string{"cancelled", "cancelled"})
		is(t, "calls", len(w.calls()), 0)
	})
	t.Run("the parent learns that the child was cancelled", func(t *testing.T) {
		w := newWorld(t)
		w.apply(parentAndChild("concurrency: { key: one, max: 1 }\n"))
		w.start("parent", nil)
		w.start("parent", nil)
		for _, child := range w.runsOf("child") {
			if err := w.runs.Cancel(t.Context(), child.ID, "person/ada", "no"); err != nil {
				t.Fatal(err)
			}
		}
		is(t, "parents", w.states("parent"), []string{"ok", "ok"})
	})
	t.Run("a child for which there is no place fails the step", func(t *testing.T) {
		w := newWorld(t)
		w.apply(parentAndChild("concurrency: { key: one, max: 1, when_full: drop }\n"))
		w.start("parent", nil)
		w.start("parent", nil)
		is(t, "parents", w.states("parent"), []string{"running", "ok"})
		is(t, "children", w.states("child"), []string{"running"})
	})
}

func TestTime(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: waits
on: { manual: true }
steps:
  - wait: 10m
  - wait: { until: "${{ timestamp('2026-11-23T09:00:00Z') }}" }
  - { id: event, wait: { event: case.opened, timeout: 1h } }
output: "${{ steps.event.timed_out }}"
---
kind: playbook
name: retries
on: { manual: true }
steps: [ { id: look, call: test.look, retry: { times: 2, backoff: 30s } } ]
`)
	waits, retries := w.start("waits", nil), w.start("retries", nil)
	key := w.calls()[0].Key
	w.fail(playbook.Error{Kind: playbook.Unavailable, Message: "down"})
	w.wake(5 * time.Minute)
	calls := w.calls()
	if len(calls) != 1 || calls[0].Attempt != 2 || calls[0].Key != key || calls[0].Run != retries {
		t.Errorf("second attempt: %+v", calls)
	}
	is(t, "10 minutes have not passed", w.open1(waits)[0].Due.Format("15:04"), "08:10")
	w.wake(6 * time.Minute)
	is(t, "until nine", w.open1(waits)[0].Due.Format("15:04"), "09:00")
	w.restart()
	w.wake(time.Hour)
	is(t, "waits for an event", w.open1(waits)[0].Event, "case.opened")
	w.wake(time.Hour)
	is(t, "the event did not come", w.output(waits), any(true))
}

// A run goes on with the version that it started with.
func TestVersionsArePinned(t *testing.T) {
	w := newWorld(t)
	text := func(n string) string {
		return `
kind: playbook
name: pinned
on: { manual: true }
steps: [ { id: look, call: test.look }, { set: { n: ` + n + ` } } ]
output: "${{ vars.n }}"
`
	}
	w.apply(text("1"))
	id := w.start("pinned", nil)
	w.apply(text("2"))
	w.restart()
	w.finish(map[string]any{})
	is(t, "the old", w.output(id), any(int64(1)))
	again, err := w.runs.Replay(t.Context(), id, "", "person/ada")
	check(w, 0, err)
	w.finish(map[string]any{})
	is(t, "a replay takes the one in force", w.output(again), any(int64(2)))
	old, err := w.runs.Replay(t.Context(), id, w.runsOf("pinned")[0].Version, "person/ada")
	check(w, 0, err)
	w.finish(map[string]any{})
	is(t, "or the one that is named", w.output(old), any(int64(1)))
	if got := w.story(old).Started; got.Trigger.ReplayOf != id || got.Requester != "person/ada" {
		t.Errorf("replay: %+v", got)
	}
}

func TestRetry(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: fails
on: { manual: true }
steps: [ { id: look, call: test.look }, { id: more, call: test.look } ]
`)
	id := w.start("fails", nil)
	if err := w.runs.Retry(t.Context(), id, "", "person/ada"); errs.KindOf(err) != errs.Conflict {
		t.Errorf("it goes on: %v", err)
	}
	w.finish(map[string]any{})
	w.fail(playbook.Error{Kind: playbook.Denied, Message: "no"})
	is(t, "it failed", w.states("fails"), []string{"failed"})
	before := w.log.Size()
	if err := w.runs.Retry(t.Context(), id, "nope", "person/ada"); err == nil {
		t.Error("there is no step nope")
	}
	is(t, "what is refused leaves no record", w.log.Size(), before)
	w.restart()
	if err := w.runs.Retry(t.Context(), id, "", "person/ada"); err != nil {
		t.Fatal(err)
	}
	is(t, "from the step that failed", len(w.calls()), 1)
	w.finish(map[string]any{})
	is(t, "it went well", w.states("fails"), []string{"ok"})
}

// What is in memory is what the records say, at every step.
func TestRunsAreRebuilt(t *testing.T) {
	const text = `
kind: playbook
name: long
on: { manual: true }
steps:
  - id: look
    call: test.look
  - parallel:
      ask:
        - { id: q, ask: { to: "#soc", title: "Go on?", answers: [go, no], expire: { after: 1h, answer: no } } }
      call:
        - { id: more, call: test.look, with: { big: "${{ steps.look.body }}" } }
output: { answer: "${{ steps.q.answer }}", size: "${{ size(steps.more.body) }}" }
`
	var stories [2]string
	for i, forget := range []bool{false, true} {
		w := newWorld(t)
		w.apply(text)
		pause := func() {
			if forget {
				w.runs.RolledBack()
				w.restart()
			}
		}
		id := w.start("long", nil)
		pause()
		w.finish(map[string]any{"status": 200, "body": strings.Repeat("x", 20_000)})
		pause()
		if c := w.calls()[0]; c.With.Blob == "" || c.With.JSON != nil || c.With.Size < 20_000 {
			t.Errorf("long arguments stand in the blob store: %+v", c.With)
		}
		w.finish(map[string]any{"status": 200, "body": "small"})
		pause()
		var q askstore.Question
		w.read(func(tx *view.Tx) error {
			qs, err := askstore.List(tx, askstore.Filter{Open: true, Limit: 2})
			q = qs[0]
			return err
		})
		if _, err := w.asks.Answer(t.Context(), q.ID, ask.Attempt{Person: "person/bob", Via: "api", Answer: "go"}); err != nil {
			t.Fatal(err)
		}
		is(t, "output", w.output(id), any(map[string]any{"answer": "go", "size": int64(5)}))
		b, err := json.Marshal(w.story(id))
		stories[i] = string(check(w, b, err))
	}
	is(t, "the story", stories[1], stories[0])
}

// Two things in one block: the second is for a step that the first has ended.
func TestWhatComesTooLateChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(`
kind: playbook
name: race
on: { manual: true }
steps:
  - parallel:
      a: [ { id: a, wait: { event: case.opened } }, { stop: first } ]
      b: [ { id: b, wait: { event: case.opened } } ]
`)
	w.start("race", nil)
	w.receive("x", 3)
	if n := len(w.recordsOf("alert.received")); n != 1 {
		t.Errorf("%d alerts", n)
	}
	w.runs.RolledBack()
	w.story(w.runsOf("race")[0].ID)
}

// recordsOf lists the records of a kind.
func (w *world) recordsOf(kind string) (out []ledger.Record) {
	w.Helper()
	check(w, 0, w.log.Range(0, w.log.Size(), func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		if err == nil && rec.Kind == kind {
			out = append(out, rec)
		}
		return err
	}))
	return out
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	w.apply(strings.Replace(limited, "WHEN", "queue", 1))
	for range 5 {
		w.start("limited", map[string]any{"host": "a"})
	}
	w.fail(playbook.Error{Kind: playbook.Denied, Message: "no"})
	for state, want := range map[string]int{"": 5, "open": 4, "queued": 3, "running": 1, "failed": 1, "ok": 0, "cancelled": 0} {
		w.read(func(tx *view.Tx) error {
			got, err := store.List(tx, store.Filter{State: state, Limit: 10})
			is(t, "state "+state, len(got), want)
			return err
		})
	}
	w.read(func(tx *view.Tx) error {
		page, err := store.List(tx, store.Filter{Limit: 2})
		if err != nil {
			return err
		}
		rest, err := store.List(tx, store.Filter{Limit: 10, Before: page[1].ID})
		is(t, "the next page", len(rest), 3)
		return err
	})
}
