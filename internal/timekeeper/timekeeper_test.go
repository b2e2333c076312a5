package timekeeper_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/timekeeper"
)

const second = time.Second

// A watched duty notes when it is asked, and answers from a script; when the
// script has ended it has nothing more to do.
type watched struct {
	name   string
	script []answer
	asked  []time.Duration // since the start of the test
	began  time.Time
}

type answer struct {
	in    time.Duration // when it wants to be asked next, from now; 0: only when something changes
	err   error
	takes time.Duration // how long it is at work
	panic bool
}

func (w *watched) duty() timekeeper.Duty {
	w.began = time.Now()
	return timekeeper.Duty{Name: w.name, Do: func(ctx context.Context) (time.Time, error) {
		w.asked = append(w.asked, time.Since(w.began))
		if len(w.script) == 0 {
			return time.Time{}, nil
		}
		a := w.script[0]
		w.script = w.script[1:]
		if a.takes > 0 {
			select {
			case <-ctx.Done():
				return time.Time{}, ctx.Err()
			case <-time.After(a.takes):
			}
		}
		if a.panic {
			panic("bad luck")
		}
		if a.in == 0 {
			return time.Time{}, a.err
		}
		return time.Now().Add(a.in), a.err
	}}
}

// start runs duties until the returned function is called, which waits for the
// end of Run.
func start(t *testing.T, c timekeeper.Config, duties ...*watched) (k *timekeeper.Timekeeper, stop func()) {
	t.Helper()
	for _, d := range duties {
		c.Duties = append(c.Duties, d.duty())
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k, err := timekeeper.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	return k, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func times(ds ...time.Duration) []time.Duration { return ds }

func askedAt(t *testing.T, w *watched, want []time.Duration) {
	t.Helper()
	if diff := cmp.Diff(want, w.asked); diff != "" {
		t.Errorf("%s was asked at (-want +got):\n%s", w.name, diff)
	}
}

func TestDutiesAreAskedWhenTheyWant(t *testing.T) {
	broken := errors.New("broken")
	const soon = 50 * time.Millisecond
	for _, tt := range []struct {
		name   string
		script []answer
		watch  time.Duration
		want   []time.Duration
	}{
		{"at the time that it names", []answer{{in: 3 * second}, {in: 700 * time.Millisecond}}, 10 * second, times(0, 3*second, 3700*time.Millisecond)},
		{"after the longest time when it names none", nil, 31 * second, times(0, 15*second, 30*second)},
		{"after the longest time when it names a late one", []answer{{in: 100 * time.Hour}}, 16 * second, times(0, 15*second)},
		{"after a pause when more is due", []answer{{in: -second}, {in: 1}, {in: time.Millisecond}}, second, times(0, soon, 2*soon, 3*soon)},
		{
			"later each time that it fails",
			[]answer{{err: broken}, {err: broken, in: second}, {err: broken}, {panic: true}, {err: broken}, {err: broken}, {in: second}, {err: broken}},
			48 * second,
			times(0, 1*second, 3*second, 7*second, 15*second, 30*second, 45*second, 46*second, 47*second),
		},
		{"counted from the end of its work", []answer{{takes: 5 * second, in: 2 * second}}, 8 * second, times(0, 7*second)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watched{name: "duty", script: tt.script}
				_, stop := start(t, timekeeper.Config{}, w)
				time.Sleep(tt.watch)
				stop()
				askedAt(t, w, tt.want)
			})
		})
	}
}

func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &watched{name: "a"}, &watched{name: "b"}
		k, stop := start(t, timekeeper.Config{}, a, b)
		time.Sleep(2 * second)
		k.Wake("a", "no such duty")
		time.Sleep(second)
		k.Wake() // all
		time.Sleep(second)
		for range 1000 { // many changes at once cost few askings
			k.Wake("b")
		}
		synctest.Wait()
		for range 1000 {
			k.Wake("b")
		}
		time.Sleep(second)
		stop()
		askedAt(t, a, times(0, 2*second, 3*second))
		askedAt(t, b, times(0, 3*second, 4*second, 4050*time.Millisecond))
	})
}

// A wake while the duty is at work, or before Run, has it asked once more; one
// that failed is left alone for its time.
func TestNoWakeIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{name: "duty", script: []answer{{takes: second}, {takes: second, err: errors.New("broken")}}}
		k, stop := start(t, timekeeper.Config{}, w)
		k.Wake()
		time.Sleep(second / 2)
		k.Wake()
		time.Sleep(second) // it is asked again, at 1.05 s, and fails at 2.05 s
		k.Wake()
		time.Sleep(second)
		k.Wake()
		time.Sleep(5 * second)
		stop()
		askedAt(t, w, times(0, 1050*time.Millisecond, 3050*time.Millisecond))
	})
}

func TestOneDutyHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fails := &watched{name: "slow", script: []answer{{takes: time.Hour}}}, &watched{name: "fails", script: []answer{{panic: true}, {panic: true}}}
		quick := &watched{name: "quick", script: []answer{{in: second}, {in: second}}}
		var said bytes.Buffer
		_, stop := start(t, timekeeper.Config{Log: slog.New(slog.NewTextHandler(&said, nil))}, slow, fails, quick)
		time.Sleep(4 * second)
		stop() // ends the slow one too
		askedAt(t, slow, times(0))
		askedAt(t, fails, times(0, second, 3*second))
		askedAt(t, quick, times(0, second, 2*second))
		if n := strings.Count(said.String(), "duty failed"); n != 2 || !strings.Contains(said.String(), "bad luck") {
			t.Errorf("said %d times that a duty failed, and nothing about one that was stopped:\n%s", n, &said)
		}
	})
}

// Duties look at the clock of the world, which may jump. That makes nothing
// late by more than the longest time.
func TestClockJumps(t *testing.T) {
	for _, tt := range []struct {
		name string
		jump time.Duration
		want []time.Duration
	}{
		{"forward", 24 * time.Hour, times(0, 15*second)},          // due meanwhile, and done at the next look
		{"back", -24 * time.Hour, times(0, 15*second, 30*second)}, // looked at, as ever
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				due, done := began.Add(time.Hour), false
				now := func() time.Time {
					if time.Since(began) > second {
						return time.Now().Add(tt.jump)
					}
					return time.Now()
				}
				w := &watched{name: "duty"}
				note := w.duty().Do
				duty := timekeeper.Duty{Name: "duty", Do: func(ctx context.Context) (time.Time, error) {
					if done {
						return time.Time{}, nil
					}
					done = !now().Before(due)
					_, err := note(ctx)
					return due, err
				}}
				_, stop := start(t, timekeeper.Config{Duties: []timekeeper.Duty{duty}, Now: now})
				time.Sleep(40 * second)
				stop()
				askedAt(t, w, tt.want)
				if done != (tt.jump > 0) {
					t.Errorf("done %t", done)
				}
			})
		})
	}
}

func TestNew(t *testing.T) {
	if _, err := timekeeper.New(timekeeper.Config{}); err == nil {
		t.Error("a timekeeper without a clock")
	}
	synctest.Test(t, func(t *testing.T) {
		_, stop := start(t, timekeeper.Config{}) // nothing to keep
		stop()
		w := &watched{name: "duty", script: []answer{{err: errors.New("broken")}}}
		_, stop = start(t, timekeeper.Config{Longest: second / 2}, w)
		time.Sleep(1100 * time.Millisecond)
		stop()
		askedAt(t, w, times(0, second/2, second))
	})
}
