package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/web"
)

func TestStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		err := web.Stream(w, httptest.NewRequest("GET", "/", nil), func(_ context.Context, send func(web.Event) error) error {
			if err := send(web.Event{ID: "1042", Type: "alert.received", Data: []byte(`{"seq":1042}`)}); err != nil {
				return err
			}
			time.Sleep(31 * time.Second)
			return send(web.Event{ID: "7\nevent: forged", Data: []byte("two\r\nlines\rand three")})
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "retry: 2000\n\n" +
			"id: 1042\nevent: alert.received\ndata: {\"seq\":1042}\n\n" +
			": still here\n\n: still here\n\n" +
			"id: 7event: forged\ndata: two\ndata: lines\ndata: and three\n\n"
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if ct := w.Header().Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("content type %q", ct)
		}
	})
}

func TestStreamOutlivesTheTimeOfARequest(t *testing.T) {
	s := httptest.NewUnstartedServer(handle(func(w http.ResponseWriter, r *http.Request) error {
		return web.Stream(w, r, func(ctx context.Context, send func(web.Event) error) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(300 * time.Millisecond):
				return send(web.Event{Data: []byte("late")})
			}
		})
	}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	s.Start()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 1000)
	n := 0
	for err == nil {
		var m int
		m, err = resp.Body.Read(b[n:])
		n += m
	}
	if got := string(b[:n]); got != "retry: 2000\n\ndata: late\n\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStreamFailures(t *testing.T) {
	broken := errors.New("the ledger is closed")
	err := web.Stream(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), func(context.Context, func(web.Event) error) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
	if err := web.Stream(httptest.NewRecorder(), gone, func(_ context.Context, send func(web.Event) error) error { return send(web.Event{}) }); err != nil {
		t.Errorf("a client that went away: %v", err)
	}
	plain := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	if err := web.Stream(plain, httptest.NewRequest("GET", "/", nil), nil); errs.KindOf(err) != errs.Unsupported {
		t.Errorf("a connection that cannot flush: %v", err)
	}
}

func TestLastEventID(t *testing.T) {
	r := httptest.NewRequest("GET", "/?last_event_id=5", nil)
	if got := web.LastEventID(r); got != "5" {
		t.Errorf("got %q", got)
	}
	r.Header.Set("Last-Event-ID", "7")
	if got := web.LastEventID(r); got != "7" {
		t.Errorf("got %q", got)
	}
}
