package faults

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// forward is the playbook of most campaigns: two effects, one after the other.
const forward = `---
kind: connection
name: stub
base_url: STUB
allow_private: [127.0.0.1/32]
---
kind: playbook
name: forward
on: { alert: alert.severity_id >= 1 }
steps:
  - id: first
    call: http
    connection: stub
    with: { method: POST, path: /first, body: { uid: "${{ alert.finding_info.uid }}" } }
    retry: { times: 50, backoff: 100ms, max: 1s }
  - set: { seen: true }
  - id: second
    call: http
    connection: stub
    with: { method: POST, path: /second, body: { uid: "${{ alert.finding_info.uid }}" } }
    retry: { times: 50, backoff: 100ms, max: 1s }
`

// TestKilledAtRandom kills a node with SIGKILL again and again while runs go on,
// at times while it still starts.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	r := dice(t)
	runs, kills := pick(300, 1000), pick(4, 20)
	api := newStub(t, r)
	n := newNode(t, filepath.Join(t.TempDir(), "data"))
	n.prepare(documents(api))
	all := send(t.Context(), n.addr, 8, 0, int64(runs), 0)
	var recoveries []time.Duration
	early := 0
	for k := range kills {
		// Kills are spread over the effects, so that each meets another moment of the runs.
		for began := time.Now(); api.done() < 2*runs*(k+1)/(kills+2); {
			if time.Since(began) > time.Minute {
				t.Fatalf("nothing goes on after %d kills: %d effects\n%s", k, api.done(), n.said())
			}
			<-time.After(time.Millisecond)
		}
		<-time.After(time.Duration(r.IntN(10_000)) * time.Microsecond)
		n.kill()
		for range k % 3 {
			n.launch()
			<-time.After(time.Duration(r.IntN(150)) * time.Millisecond)
			n.kill()
			early++
		}
		if out, err := beffroi(t, "ledger", "verify", "--data", n.data); err != nil {
			t.Errorf("after kill %d: %v\n%s", k, err, out)
		}
		if err := n.start(); err != nil {
			t.Fatalf("after kill %d: %v", k, err)
		}
		recoveries = append(recoveries, n.took)
	}
	all.wait(t)
	behind := n.settle(time.Minute)
	list := n.runs()
	for _, r := range list {
		if r.State != "ok" || r.Ended == nil {
			t.Errorf("run %d: %+v", r.ID, r)
		}
	}
	if len(list) != runs {
		t.Errorf("%d runs, want %d", len(list), runs)
	}
	n.stop()
	api.check(t, 2*runs)
	all.inLedger(t, n.data)
	if err := verify(t, n.data); err != nil {
		t.Error(err)
	}
	slices.Sort(recoveries)
	t.Logf("%d runs, %d kills and %d while starting; %d calls for %d effects; %d calls to the hook without an answer, %d refused; start after a kill: median %s, longest %s; behind at the end %s",
		runs, kills, early, api.calls, api.done(), all.broken.Load(), all.refused.Load(), recoveries[len(recoveries)/2], recoveries[len(recoveries)-1], behind)
}
