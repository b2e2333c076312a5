// Package timekeeper wakes what is due: runs that wait for a time, questions
// that need a reminder, schedules, objectives. It knows none of them; each says
// when it wants to be asked next.
//
// What is due follows from the view, so nothing is lost while no node is there,
// and a clock that jumps only makes things due at once or later.
package timekeeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Duty does what is due and returns when it wants to be asked next; zero
// means only when something changes. It is asked again after an error.
type Duty struct {
	Name string
	Do   func(ctx context.Context) (next time.Time, err error)
}

// Config says what a Timekeeper needs. Duties, Now and Log are required.
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
	c Config

	mu    sync.Mutex
	wakes []chan struct{} // guarded by mu; one for each duty, holding at most one wake
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

// Wake has all duties asked again soon: something changed. It does not block.
func (t *Timekeeper) Wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Run asks the duties until ctx ends.
func (t *Timekeeper) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, d := range t.c.Duties {
		g.Go(func() error {
			t.keep(ctx, d, t.wakes[i])
			return nil
		})
	}
	return g.Wait()
}

// pause is the least time between two askings of a duty: many changes at once
// cost one asking.
const pause = 50 * time.Millisecond

func (t *Timekeeper) keep(ctx context.Context, d Duty, wake <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-wake:
		}
		next, err := d.Do(ctx)
		if err != nil && ctx.Err() == nil {
			t.c.Log.ErrorContext(ctx, "duty failed", "duty", d.Name, "err", err)
		}
		wait := t.c.Longest
		if !next.IsZero() && err == nil {
			wait = min(wait, next.Sub(t.c.Now()))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		timer.Reset(max(0, wait-pause))
	}
}
