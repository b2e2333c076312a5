package client_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"beffroi.dev/internal/connector"
)

func TestLoopbackIsDeniedUnlessNamed(t *testing.T) {
	var connected atomic.Int64
	r := newRig(t)
	s := serve(t, func(http.ResponseWriter, *http.Request) { connected.Add(1) })
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, tt := range []struct {
		name  string
		base  string
		allow []string
		want  bool
	}{
		{"by a name that resolves to it", "http://localhost" + port, nil, false},
		{"the name is permitted", "http://localhost" + port, []string{"localhost"}, true},
		{"the addresses are permitted", "http://localhost" + port, []string{"127.0.0.0/8", "::1"}, true},
		{"another address is permitted", "http://localhost" + port, []string{"10.0.0.0/8"}, false},
		{"as IPv4 inside IPv6", "http://[::ffff:127.0.0.1]" + port, []string{"127.0.0.1"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := connected.Load()
			c, err := connector.New(tt.name, connector.Spec{BaseURL: tt.base, AllowPrivate: tt.allow})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.call(t, c, get("/"))
			if tt.want {
				if err != nil {
					t.Error(err)
				}
				return
			}
			f := failed(t, err, connector.Denied)
			if f.Sent || connected.Load() != before || !strings.Contains(f.Hint, "allow_private") {
				t.Errorf("failure %+v, connected %d", f, connected.Load()-before)
			}
		})
	}
}

func TestWithoutAConnectionOnlyPublicAddresses(t *testing.T) {
	r := newRig(t)
	s := httptest.NewTLSServer(http.HandlerFunc(echo))
	defer s.Close()
	for _, u := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), "https://0.0.0.0/", "https://169.254.169.254/latest/meta-data/"} {
		_, err := r.call(t, nil, map[string]any{"url": u})
		fails(t, err, connector.Denied)
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	var proxied atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	r := newRig(t)
	c, err := connector.New("x", connector.Spec{BaseURL: "http://nothing.invalid", AllowInsecure: true, AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.call(t, c, get("/"))
	if f := failed(t, err, connector.Network); f.Sent {
		t.Errorf("failure %+v", f)
	}
	if proxied.Load() != 0 {
		t.Error("the proxy of the environment was used")
	}
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Int64
	other := serve(t, func(http.ResponseWriter, *http.Request) { leaked.Add(1) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/loop/%d", &n); err == nil {
			http.Redirect(w, r, fmt.Sprintf("/loop/%d", n+1), http.StatusFound)
			return
		}
		switch r.URL.Path {
		case "/same":
			w.Header().Set("Location", "echo?x=1")
			w.WriteHeader(http.StatusFound)
		case "/keep":
			w.Header().Set("Location", "/echo")
			w.WriteHeader(http.StatusTemporaryRedirect)
		case "/away":
			w.Header().Set("Location", other.URL+"/x")
			w.WriteHeader(http.StatusFound)
		case "/scheme":
			w.Header().Set("Location", "https://"+r.Host+"/x")
			w.WriteHeader(http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/user":
			w.Header().Set("Location", "//me:pw@"+r.Host+"/x")
			w.WriteHeader(http.StatusFound)
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s %s %s%s", r.Method, r.RequestURI, r.Header.Get("Authorization")[:6], r.Header.Get("Idempotency-Key"), body)
		}
	})
	with := func(s *connector.Spec) { s.Auth = connector.Auth{Type: connector.BearerAuth, Secret: "one"} }
	never := func(s *connector.Spec) { s.Redirects = "none" }
	for _, tt := range []struct {
		name   string
		with   map[string]any
		change func(*connector.Spec)
		want   string
	}{
		{"on the host, as GET without body", map[string]any{"path": "/same", "method": "POST", "body": "b"}, with, "GET /echo?x=1 Bearer "},
		{"on the host, as it was", map[string]any{"path": "/keep", "method": "POST", "body": "b"}, with, "POST /echo Bearer run/1/stepb"},
		{"to another host", get("/away"), with, "denied"},
		{"to another scheme", get("/scheme"), with, "denied"},
		{"to a file", get("/file"), with, "denied"},
		{"to a user", get("/user"), with, "denied"},
		{"for ever", get("/loop/0"), with, "denied"},
		{"not followed", get("/same"), func(s *connector.Spec) { with(s); never(s) }, "http"},
		{"expected", map[string]any{"path": "/away", "expect": "302"}, with, "302 " + other.URL + "/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.vault.set("one", "token")
			res, err := r.call(t, to(t, s, tt.change), tt.with)
			got := fmt.Sprint(res.Body)
			if err != nil {
				var f *connector.Failure
				if f = failed(t, err, connector.Class(tt.want)); f == nil {
					return
				}
				got = string(f.Class)
			} else if res.Status != 200 {
				got = fmt.Sprint(res.Status, " ", res.Headers["location"])
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if leaked.Load() != 0 {
		t.Error("a redirect led to another host")
	}
}

func TestAnAnswerTakesNoMoreThanItsLimit(t *testing.T) {
	const mib = 1 << 20
	var part bytes.Buffer
	z := gzip.NewWriter(&part)
	if _, err := z.Write(make([]byte, mib)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Repeat(part.Bytes(), 512) // a gzip file is a series of members
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/announced":
			w.Header().Set("Content-Length", fmt.Sprint(100*mib))
		case "/streamed":
			for range 3 {
				_, _ = w.Write(make([]byte, mib))
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		case "/fits":
			_, _ = w.Write(make([]byte, mib))
		case "/head":
			w.Header().Set("Content-Length", fmt.Sprint(100*mib))
		}
	})
	r := newRig(t)
	c := to(t, s, func(s *connector.Spec) { s.MaxResponse = "1MiB" })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, path := range []string{"/announced", "/streamed", "/bomb"} {
		_, err := r.call(t, c, get(path))
		if f := failed(t, err, connector.TooLarge); !f.Sent {
			t.Errorf("%s: %+v", path, f)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 32*mib {
		t.Errorf("%d MiB were allocated for three answers", used/mib)
	}
	for _, with := range []map[string]any{get("/fits"), {"path": "/head", "method": "HEAD"}} {
		if _, err := r.call(t, c, with); err != nil {
			t.Errorf("%v: %v", with, err)
		}
	}
}

func TestPackedAnswers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, `{"ok":true}`)
			_ = z.Close()
		case "/empty":
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusNoContent)
		case "/lie":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, `{"this is not":"gzip"}`)
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, `x`)
		}
	})
	r, c := newRig(t), to(t, s)
	res, err := r.call(t, c, get("/gzip"))
	if body, ok := res.Body.(map[string]any); err != nil || !ok || body["ok"] != true {
		t.Errorf("got %v, %v", res.Body, err)
	}
	if res, err = r.call(t, c, get("/empty")); err != nil || res.Body != nil {
		t.Errorf("got %v, %v", res.Body, err)
	}
	for _, path := range []string{"/lie", "/br"} {
		_, err = r.call(t, c, get(path))
		fails(t, err, connector.Invalid)
	}
}
