package faults

import (
	"testing"
	"time"

	"beffroi.dev/internal/app"
)

const patient = `---
kind: connection
name: stub
base_url: STUB
allow_private: [127.0.0.1/32]
---
kind: playbook
name: patient
on: { alert: alert.severity_id >= 1 }
steps:
  - wait: 20m
  - id: first
    call: http
    connection: stub
    with: { method: POST, path: /first, body: { uid: "${{ alert.finding_info.uid }}" } }
  - id: sure
    ask:
      to: "#soc"
      title: "${{ alert.finding_info.title }}"
      answers: [yes, no]
      remind: [15m, 30m]
      expire: { after: 50m, answer: no }
  - id: second
    call: http
    connection: stub
    with: { method: POST, path: /second, body: { uid: "${{ alert.finding_info.uid }}" } }
`

// TestTheClockJumps sets the clock an hour forth and back while runs wait:
// records never go back in time, each timer fires once, each reminder comes
// once at most, and every run ends.
func TestTheClockJumps(t *testing.T) {
	t.Parallel()
	c, api := &clock{}, newStub(t, nil)
	n, stop := within(t, c)
	n.apply(documentsOf(patient, api), map[string]string{"HOOK": hookSecret})
	jumps := []time.Duration{
		0, time.Hour, -time.Hour, time.Hour, // the same hour twice
		-2 * time.Hour, 4 * time.Hour, time.Hour, time.Hour, time.Hour,
	}
	const each = 3
	total := 0
	for i, d := range jumps {
		c.jump(d)
		// New work has those asked who sleep by the clock as it was.
		s := send(t.Context(), n.addr, 1, int64(i*each), each, 0)
		s.wait(t)
		total += each
		<-time.After(300 * time.Millisecond)
	}
	finished := func() int { return len(n.records("run.finished")) }
	for i := 0; finished() < total && i < 12; i++ {
		c.jump(21 * time.Minute)
		s := send(t.Context(), n.addr, 1, int64(1000+i), 1, 0)
		s.wait(t)
		total++
		<-time.After(300 * time.Millisecond)
	}
	c.jump(3 * time.Hour)
	n.until("all timers fire", time.Minute, func() bool { return len(n.records("ask.asked")) == total })
	c.jump(3 * time.Hour)
	n.until("every run ends", time.Minute, func() bool { return finished() == total })
	reminded := map[string]int{}
	for _, r := range n.records("ask.reminded") {
		reminded[r.Subject]++
	}
	for subject, times := range reminded {
		if times > 2 {
			t.Errorf("%s: %d reminders, want two at most", subject, times)
		}
	}
	if asked := len(n.records("ask.asked")); asked != total {
		t.Errorf("%d questions, want %d", asked, total)
	}
	if expired := len(n.records("ask.expired")); expired != total {
		t.Errorf("%d questions passed their deadline, want %d", expired, total)
	}
	for _, r := range n.runs() {
		if r.State != "ok" {
			t.Errorf("run %d: %s", r.ID, r.State)
		}
	}
	stop()
	api.check(t, 2*total)
	r, err := app.VerifyLedger(t.Context(), n.data, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Backwards != 0 {
		t.Errorf("%d records are older than the one before, the first is %d, by %s", r.Backwards, r.BackwardsAt, r.BackwardsMost)
	}
	if err := app.VerifyView(t.Context(), n.data); err != nil {
		t.Error(err)
	}
	t.Logf("%d runs over %d jumps, %d records, %d questions reminded", total, len(jumps), r.Records, len(reminded))
}
