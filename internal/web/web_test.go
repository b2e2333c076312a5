package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/web"
)

// serve wraps h and returns the answer to r and what was logged.
func serve(t *testing.T, c web.Config, h http.Handler, r *http.Request) (*httptest.ResponseRecorder, string) {
	t.Helper()
	var log bytes.Buffer
	c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if h == nil {
		h = web.Handle(c.Log, func(http.ResponseWriter, *http.Request) error { return nil })
	}
	wrapped, err := web.Wrap(c, h)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	wrapped.ServeHTTP(w, r)
	return w, log.String()
}

func handle(f web.HandlerFunc) http.Handler { return web.Handle(slog.New(slog.DiscardHandler), f) }

func problem(t *testing.T, w *httptest.ResponseRecorder) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" || w.Code != p.Status {
		t.Errorf("a problem of type %q, status %d and %d", ct, w.Code, p.Status)
	}
	return p
}

func TestErrorsBecomeProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want web.Problem
	}{
		{"invalid", errs.Hint(errs.Invalid, "write it so", "wrong %s", "thing"), web.Problem{Type: "invalid", Title: "The request is wrong", Status: 400, Detail: "wrong thing", Hint: "write it so"}},
		{"with context that is not for callers", fmt.Errorf("load /var/x: %w", errs.E(errs.NotFound, "no case 7")), web.Problem{Type: "not_found", Title: "Not found", Status: 404, Detail: "no case 7"}},
		{"unauthenticated", errs.E(errs.Unauthenticated, "no token"), web.Problem{Type: "unauthenticated", Title: "Who are you?", Status: 401, Detail: "no token"}},
		{"denied", errs.E(errs.Denied, "not yours"), web.Problem{Type: "denied", Title: "Not permitted", Status: 403, Detail: "not yours"}},
		{"conflict", errs.E(errs.Conflict, "answered by ada"), web.Problem{Type: "conflict", Title: "Somebody was first", Status: 409, Detail: "answered by ada"}},
		{"too large", errs.E(errs.TooLarge, "2 MiB"), web.Problem{Type: "too_large", Title: "Too large", Status: 413, Detail: "2 MiB"}},
		{"busy", errs.E(errs.Busy, "later"), web.Problem{Type: "busy", Title: "Busy", Status: 429, Detail: "later"}},
		{"unavailable", errs.E(errs.Unavailable, "stopped"), web.Problem{Type: "unavailable", Title: "Unavailable", Status: 503, Detail: "stopped"}},
		{"unsupported", errs.E(errs.Unsupported, "xml"), web.Problem{Type: "unsupported_type", Title: "Unsupported media type", Status: 415, Detail: "xml"}},
		{
			"issues", fmt.Errorf("plan: %w", errs.Issues{{File: "a.yaml", Line: 3, Msg: "unknown key"}, {Msg: "b"}}),
			web.Problem{Type: "invalid", Title: "The request is wrong", Status: 400, Detail: "a.yaml:3: unknown key (and 1 more)", Issues: errs.Issues{{File: "a.yaml", Line: 3, Msg: "unknown key"}, {Msg: "b"}}},
		},
		{"internal", errors.New("disk is on fire at /var/lib"), web.Problem{Type: "internal", Title: "Internal error", Status: 500, Detail: "internal error", Hint: "tell the operator the id of this request"}},
		{"the body is too large", fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 10}), web.Problem{Type: "too_large", Title: "Too large", Status: 413, Detail: "the body is larger than 10 bytes"}},
		{"a problem of another node", fmt.Errorf("ask the leader: %w", &web.Problem{Type: "urn:beffroi:problem:busy", Title: "Busy", Status: 429, Detail: "x", Instance: "urn:beffroi:request:THEIRS"}), web.Problem{Type: "busy", Title: "Busy", Status: 429, Detail: "x", Instance: "urn:beffroi:request:THEIRS"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := serve(t, web.Config{}, handle(func(http.ResponseWriter, *http.Request) error { return tt.err }), httptest.NewRequest("GET", "/x", nil))
			got := problem(t, w)
			id := w.Header().Get("X-Request-Id")
			tt.want.Type = "urn:beffroi:problem:" + tt.want.Type
			if tt.want.Instance == "" {
				tt.want.Instance = "urn:beffroi:request:" + id
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || id == "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
			}
			if (w.Code == 429 || w.Code == 503) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestInternalErrorsAreLoggedUnderTheIdThatTheCallerSees(t *testing.T) {
	for name, f := range map[string]web.HandlerFunc{
		"error": func(http.ResponseWriter, *http.Request) error {
			return fmt.Errorf("disk is on fire, password %v", secret.New("hunter2"))
		},
		"panic": func(http.ResponseWriter, *http.Request) error { panic("disk is on fire") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			l := slog.New(slog.NewJSONHandler(&log, nil))
			h, err := web.Wrap(web.Config{Log: l}, web.Handle(l, f))
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/x?token=abc", nil))
			id := w.Header().Get("X-Request-Id")
			if strings.Contains(w.Body.String(), "fire") || !strings.Contains(w.Body.String(), id) {
				t.Errorf("told the caller %s", w.Body)
			}
			for _, want := range []string{"disk is on fire", id, `"path":"/x"`} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q is not logged: %s", want, &log)
				}
			}
			if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), "abc") {
				t.Errorf("a secret is logged: %s", &log)
			}
		})
	}
}

