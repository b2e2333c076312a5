package intake

import (
	"sync"
	"time"
)

// replays remembers proofs for as long as they are fresh. It keeps two
// generations: when the younger is old enough for all of its proofs to be
// stale, or full, the older is forgotten. Only what was signed gets in, so
// strangers cannot fill it. It does not outlast the process; a replay that
// finds an alert already there joins it as a repetition.
type replays struct {
	mu         sync.Mutex
	young, old map[string]bool // guarded by mu
	since      time.Time       // when young was begun; guarded by mu
}

// maxReplays bounds each generation: more than 200 calls a second for as long
// as a signature is fresh.
const maxReplays = 1 << 17

// first reports whether proof is new, and remembers it.
func (r *replays) first(proof string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A proof is fresh from freshness before its time until freshness after.
	if age := now.Sub(r.since); r.young == nil || age > 2*freshness || age < 0 || len(r.young) >= maxReplays {
		r.old, r.young, r.since = r.young, map[string]bool{}, now
	}
	if r.young[proof] || r.old[proof] {
		return false
	}
	r.young[proof] = true
	return true
}

// forget takes back a proof whose call failed, so that it may be sent again.
func (r *replays) forget(proof string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, proof)
	delete(r.old, proof)
}
