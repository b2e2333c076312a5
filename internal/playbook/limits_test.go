package playbook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// numbers is a list of n numbers.
func numbers(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = int64(i)
	}
	return list
}

// finishAll answers open calls until the run ends.
func finishAll(t testing.TB, p *Playbook, r Run) (Run, int) {
	t.Helper()
	n := 0
	for r.Status() == Running {
		a := r.Open()[0]
		var err error
		if r, _, err = Step(p, r, Event{Kind: Finished, At: start, Action: a.Action}); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return r, n
}

// TestLimits: what is too much fails with a clear error, finally still runs,
// and nothing catches it.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, steps string
		n           int
		want        string
		calls       int
	}{
		{"a list as long as allowed", `[{ each: alert.list, do: [ { set: { x: 1 } } ] }]`, maxItems, "", 1},
		{
			"a list that is too long", `[{ id: e, each: alert.list, do: [ { set: { x: 1 } } ] }]`, maxItems + 1,
			"e: each: the list has 10001 items, 10000 are allowed", 1,
		},
		{
			"too many actions", `[{ each: alert.list, on_error: continue, do: [ { each: alert.list, do: [ { id: c, call: intel.ip, on_error: continue } ] } ] }]`, 110,
			"each-1[90].each-2[100].c: the run has more than 10000 actions", maxActions + 1,
		},
		{
			"too many steps", `[{ each: alert.list, on_error: continue, do: [ { each: alert.list, on_error: continue, do: [ { set: { x: 1 }, on_error: continue } ] } ] }]`, maxItems,
			"each-1[9].each-2[9989].set-1: the run has more than 100000 steps", 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, "kind: playbook\nname: x\nsteps: "+tt.steps+"\nfinally: [ { call: mail.send } ]\n")
			r, _ := Start(p, Init{Alert: map[string]any{"list": numbers(tt.n)}, Trace: true}, start)
			r, calls := finishAll(t, p, r)
			f, _ := r.Finish()
			if got := errorText(f.Error); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			if calls != tt.calls {
				t.Errorf("%d calls, want %d", calls, tt.calls)
			}
			if entries, _ := r.Trace(); len(entries) > maxTrace {
				t.Errorf("%d entries in the trace", len(entries))
			}
		})
	}
}

func TestDepthAndSize(t *testing.T) {
	deep := strings.Repeat(`{"if": "true", "then": [`, maxDepth) + `{"call": "intel.ip"}` + strings.Repeat(`]}`, maxDepth)
	for src, want := range map[string]string{
		"steps: [" + deep + "]": "steps nest deeper than 32; move the inner steps to a playbook of their own and play it",
		"steps: [" + strings.Repeat("{ call: intel.ip }, ", maxSteps) + "{ call: intel.ip }]": "the playbook has more than 1000 steps",
	} {
		docs := parse(t, "x.yaml", "kind: playbook\nname: x\n"+src+"\n")
		_, err := Compile(docs[0], testSet(t), testCatalog)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestManyOpen: thousands of actions at once are not slow.
func TestManyOpen(t *testing.T) {
	p := compile(t, "kind: playbook\nname: x\nsteps: [ { each: alert.list, parallel: 100, do: [ { each: alert.list, parallel: 100, do: [ { call: intel.ip } ] } ] } ]\n")
	r, cmds := Start(p, Init{Alert: map[string]any{"list": numbers(60)}}, start)
	if len(cmds) != 3600 || len(r.Open()) != 3600 {
		t.Fatalf("%d commands, %d open", len(cmds), len(r.Open()))
	}
	r, cmds, err := Step(p, r, Event{Kind: Cancelled, At: start})
	if err != nil || len(cmds) != 3601 || r.Status() != WasCancelled {
		t.Fatalf("%d commands, %s, %v", len(cmds), r.Status(), err)
	}
}

// benchRun compiles a playbook and prepares an alert for benchmarks.
func benchRun(b *testing.B, src string) (*Playbook, Init) {
	return compile(b, "kind: playbook\nname: bench\nsteps:\n"+src), Init{Run: "run/1", Alert: map[string]any{
		"severity_id": int64(5), "src_endpoint": map[string]any{"ip": "203.0.113.7"}, "device": map[string]any{"uid": "host-9"},
		"finding_info": map[string]any{"title": "Mimikatz"}, "metadata": map[string]any{"product": map[string]any{"name": "Elastic"}},
	}}
}

// BenchmarkNoOp: three steps that do nothing outside, start to finish.
func BenchmarkNoOp(b *testing.B) {
	p, init := benchRun(b, "  - set: { a: 1 }\n  - set: { b: two }\n  - set: { c: [3] }\n")
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := Start(p, init, start); r.Status() != OK {
			b.Fatal(r.Finish())
		}
	}
}

// BenchmarkCallRun: a condition and a call, start to finish.
func BenchmarkCallRun(b *testing.B) {
	p, init := benchRun(b, "  - if: alert.severity_id >= 4\n    then:\n      - { id: c, call: edr.contain, with: { host: \"${{ alert.device.uid }}\" } }\n")
	e := Event{Kind: Finished, At: start, Action: "c", Result: map[string]any{"status": int64(200), "headers": nil, "body": nil}}
	b.ReportAllocs()
	for b.Loop() {
		r, _ := Start(p, init, start)
		r, cmds, err := Step(p, r, e)
		if err != nil || r.Status() != OK || len(cmds) != 1 {
			b.Fatal(err, cmds)
		}
	}
}

// BenchmarkEach: the cost of one item of an each does not grow with the list.
func BenchmarkEach(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		p, init := benchRun(b, "  - { each: alert.list, do: [ { set: { x: \"${{ item }}\" } } ] }\n")
		init.Alert["list"] = numbers(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Start(p, init, start)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/item")
		})
	}
}

