package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

const source = `
kind: source
name: siem
product: { vendor_name: Bench, name: SIEM }
verify: { scheme: header, header: X-Key, secret: HOOK }
map:
  uid: event.id
  title: event.title
  severity: event.severity
  src_endpoint: { ip: event.ip }
fingerprint: [event.id]
correlate: { by: [] }
`

const key = "X-Key: bench-secret\r\n"

// event is an alert of the bench: each is another.
func event(sender, i int) []byte {
	return fmt.Appendf(nil, `{"id":"%d-%d","title":"Credential dumping on host %d","severity":"high","ip":"203.0.113.%d","rule":{"name":"lsass","tags":["T1003","credentials"]},"user":{"name":"svc-%d","domain":"corp"},"message":"A process read the memory of lsass.exe"}`, sender, i, sender, i%250, i%50)
}

func (b *lab) ready(ctx context.Context, yaml string) (*node, error) {
	n, err := b.start(ctx, "", "")
	if err != nil {
		return nil, err
	}
	if _, err := n.do(http.MethodPut, "/secrets/HOOK", map[string]string{"value": "bench-secret"}); err != nil {
		return nil, err
	}
	return n, n.apply(source + yaml)
}

func benchIdle(ctx context.Context, b *lab) error {
	n, err := b.start(ctx, "", "")
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	mem, err := n.resident()
	if err != nil {
		return err
	}
	b.report(figure{"idle/resident", mem, "MiB"})
	return n.stop()
}

func benchRuns(ctx context.Context, b *lab) error {
	var calls atomic.Int64
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer stub.Close()
	n, err := b.ready(ctx, `---
kind: connection
name: stub
base_url: `+stub.URL+`
allow_private: [127.0.0.1/32]
---
kind: playbook
name: forward
on: { alert: alert.severity_id >= 1 }
steps:
  - if: alert.severity_id >= 4
    then:
      - id: call
        call: http
        connection: stub
        with: { method: POST, path: /alerts, body: { title: "${{ alert.finding_info.title }}" } }
`)
	if err != nil {
		return err
	}
	took, elapsed, err := n.load(64, time.Duration(b.seconds)*time.Second, "/hooks/siem", key, event)
	if err != nil {
		return err
	}
	mem, err := n.resident()
	if err != nil {
		return err
	}
	// The load ends when the last run has: what is behind counts.
	began := time.Now()
	for calls.Load() < int64(len(took)) && time.Since(began) < time.Minute {
		time.Sleep(time.Millisecond)
	}
	open, err := n.openRuns()
	for ; err == nil && open > 0 && time.Since(began) < time.Minute; open, err = n.openRuns() {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return err
	}
	elapsed += time.Since(began)
	b.report(figure{"runs/finished", float64(len(took)) / elapsed.Seconds(), "runs/s"})
	b.report(figure{"runs/behind", float64(time.Since(began).Milliseconds()), "ms"})
	b.report(figure{"runs/ack_p50", percentile(took, 0.5), "ms"})
	b.report(figure{"runs/ack_p99", percentile(took, 0.99), "ms"})
	p50, p99, err := n.runTimes()
	if err != nil {
		return err
	}
	b.report(figure{"runs/run_p50", p50, "ms"})
	b.report(figure{"runs/run_p99", p99, "ms"})
	b.report(figure{"runs/resident", mem, "MiB"})
	cpu, err := n.cpu()
	if err != nil {
		return err
	}
	b.report(figure{"runs/cpu_each", float64(cpu.Microseconds()) / float64(len(took)), "us"})
	b.report(figure{"runs/calls_per_run", float64(calls.Load()) / float64(len(took)), "calls"})
	return n.stop()
}

func (n *node) openRuns() (int, error) {
	var out struct{ Items []struct{} }
	b, err := n.get("/runs?state=open&limit=1")
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return 0, err
	}
	return len(out.Items), nil
}

