package faults

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A stub is an API that honours idempotency keys, counts what it really does,
// and is in a bad mood at times: it is slow, says 503 before it did anything,
// or says so after it did.
type stub struct {
	*httptest.Server

	mu      sync.Mutex
	r       *rand.Rand                 // guarded by mu; nil while in a good mood
	calls   int                        // guarded by mu
	effects map[string]string          // guarded by mu; by key: what was done
	keys    map[string]map[string]bool // guarded by mu; by what was asked for: the keys
}

// newStub starts one; without dice it is always in a good mood.
func newStub(t *testing.T, r *rand.Rand) *stub {
	t.Helper()
	s := &stub{effects: map[string]string{}, keys: map[string]map[string]bool{}}
	if r != nil {
		s.r = rand.New(rand.NewPCG(r.Uint64(), 1)) //nolint:gosec // dice that can be thrown again
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// mood is how a call goes: how long it takes, and whether it fails before or
// after it was done.
func (s *stub) mood() (slow time.Duration, before, after bool) {
	if s.r == nil {
		return 0, false, false
	}
	slow = time.Duration(s.r.IntN(30)) * time.Millisecond
	if s.r.IntN(20) == 0 {
		slow += 300 * time.Millisecond
	}
	k := s.r.IntN(100)
	return slow, k < 10, k >= 10 && k < 15
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ UID string }
	b, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(b, &in) != nil {
		return // the node was killed while it sent
	}
	s.mu.Lock()
	s.calls++
	slow, before, after := s.mood()
	s.mu.Unlock()
	<-time.After(slow)
	if !before {
		s.do(r.Header.Get("Idempotency-Key"), r.URL.Path+" "+in.UID)
	}
	if before || after {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true}`) // the node may have been killed
}

// do has an effect, once for each key.
func (s *stub) do(key, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[what] == nil {
		s.keys[what] = map[string]bool{}
	}
	s.keys[what][key] = true
	s.effects[key] = what
}

// done is how many effects there were.
func (s *stub) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.effects)
}

// check says that each of the things was done, and under one key only.
func (s *stub) check(t *testing.T, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, keys := range s.keys {
		if len(keys) != 1 || keys[""] {
			t.Errorf("%s was done under the keys %v", what, keys)
		}
	}
	if len(s.effects) != want || len(s.keys) != want {
		t.Errorf("%d effects of %d kinds, want %d", len(s.effects), len(s.keys), want)
	}
}

// documents are those of the campaigns that call s.
func documents(s *stub) string { return documentsOf(forward, s) }

func documentsOf(playbook string, s *stub) string {
	return sourceYAML + strings.ReplaceAll(playbook, "STUB", s.URL)
}
