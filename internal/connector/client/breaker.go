package client

import (
	"fmt"
	"sync"
	"time"

	"beffroi.dev/internal/connector"
)

// When calls are held back, and for how long.
const (
	breakAfter = 10 // failures in a row
	breakFirst = 5 * time.Second
	breakMost  = 2 * time.Minute
)

// A verdict is what a call says about the other side.
type verdict int

const (
	neither verdict = iota // nothing: it was not reached through no fault of its own
	healthy
	down
)

// A breaker holds calls back while the other side is down. After breakAfter
// failures in a row it is open for a while; then one call, the probe, may try:
// if it succeeds all may, if not the wait doubles.
type breaker struct {
	off bool // never holds back

	mu       sync.Mutex
	failures int           // in a row; guarded by mu
	wait     time.Duration // 0: closed; guarded by mu
	until    time.Time     // while open, when the next probe may go; guarded by mu
	probing  bool          // guarded by mu
}

// A pass lets one call through; probe says that all others wait for it.
type pass struct{ probe bool }

func (b *breaker) enter(now time.Time) (pass, error) {
	if b.off {
		return pass{}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wait == 0 {
		return pass{}, nil
	}
	if left := b.until.Sub(now); left > 0 || b.probing {
		left = max(left, time.Second)
		return pass{}, &connector.Failure{
			Class: connector.Unavailable, RetryAfter: left,
			Msg: fmt.Sprintf("not called: the last %d calls failed; the next may be tried in %s", b.failures, left.Round(time.Second)),
		}
	}
	b.probing = true
	return pass{probe: true}, nil
}

// leave takes the verdict of a call. It returns for how long calls are held
// back from now on, 0 if that did not change.
func (b *breaker) leave(p pass, now time.Time, v verdict) time.Duration {
	if b.off {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.probe {
		b.probing = false
	}
	switch v {
	case healthy:
		b.failures, b.wait = 0, 0
	case down:
		b.failures++
		switch {
		case p.probe:
			b.wait = min(2*b.wait, breakMost)
		case b.wait == 0 && b.failures >= breakAfter:
			b.wait = breakFirst
		default:
			return 0
		}
		b.until = now.Add(b.wait)
		return b.wait
	case neither:
	}
	return 0
}
