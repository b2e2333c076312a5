package playbook

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// retry says how a step is tried again.
type retry struct {
	times        int
	backoff, max time.Duration
	constant     bool
	jitter       float64
	on           []string
}

// again reports whether another attempt follows the one that failed.
func (r *retry) again(attempt int, err *Error) bool {
	return r != nil && attempt <= r.times && err.retriable(r.on)
}

// delay is the wait before the next attempt: the backoff, less a share left to
// chance, but no less than what the server asked for. Chance is a hash of what
// is retried, so that the same run always waits the same.
func (r *retry) delay(run, action string, attempt int, err *Error) time.Duration {
	d := r.backoff
	for i := 1; i < attempt && d < r.max && !r.constant; i++ {
		d *= 2
	}
	d = min(d, r.max)
	d -= time.Duration(r.jitter * chance(run, action, attempt) * float64(d))
	d = max(d, min(err.RetryAfter, maxDelay))
	return max(d.Round(time.Millisecond), time.Millisecond)
}

// chance is a number from 0 to under 1.
func chance(run, action string, attempt int) float64 {
	h := sha256.Sum256([]byte(run + "\x00" + action + "\x00" + strconv.Itoa(attempt)))
	return float64(binary.BigEndian.Uint64(h[:8])>>11) / (1 << 53)
}
