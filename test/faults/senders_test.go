package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const hookSecret = "faults-hook-secret"

// sourceYAML is where alerts come in. Each event is an alert of its own; one
// that is sent again repeats it.
const sourceYAML = `
kind: source
name: siem
product: { vendor_name: Faults, name: SIEM }
verify: { scheme: header, header: X-Key, secret: HOOK }
map:
  uid: event.id
  title: event.title
  severity: event.severity
  src_endpoint: { ip: event.ip }
fingerprint: [event.id]
correlate: { by: [] }
`

// event is alert number i, with so many bytes of further text.
func event(i, more int) []byte {
	return fmt.Appendf(nil, `{"id":"evt-%06d","title":"Credential dumping on host %d","severity":"high","ip":"203.0.113.%d","more":"%s"}`, i, i, i%250, strings.Repeat("x", more))
}

// Senders send alerts as tools do: again and again until each is acknowledged.
type senders struct {
	addr string
	more int           // bytes of further text
	pace time.Duration // of one sender

	next    atomic.Int64
	total   int64
	refused atomic.Int64 // answers 5xx
	broken  atomic.Int64 // calls without an answer
	other   atomic.Int64 // any other answer
	acked   atomic.Int64
	done    chan struct{} // closed when all are acknowledged, or ctx ended

	mu  sync.Mutex
	ids map[string]int // guarded by mu; id of an acknowledged alert: number of the event
}

// send has so many senders send total events, beginning with number first.
func send(ctx context.Context, addr string, many int, first, total int64, more int) *senders {
	s := &senders{addr: addr, more: more, pace: 2 * time.Millisecond, total: first + total, done: make(chan struct{}), ids: map[string]int{}}
	s.next.Store(first)
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := s.next.Add(1) - 1; i < s.total && ctx.Err() == nil; i = s.next.Add(1) - 1 {
				s.until202(ctx, client, int(i))
			}
		})
	}
	go func() { wg.Wait(); close(s.done) }()
	return s
}

func (s *senders) until202(ctx context.Context, client *http.Client, i int) {
	for acked := false; !acked && ctx.Err() == nil; {
		if acked = s.once(ctx, client, i); acked {
			s.acked.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.pace):
		}
	}
}

// once sends one event and says whether it was acknowledged.
func (s *senders) once(ctx context.Context, client *http.Client, i int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/hooks/siem", bytes.NewReader(event(i, s.more)))
	if err != nil {
		s.other.Add(1)
		return false
	}
	req.Header.Set("X-Key", hookSecret)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		s.broken.Add(1)
		return false
	}
	defer func() { _ = res.Body.Close() }() // it was read
	b, err := io.ReadAll(res.Body)
	var answer struct{ Alerts []struct{ Alert string } }
	switch {
	case err != nil:
		s.broken.Add(1)
	case res.StatusCode >= 500:
		s.refused.Add(1)
	case res.StatusCode != http.StatusAccepted || json.Unmarshal(b, &answer) != nil || len(answer.Alerts) != 1:
		s.other.Add(1)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids[answer.Alerts[0].Alert] = i
		return true
	}
	return false
}

// wait waits until all are acknowledged.
func (s *senders) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		t.Fatalf("after a minute %d of %d alerts are acknowledged", s.acked.Load(), s.total)
	}
	if n := s.other.Load(); n > 0 {
		t.Errorf("%d answers were neither 202 nor 5xx", n)
	}
}

// inLedger checks that each acknowledged alert is the record that was named.
func (s *senders) inLedger(t *testing.T, data string) {
	t.Helper()
	lines := ledgerOf(t, data)
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := 0
	for id, i := range s.ids {
		seq, err := strconv.Atoi(strings.TrimPrefix(id, "alert/"))
		if err != nil {
			t.Fatalf("alert id %q", id)
		}
		want := fmt.Sprintf(`"evt-%06d"`, i)
		if seq >= len(lines) || !strings.Contains(lines[seq], want) || !strings.HasPrefix(lines[seq], fmt.Sprintf(`{"seq":%d,`, seq)) {
			lost++
			t.Errorf("%s was acknowledged for %s and is not in the ledger", id, want)
		}
		if lost > 5 {
			break
		}
	}
}