// BenchmarkMatches: does an alert start the playbook?
func BenchmarkMatches(b *testing.B) {
	p := compile(b, "kind: playbook\nname: x\non: { alert: 'alert.severity_id >= 4 && alert.metadata.product.name == \"Elastic\"' }\nsteps: [ { call: intel.ip } ]\n")
	_, init := benchRun(b, "  - call: intel.ip\n")
	b.ReportAllocs()
	for b.Loop() {
		if yes, _, err := p.Matches(init.Alert, nil, start); !yes || err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParked reports what a run weighs that waits for an answer.
func BenchmarkParked(b *testing.B) {
	p, init := benchRun(b, `  - { id: look, call: intel.ip, with: { ip: "${{ alert.src_endpoint.ip }}" } }
  - id: triage
    ask:
      channel: "#soc"
      title: "${{ alert.finding_info.title }}"
      fields: { Source: "${{ alert.src_endpoint.ip }}" }
      answers: [contain, acknowledge, false_positive]
      remind: 15m
      escalate: { after: 1h, to: team/blue }
`)
	parked := make([]Run, 0, 10_000)
	for b.Loop() {
		r, _ := Start(p, init, start)
		r, _, err := Step(p, r, Event{Kind: Finished, At: start, Action: "look", Result: map[string]any{"status": int64(200)}})
		if err != nil {
			b.Fatal(err)
		}
		if len(parked) < cap(parked) {
			parked = append(parked, r)
		}
	}
	b.StopTimer()
	with := heapBytes()
	n := len(parked)
	clear(parked)
	b.ReportMetric(float64(with-heapBytes())/float64(n), "B/run")
}

// BenchmarkCompile: what a plan, and the start of a node, cost a playbook.
func BenchmarkCompile(b *testing.B) {
	docs := parse(b, "x.yaml", "kind: playbook\nname: x\nsteps:\n"+strings.Repeat("  - { call: intel.ip, if: alert.severity_id > 3, with: { ip: \"${{ alert.src_endpoint.ip }}\" } }\n", 10))
	set := testSet(b)
	for b.Loop() {
		if _, err := Compile(docs[0], set, testCatalog); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNextFire(b *testing.B) {
	paris := zone(b, "Europe/Paris")
	at := start
	for b.Loop() {
		var err error
		if at, err = NextFire("0 8 * * mon-fri", paris, at); err != nil {
			b.Fatal(err)
		}
		if at.Sub(start) > 20*365*24*time.Hour {
			at = start
		}
	}
}
