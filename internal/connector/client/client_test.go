package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/connector/client"
	"beffroi.dev/internal/secret"
)

// A vault holds secrets that a test can change.
type vault struct{ m sync.Map }

func (v *vault) set(name, value string) { v.m.Store(name, value) }

func (v *vault) get(_ context.Context, name string) (secret.String, error) {
	s, ok := v.m.Load(name)
	if !ok {
		return secret.String{}, nil
	}
	text, ok := s.(string)
	if !ok {
		return secret.String{}, errors.New("not a text")
	}
	return secret.New(text), nil
}

// A rig is a client with its secrets and a clock that can be moved.
type rig struct {
	*client.Client
	vault vault
	mu    sync.Mutex
	ahead time.Duration // guarded by mu
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.ahead)
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{}
	c, err := client.New(client.Config{Secrets: r.vault.get, Log: slog.New(slog.DiscardHandler), Now: r.now, MaxWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r.Client = c
	return r
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// to is a connection to s that s changes.
func to(t testing.TB, s *httptest.Server, change ...func(*connector.Spec)) *connector.Connection {
	t.Helper()
	spec := connector.Spec{BaseURL: s.URL, AllowPrivate: []string{"127.0.0.1"}}
	for _, f := range change {
		f(&spec)
	}
	c, err := connector.New("api", spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(t testing.TB, c *connector.Connection, with map[string]any) connector.Request {
	t.Helper()
	r, err := connector.BuildRequest(c, with)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// call performs a call that a test describes by its arguments.
func (r *rig) call(t testing.TB, c *connector.Connection, with map[string]any) (connector.Result, error) {
	t.Helper()
	return r.Do(t.Context(), c, request(t, c, with), "run/1/step")
}

// failed checks that err is a failure of that class and returns it.
func failed(t testing.TB, err error, class connector.Class) *connector.Failure {
	t.Helper()
	var f *connector.Failure
	if !errors.As(err, &f) || f.Class != class {
		t.Fatalf("got error %v, want a failure of class %s", err, class)
	}
	return f
}

// fails is failed for tests that want to know no more.
func fails(t testing.TB, err error, class connector.Class) {
	t.Helper()
	_ = failed(t, err, class)
}

func get(path string) map[string]any { return map[string]any{"path": path} }

// echo answers with the request in JSON.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	headers := map[string]string{}
	for k := range r.Header {
		headers[k] = r.Header.Get(k)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", "r1")
	w.Header().Set("Set-Cookie", "session=1")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.RequestURI, "headers": headers, "body": string(body)})
}

func TestACallIsSentAsTheArgumentsSay(t *testing.T) {
	r, s := newRig(t), serve(t, echo)
	c := to(t, s, func(s *connector.Spec) {
		s.BaseURL += "/v1"
		s.Headers = map[string]string{"X-Fixed": "yes", "Accept": "application/vnd.x+json"}
	})
	res, err := r.call(t, c, map[string]any{
		"method": "POST", "path": []any{"hosts", "a/b"}, "query": map[string]any{"n": int64(3)}, "headers": map[string]any{"X-One": "1"}, "body": map[string]any{"a": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"method": "POST", "uri": "/v1/hosts/a%2Fb?n=3", "body": `{"a":true}`,
		"headers": map[string]any{
			"X-Fixed": "yes", "Accept": "application/vnd.x+json", "X-One": "1", "Content-Type": "application/json", "Content-Length": "10",
			"Idempotency-Key": "run/1/step", "User-Agent": "beffroi", "Accept-Encoding": "gzip",
		},
	}
	if diff := cmp.Diff(want, res.Body); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if res.Status != 200 || res.Headers["x-request-id"] != "r1" || res.Headers["set-cookie"] != "" {
		t.Errorf("status %d, headers %v", res.Status, res.Headers)
	}
}

func TestCredentialsOfEachType(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Total", "1")
		_, _ = io.WriteString(w, strings.Join([]string{r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.Header.Get("Dd-Application-Key")}, "|"))
	})
	for _, tt := range []struct {
		name string
		auth connector.Auth
		more map[string]string
		want string // with the secret "one-time" and "two-time"
	}{
		{"none", connector.Auth{}, nil, "||"},
		{"basic", connector.Auth{Type: connector.BasicAuth, Username: "ada", Secret: "one"}, nil, "Basic YWRhOm9uZS10aW1l||"},
		{"bearer", connector.Auth{Type: connector.BearerAuth, Secret: "one"}, nil, "Bearer one-time||"},
		{"header", connector.Auth{Type: connector.HeaderAuth, Header: "X-Api-Key", Secret: "one"}, nil, "|one-time|"},
		{"header with a prefix", connector.Auth{Type: connector.HeaderAuth, Header: "Authorization", Prefix: "SSWS ", Secret: "one"}, nil, "SSWS one-time||"},
		{"two secrets", connector.Auth{Type: connector.HeaderAuth, Header: "X-Api-Key", Secret: "one"}, map[string]string{"DD-APPLICATION-KEY": "two"}, "|one-time|two-time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.vault.set("one", "one-time")
			r.vault.set("two", "two-time")
			var seen string
			spy := serve(t, func(w http.ResponseWriter, req *http.Request) {
				rec := httptest.NewRecorder()
				s.Config.Handler.ServeHTTP(rec, req)
				seen = rec.Body.String()
				_, _ = io.WriteString(w, seen)
			})
			c := to(t, spy, func(s *connector.Spec) { s.Auth, s.SecretHeaders = tt.auth, tt.more })
			res, err := r.call(t, c, get("/"))
			if err != nil {
				t.Fatal(err)
			}
			if seen != tt.want {
				t.Errorf("sent %q, want %q", seen, tt.want)
			}
			if body, ok := res.Body.(string); !ok || strings.Contains(body, "time") || strings.Contains(body, "dGltZ") {
				t.Errorf("the result holds what came back: %q", res.Body)
			}
		})
	}
}

func TestARotatedSecretCountsWithTheNextCall(t *testing.T) {
	var seen []string
	r := newRig(t)
	s := serve(t, func(_ http.ResponseWriter, req *http.Request) { seen = append(seen, req.Header.Get("Authorization")) })
	c := to(t, s, func(s *connector.Spec) { s.Auth = connector.Auth{Type: connector.BearerAuth, Secret: "one"} })
	for _, v := range []string{"first", "second"} {
		r.vault.set("one", v)
		if _, err := r.call(t, c, get("/")); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"Bearer first", "Bearer second"}; !cmp.Equal(seen, want) {
		t.Errorf("sent %q, want %q", seen, want)
	}
}

func TestASecretThatCannotBeSent(t *testing.T) {
	calls := 0
	r := newRig(t)
	s := serve(t, func(http.ResponseWriter, *http.Request) { calls++ })
	c := to(t, s, func(s *connector.Spec) { s.Auth = connector.Auth{Type: connector.BearerAuth, Secret: "one"} })
	_, err := r.call(t, c, get("/"))
	if f := failed(t, err, connector.Denied); f.Sent || f.Hint != "beffroi secret set one" {
		t.Errorf("failure %+v", f)
	}
	r.vault.set("one", "with a line break\n")
	_, err = r.call(t, c, get("/"))
	if f := failed(t, err, connector.Denied); f.Sent || !strings.Contains(f.Msg, "line break") {
		t.Errorf("failure %+v", f)
	}
	if calls != 0 {
		t.Errorf("%d calls were sent", calls)
	}
}

func TestNothingThatComesBackHoldsSecrets(t *testing.T) {
	const password = "correct horse/battery+staple"
	r := newRig(t)
	r.vault.set("one", password)
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, p, _ := req.BasicAuth()
		w.Header().Set("Link", "<https://x/?key="+url.QueryEscape(p)+">")
		w.Header().Set("Content-Type", "application/json")
		if req.URL.Path == "/fail" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"message": "bad credentials " + p, p: []any{req.Header.Get("Authorization"), url.PathEscape(p)}})
	})
	c := to(t, s, func(s *connector.Spec) {
		s.Auth = connector.Auth{Type: connector.BasicAuth, Username: "ada", Secret: "one"}
	})
	for _, path := range []string{"/ok", "/fail"} {
		res, err := r.call(t, c, get(path))
		b, jerr := json.Marshal(res.Value())
		if jerr != nil {
			t.Fatal(jerr)
		}
		all := string(b)
		if err != nil {
			all += err.Error()
		}
		for _, s := range []string{"horse", "battery", "YWRhOmNvc"} {
			if strings.Contains(all, s) {
				t.Errorf("%s: %q comes out: %s", path, s, all)
			}
		}
		if !strings.Contains(all, "bad credentials redacted") {
			t.Errorf("%s: the rest is lost: %s", path, all)
		}
	}
}