func TestHalfAnAnswerIsBrokenOff(t *testing.T) {
	s := httptest.NewServer(handle(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, `{"items":[`)
		return errors.New("the view went away")
	}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked like a whole one")
	}
}

func TestAClientThatWentAwayIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	h := web.Handle(slog.New(slog.NewTextHandler(&log, nil)), func(_ http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("query: %w", r.Context().Err())
	})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if log.Len() != 0 {
		t.Errorf("logged %s", &log)
	}
}

func TestRoutes(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /cases/{id}", handle(func(w http.ResponseWriter, r *http.Request) error {
		return web.WriteJSON(w, 200, r.PathValue("id"))
	}))
	mux.Handle("DELETE /cases/{id}", handle(func(http.ResponseWriter, *http.Request) error { return nil }))
	h := web.Routes(slog.New(slog.DiscardHandler), mux)
	for _, tt := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"GET", "/cases/7", 200, ""},
		{"HEAD", "/cases/7", 200, ""},
		{"PUT", "/cases/7", 405, "PUT is not possible here (use DELETE, GET, HEAD)"},
		{"GET", "/case/7", 404, "there is no /case/7"},
	} {
		w, _ := serve(t, web.Config{}, h, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.status)
		}
		if tt.detail != "" {
			if p := problem(t, w); p.Error() != tt.detail || p.Instance == "" {
				t.Errorf("%s %s: %+v", tt.method, tt.path, p)
			}
		}
		if tt.status == 405 && w.Header().Get("Allow") != "DELETE, GET, HEAD" {
			t.Errorf("Allow: %q", w.Header().Get("Allow"))
		}
	}
}

func TestBearer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []string
		want   string // empty: refused
	}{
		{"a token", []string{"Bearer bfr_abc.DEF-1~2+/=="}, "bfr_abc.DEF-1~2+/=="},
		{"in any case", []string{"bearer  abc"}, "abc"},
		{"none", nil, ""},
		{"an empty one", []string{"Bearer "}, ""},
		{"another scheme", []string{"Basic abc"}, ""},
		{"two", []string{"Bearer abc", "Bearer def"}, ""},
		{"with a space", []string{"Bearer a b"}, ""},
		{"not ASCII", []string{"Bearer é"}, ""},
		{"huge", []string{"Bearer " + strings.Repeat("a", 5000)}, ""},
		{"padding alone", []string{"Bearer ==="}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?access_token=fromquery", nil)
			for _, h := range tt.header {
				r.Header.Add("Authorization", h)
			}
			got, err := web.Bearer(r)
			if got.Reveal() != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
			if err != nil && (errs.KindOf(err) != errs.Unauthenticated || strings.Contains(err.Error(), "abc")) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPages(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	list := func(p web.Page) web.List[string] {
		var out []string
		for _, s := range all {
			if s > p.After && len(out) <= p.Limit { // one more than asked for
				out = append(out, s)
			}
		}
		return web.ListOf(p, out, func(s string) string { return s })
	}
	var pages []string
	for cursor := ""; ; {
		p, err := web.PageOf(httptest.NewRequest("GET", "/?limit=2&cursor="+cursor, nil), 100)
		if err != nil {
			t.Fatal(err)
		}
		l := list(p)
		pages = append(pages, strings.Join(l.Items, ""))
		if cursor = l.Next; cursor == "" {
			break
		}
	}
	if want := []string{"ab", "cd", "e"}; !cmp.Equal(pages, want) {
		t.Errorf("pages %q, want %q", pages, want)
	}
	if b, err := json.Marshal(web.ListOf(web.Page{Limit: 1}, nil, func(s string) string { return s })); err != nil || string(b) != `{"items":[]}` {
		t.Errorf("an empty list is %s, %v", b, err)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "limit=-1", "cursor=%21", "cursor=_w", "cursor=" + strings.Repeat("a", 2000)} {
		if _, err := web.PageOf(httptest.NewRequest("GET", "/?"+q, nil), 100); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", q, err)
		}
	}
	if p, err := web.PageOf(httptest.NewRequest("GET", "/", nil), 20); err != nil || p.Limit != 20 {
		t.Errorf("%+v, %v", p, err)
	}
}
