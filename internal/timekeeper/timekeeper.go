// Package timekeeper wakes what is due: runs that wait for a time, questions
// that need a reminder, schedules, objectives. It knows none of them; each says
// when it wants to be asked next.
//
// What is due follows from the view, so nothing is lost while no node is there,
// and a clock that jumps only makes things due at once or later: no duty is
// left alone for longer than a bound that does not depend on that clock. Many
// changes at once cost one asking. A duty that fails is asked again, later each
// time, and holds up no other; one that panics fails.
package timekeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// A Duty does what is due and returns when it wants to be asked next; zero
// means only when something changes. It is asked again after an error.
type Duty struct {
	Name string
	Do   func(ctx context.Context) (next time.Time, err error)
}

// Config says what a Timekeeper needs. Now and Log are required.
type Config struct {
	Duties []Duty
	Now    func() time.Time
	// Longest is how long a duty is left alone at most, so that a clock that
	// was set, or a missed wake, costs no more. 0 means 15 seconds.
	Longest time.Duration
	Log     *slog.Logger
}

// A Timekeeper asks its duties while Run runs.
type Timekeeper struct {
	c     Config
	wakes []chan struct{} // one for each duty, holding at most one wake
}

// New checks c and starts nothing.
func New(c Config) (*Timekeeper, error) {
	if c.Now == nil || c.Log == nil {
		return nil, errors.New("internal error: timekeeper needs a clock and a log")
	}
	if c.Longest == 0 {
		c.Longest = 15 * time.Second
	}
	t := &Timekeeper{c: c}
	for range c.Duties {
		t.wakes = append(t.wakes, make(chan struct{}, 1))
	}
	return t, nil
}

// Wake has a duty asked again soon, or all of them when none is named:
// something changed. It does not block. What it says before Run, or while the
// duty is at work, is not lost.
func (t *Timekeeper) Wake(names ...string) {
	for i, d := range t.c.Duties {
		if len(names) > 0 && !slices.Contains(names, d.Name) {
			continue
		}
		select {
		case t.wakes[i] <- struct{}{}:
		default:
		}
	}
}

// Run asks each duty at once, and then when it is due, until ctx ends.
func (t *Timekeeper) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for i, d := range t.c.Duties {
		all.Go(func() { t.keep(ctx, d, t.wakes[i]) })
	}
	all.Wait()
	return nil
}

const (
	// pause is the least time between two askings of a duty.
	pause = 50 * time.Millisecond
	// firstRetry is how long a duty that failed is left alone. It doubles with
	// each failure, up to Longest; nothing wakes the duty earlier.
	firstRetry = time.Second
)

func (t *Timekeeper) keep(ctx context.Context, d Duty, wake <-chan struct{}) {
	retry := min(firstRetry, t.c.Longest)
	for ctx.Err() == nil {
		select {
		case <-wake: // what changed before this asking needs no other
		default:
		}
		next, err := ask(ctx, d)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			t.c.Log.ErrorContext(ctx, "duty failed", "duty", d.Name, "err", err, "again_in", retry)
			sleep(ctx, retry, nil)
			retry = min(2*retry, t.c.Longest)
		default:
			retry = min(firstRetry, t.c.Longest)
			wait := t.until(next)
			sleep(ctx, pause, nil)
			sleep(ctx, wait-pause, wake)
		}
	}
}

// until is how long a duty is left alone.
func (t *Timekeeper) until(next time.Time) time.Duration {
	if next.IsZero() {
		return t.c.Longest
	}
	return min(next.Sub(t.c.Now()), t.c.Longest)
}

// sleep returns after d, or earlier when ctx ends or something is received.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

func ask(ctx context.Context, d Duty) (next time.Time, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return d.Do(ctx)
}