func TestAnUnexpectedStatus(t *testing.T) {
	r := newRig(t)
	r.vault.set("one", "token")
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "application/problem+json")
		if req.URL.Path == "/401" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"title":"slow","detail":"too many requests"}`)
	})
	c := to(t, s, func(s *connector.Spec) { s.Auth = connector.Auth{Type: connector.BearerAuth, Secret: "one"} })
	res, err := r.call(t, c, map[string]any{"path": "/x", "query": map[string]any{"q": "private"}})
	f := failed(t, err, connector.HTTP)
	want := "GET " + s.URL + "/x: answered 429 Too Many Requests: too many requests"
	if f.Error() != want || f.Status != 429 || f.RetryAfter != 7*time.Second || !f.Sent {
		t.Errorf("got %+v, want %s", f, want)
	}
	if diff := cmp.Diff(map[string]any{"title": "slow", "detail": "too many requests"}, res.Body); diff != "" || res.Status != 429 {
		t.Errorf("the answer is lost: %+v", res)
	}
	_, err = r.call(t, c, get("/401"))
	if f := failed(t, err, connector.HTTP); f.Hint != "check the secret one of connection api" {
		t.Errorf("hint %q", f.Hint)
	}
	if _, err = r.call(t, c, map[string]any{"path": "/x", "expect": "429"}); err != nil {
		t.Errorf("an expected status: %v", err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	r, s := newRig(t), serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, req.Header.Get("Idempotency-Key"))
	})
	c := to(t, s)
	for _, tt := range []struct {
		with map[string]any
		want any
	}{
		{map[string]any{"path": "/", "method": "GET"}, nil},
		{map[string]any{"path": "/", "method": "HEAD"}, nil},
		{map[string]any{"path": "/", "method": "POST"}, "run/1/step"},
		{map[string]any{"path": "/", "method": "PUT", "body": "x"}, "run/1/step"},
		{map[string]any{"path": "/", "method": "PATCH"}, "run/1/step"},
		{map[string]any{"path": "/", "method": "DELETE"}, "run/1/step"},
		{map[string]any{"path": "/", "method": "POST", "headers": map[string]any{"idempotency-key": "mine"}}, "mine"},
	} {
		res, err := r.call(t, c, tt.with)
		if err != nil || res.Body != tt.want {
			t.Errorf("%v: sent %v (%v), want %v", tt.with, res.Body, err, tt.want)
		}
	}
}

func TestTimeout(t *testing.T) {
	r, done := newRig(t), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/body" {
			_, _ = io.WriteString(w, "half of it")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
		<-done
	})
	defer close(done)
	c := to(t, s, func(s *connector.Spec) { s.Timeout = 50 * time.Millisecond })
	for _, path := range []string{"/header", "/body"} {
		_, err := r.call(t, c, get(path))
		if f := failed(t, err, connector.Timeout); !f.Sent || !strings.HasSuffix(f.Msg, path+": no answer within 50ms") {
			t.Errorf("failure %+v", f)
		}
	}
	req := request(t, to(t, s), get("/step"))
	req.Timeout = 20 * time.Millisecond
	_, err := r.Do(t.Context(), to(t, s), req, "")
	if f := failed(t, err, connector.Timeout); !strings.Contains(f.Msg, "20ms") {
		t.Errorf("failure %+v", f)
	}
}

func TestACallerThatGivesUpIsNotAFailure(t *testing.T) {
	r, begun, done := newRig(t), make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { close(begun); <-done })
	defer close(done)
	c := to(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := r.Do(ctx, c, request(t, c, get("/")), "")
	var f *connector.Failure
	if !errors.Is(err, context.Canceled) || errors.As(err, &f) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var opened sync.Map
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	r := newRig(t)
	s.Start()
	defer s.Close()
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		opened.Store(req.RemoteAddr, true)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	})
	c := to(t, s)
	for range 20 {
		_, err := r.call(t, c, map[string]any{"path": "/", "parse": "none"})
		fails(t, err, connector.HTTP)
	}
	n := 0
	opened.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("20 calls used %d connections", n)
	}
}

func TestAChangedDocumentCountsAtOnce(t *testing.T) {
	r, s := newRig(t), serve(t, func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.Header.Get("X-Team")) })
	for _, team := range []string{"blue", "red", "blue"} {
		c := to(t, s, func(s *connector.Spec) { s.Headers = map[string]string{"X-Team": team} })
		if res, err := r.call(t, c, get("/")); err != nil || res.Body != team {
			t.Errorf("got %v, %v, want %s", res.Body, err, team)
		}
	}
}

func TestAClosedClientRefuses(t *testing.T) {
	r, s := newRig(t), serve(t, echo)
	r.Close()
	if _, err := r.call(t, to(t, s), get("/")); err == nil {
		t.Error("a closed client made a call")
	}
}
