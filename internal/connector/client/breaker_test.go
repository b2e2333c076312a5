package client

import (
	"errors"
	"testing"
	"time"

	"beffroi.dev/internal/connector"
)

// TestBreaker plays a story: each line is a moment, a verdict (or whether the
// call is let in at all), and what the breaker says.
func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Unix(0, 0)
	in := func(probe bool) pass {
		t.Helper()
		p, err := b.enter(now)
		if err != nil || p.probe != probe {
			t.Fatalf("at %v: not let in as probe=%v: %v", now.Unix(), probe, err)
		}
		return p
	}
	held := func(want time.Duration) {
		t.Helper()
		_, err := b.enter(now)
		var f *connector.Failure
		if !errors.As(err, &f) || f.Class != connector.Unavailable || f.RetryAfter != want || f.Sent {
			t.Fatalf("at %v: got %+v, want to be held back for %v", now.Unix(), err, want)
		}
	}
	for range breakAfter - 1 {
		b.leave(in(false), now, down)
	}
	b.leave(in(false), now, healthy) // a success: the count begins anew
	for range breakAfter - 1 {
		b.leave(in(false), now, down)
	}
	b.leave(in(false), now, neither)
	late := in(false)
	if opened := b.leave(in(false), now, down); opened != breakFirst {
		t.Fatalf("after %d failures: open for %v", breakAfter, opened)
	}
	held(breakFirst)
	if b.leave(late, now.Add(time.Second), down) != 0 {
		t.Fatal("a call that had begun before made the wait longer")
	}
	now = now.Add(4 * time.Second)
	held(time.Second)
	now = now.Add(time.Second)
	probe := in(true)
	held(time.Second) // one probe at a time
	if wait := b.leave(probe, now, down); wait != 2*breakFirst {
		t.Fatalf("after a failed probe: %v", wait)
	}
	held(2 * breakFirst)
	now = now.Add(2 * breakFirst)
	b.leave(in(true), now, neither) // a probe that was given up says nothing
	for wait := 4 * breakFirst; wait < 8*breakMost; wait *= 2 {
		if got := b.leave(in(true), now, down); got != min(wait, breakMost) {
			t.Fatalf("waits %v, want %v", got, min(wait, breakMost))
		}
		now = now.Add(breakMost)
	}
	b.leave(in(true), now, healthy)
	in(false)
	in(false)
}
