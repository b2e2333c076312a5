package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/web"
)

func TestSecurityHeaders(t *testing.T) {
	w, _ := serve(t, web.Config{}, nil, httptest.NewRequest("GET", "/", nil))
	for name, want := range map[string]string{
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Strict-Transport-Security":    "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	w, _ = serve(t, web.Config{CSP: "default-src 'self'"}, nil, httptest.NewRequest("GET", "https://x/", nil))
	if w.Header().Get("Content-Security-Policy") != "default-src 'self'" || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestAPageOfAnotherOriginChangesNothing(t *testing.T) {
	for _, tt := range []struct {
		name, method, site, origin string
		status                     int
	}{
		{"a program", "POST", "", "", 200},
		{"a page of ours", "POST", "same-origin", "http://example.com", 200},
		{"a page of another origin", "POST", "cross-site", "https://evil.example", 403},
		{"a page of a neighbour", "POST", "same-site", "https://wiki.example.com", 403},
		{"an old browser", "POST", "", "https://evil.example", 403},
		{"a page that is trusted", "POST", "cross-site", "https://soc.example.com", 200},
		{"only reading", "GET", "cross-site", "https://evil.example", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://example.com/x", nil)
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w, _ := serve(t, web.Config{Origins: []string{"https://soc.example.com"}}, nil, r)
			if w.Code != tt.status {
				t.Errorf("got %d, want %d", w.Code, tt.status)
			}
			if w.Code == 403 {
				problem(t, w)
			}
		})
	}
	if _, err := web.Wrap(web.Config{Log: slog.New(slog.DiscardHandler), Origins: []string{"soc"}}, nil); err == nil {
		t.Error("took an origin that is none")
	}
}

func TestAccessLogHoldsNoSecrets(t *testing.T) {
	r := httptest.NewRequest("GET", "/cases/7?token=hunter2", nil)
	r.Header.Set("Authorization", "Bearer hunter2")
	r.Header.Set("Referer", "https://x/?hunter2")
	w, log := serve(t, web.Config{}, handle(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "hello")
		return nil
	}), r)
	for _, want := range []string{`"level":"DEBUG"`, `"method":"GET"`, `"path":"/cases/7"`, `"status":200`, `"bytes":5`, `"from":"192.0.2.1"`, w.Header().Get("X-Request-Id")} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log, "hunter2") {
		t.Errorf("a secret is logged: %s", log)
	}
}

func TestTheSenderDoesNotChooseTheRequestId(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "mine")
	w, _ := serve(t, web.Config{}, handle(func(_ http.ResponseWriter, r *http.Request) error {
		if id := web.RequestID(r.Context()); id == "mine" || len(id) < 20 {
			t.Errorf("request id %q", id)
		}
		return nil
	}), r)
	if w.Header().Get("X-Request-Id") == "mine" {
		t.Error("the sender's id came back")
	}
}

func TestNoHandlerReadsMoreThanTheListenerPermits(t *testing.T) {
	w, _ := serve(t, web.Config{MaxBody: 10}, handle(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}), httptest.NewRequest("POST", "/", strings.NewReader("more than ten")))
	if p := problem(t, w); p.Status != 413 {
		t.Errorf("problem %+v", p)
	}
}

// A running server answers at url until stop is called, which waits for its end.
func run(t *testing.T, h http.Handler) (url string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	return "http://" + l.Addr().String(), func() error { cancel(); return <-done }
}

func TestServeFinishesWhatItBegan(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, stop := run(t, handle(func(w http.ResponseWriter, r *http.Request) error {
		close(begun)
		<-finish
		if err := r.Context().Err(); err != nil {
			return err
		}
		_, err := io.WriteString(w, "whole")
		return err
	}))
	got := make(chan string, 1)
	go func() {
		resp, err := http.Get(url) //nolint:forbidigo // a test
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		got <- fmt.Sprint(string(b), err)
	}()
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	close(finish)
	if s := <-got; s != "whole<nil>" {
		t.Errorf("got %s", s)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeEndsStreams(t *testing.T) {
	url, stop := run(t, handle(func(w http.ResponseWriter, r *http.Request) error {
		return web.Stream(w, r, func(ctx context.Context, send func(web.Event) error) error {
			if err := send(web.Event{Data: []byte("hello")}); err != nil {
				return err
			}
			<-ctx.Done()
			return send(web.Event{Data: []byte("too late")})
		})
	}))
	resp, err := http.Get(url) //nolint:forbidigo // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for want := range strings.SplitSeq("retry: 2000\n\ndata: hello\n", "\n") {
		if line, err := lines.ReadString('\n'); want != "" && strings.TrimSpace(line) != want || err != nil {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
	}
	start := time.Now()
	if err := stop(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("ended after %v: %v", time.Since(start), err)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}

func TestServeSaysThatItCannot(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := web.Serve(t.Context(), l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("served on a closed listener")
	}
}