// runTimes are percentiles of the time from start to end of a sample of runs.
func (n *node) runTimes() (p50, p99 float64, err error) {
	var took []time.Duration
	cursor := ""
	for range 20 {
		var out struct {
			Items []struct {
				State          string
				Started, Ended time.Time
			}
			Next string
		}
		b, err := n.get("/runs?limit=500&cursor=" + cursor)
		if err != nil {
			return 0, 0, err
		}
		if err := json.Unmarshal(b, &out); err != nil {
			return 0, 0, err
		}
		for _, r := range out.Items {
			if r.State != "ok" {
				return 0, 0, fmt.Errorf("a run ended %s", r.State)
			}
			took = append(took, r.Ended.Sub(r.Started))
		}
		if cursor = out.Next; cursor == "" {
			break
		}
	}
	sortDurations(took)
	return percentile(took, 0.5), percentile(took, 0.99), nil
}

func benchSteps(ctx context.Context, b *lab) error {
	n, err := b.ready(ctx, `---
kind: playbook
name: steps
on: { manual: true }
steps:
  - set: { a: 1 }
  - set: { b: "${{ vars.a + 1 }}" }
  - set: { c: "${{ vars.b + 1 }}" }
output: "${{ vars.c }}"
`)
	if err != nil {
		return err
	}
	s, err := dial(n.addr)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	var took []time.Duration
	for range 3000 {
		t := time.Now()
		status, err := s.post("/api/v1/runs", "Authorization: Bearer "+n.token+"\r\n", []byte(`{"playbook":"steps"}`))
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		took = append(took, time.Since(t))
	}
	took = took[500:]
	sortDurations(took)
	b.report(figure{"steps/p50", percentile(took, 0.5), "ms"})
	b.report(figure{"steps/p95", percentile(took, 0.95), "ms"})
	return n.stop()
}

func benchAlerts(ctx context.Context, b *lab) error {
	n, err := b.ready(ctx, "")
	if err != nil {
		return err
	}
	took, elapsed, err := n.load(256, time.Duration(b.seconds)*time.Second, "/hooks/siem", key, event)
	if err != nil {
		return err
	}
	mem, err := n.resident()
	if err != nil {
		return err
	}
	b.report(figure{"alerts/durable", float64(len(took)) / elapsed.Seconds(), "alerts/s"})
	b.report(figure{"alerts/p50", percentile(took, 0.5), "ms"})
	b.report(figure{"alerts/p99", percentile(took, 0.99), "ms"})
	b.report(figure{"alerts/resident", mem, "MiB"})
	cpu, err := n.cpu()
	if err != nil {
		return err
	}
	b.report(figure{"alerts/cpu_each", float64(cpu.Microseconds()) / float64(len(took)), "us"})
	return n.stop()
}

func benchParked(ctx context.Context, b *lab) error {
	const runs = 10_000
	n, err := b.ready(ctx, `---
kind: playbook
name: ask
on: { alert: alert.severity_id >= 1 }
steps:
  - id: q
    ask: { channel: "#soc", title: "${{ alert.finding_info.title }}", answers: [yes, no], remind: 12h }
`)
	if err != nil {
		return err
	}
	s, err := dial(n.addr)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	for i := 0; i < runs; i += 500 {
		var batch []string
		for j := range 500 {
			batch = append(batch, string(event(i, j)))
		}
		if status, err := s.post("/hooks/siem", key, []byte("["+strings.Join(batch, ",")+"]")); err != nil || status != http.StatusAccepted {
			return fmt.Errorf("status %d: %w", status, err)
		}
	}
	if err := n.stop(); err != nil {
		return err
	}
	again, err := b.start(ctx, n.data, n.token)
	if err != nil {
		return err
	}
	b.report(figure{"parked/start", again.took.Seconds(), "s"})
	time.Sleep(2 * time.Second)
	mem, err := again.resident()
	if err != nil {
		return err
	}
	b.report(figure{"parked/resident", mem, "MiB"})
	return again.stop()
}
