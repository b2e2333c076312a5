package client

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/secret"
)

func laneWith(t *testing.T, s connector.Spec) *lane {
	t.Helper()
	c, err := New(Config{
		Secrets: func(context.Context, string) (secret.String, error) { return secret.String{}, nil },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s.BaseURL = "https://api.example.com"
	conn, err := connector.New("api", s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.lane(conn)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := laneWith(t, connector.Spec{Rate: &connector.Rate{PerSecond: 2, Burst: 3}})
		start := time.Now()
		for range 7 {
			if err := l.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("7 calls at 2 a second after a burst of 3 took %v, want 2s", took)
		}
	})
}

func TestATurnTooFarAwayIsSaidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := laneWith(t, connector.Spec{Rate: &connector.Rate{PerSecond: 0.01}})
		if err := l.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 { // those refused take nothing from those to come
			err := l.turn(t.Context())
			var f *connector.Failure
			if !errors.As(err, &f) || f.Class != connector.Unavailable || f.RetryAfter != 100*time.Second || f.Sent {
				t.Errorf("got %+v", err)
			}
		}
		time.Sleep(100 * time.Second)
		if err := l.turn(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingForATurnEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := laneWith(t, connector.Spec{Rate: &connector.Rate{PerSecond: 0.2}})
		if err := l.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
