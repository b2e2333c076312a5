package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"beffroi.dev/internal/secret"
)

// demoSecrets are those of the simulated tools: they open nothing else.
var demoSecrets = map[string]string{
	"SLACK_BOT_TOKEN":      "xoxb-simulated-workspace",
	"SLACK_SIGNING_SECRET": "simulated-signing-secret",
	"THREAT_INTEL_TOKEN":   "simulated-threat-intel",
	"EDR_TOKEN":            "simulated-edr",
	"TICKETS_TOKEN":        "simulated-tickets",
}

// demoTools are the simulated APIs that the playbooks call: threat intelligence,
// an EDR that contains hosts, and tickets. They honour idempotency keys, as the
// real ones do, and count.
type demoTools struct {
	*http.ServeMux

	mu     sync.Mutex
	seen   map[string]any // guarded by mu; answers by idempotency key
	counts map[string]int // guarded by mu; by what was done
}

func newDemoTools() *demoTools {
	t := &demoTools{ServeMux: http.NewServeMux(), seen: map[string]any{}, counts: map[string]int{}}
	t.HandleFunc("GET /threat-intel/hosts/{host}", t.with("THREAT_INTEL_TOKEN", "looked up", func(r *http.Request) any {
		sum := sha256.Sum256([]byte(r.PathValue("host")))
		return map[string]any{"host": r.PathValue("host"), "seen": int(sum[0]) % 9}
	}))
	t.HandleFunc("POST /edr/devices/contain", t.with("EDR_TOKEN", "hosts contained", func(*http.Request) any {
		return map[string]any{"status": "contained"}
	}))
	t.HandleFunc("POST /tickets/issues", t.with("TICKETS_TOKEN", "tickets opened", func(*http.Request) any {
		return map[string]any{"key": fmt.Sprintf("SEC-%d", 101+t.counts["tickets opened"])}
	}))
	return t
}

// with checks the token and does a thing once for each idempotency key.
func (t *demoTools) with(token, what string, f func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		w.Header().Set("Content-Type", "application/json")
		if !secret.Equal(given, demoSecrets[token]) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"wrong token"}`))
			return
		}
		t.mu.Lock()
		key := r.Header.Get("Idempotency-Key")
		v, done := t.seen[key]
		if !done || key == "" {
			v = f(r)
			t.counts[what]++
			t.seen[key] = v
		}
		t.mu.Unlock()
		if err := json.NewEncoder(w).Encode(v); err != nil {
			return // the client went away
		}
	}
}

// count is how often a thing was done.
func (t *demoTools) count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}
