package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/connector"
)

// An issuer issues tokens and is the API that takes them.
type issuer struct {
	*httptest.Server

	mu      sync.Mutex
	issued  []string                              // client secrets of token requests; guarded by mu
	token   string                                // that counts; guarded by mu
	forms   []string                              // of token requests; guarded by mu
	never   bool                                  // no token counts; guarded by mu
	answer  func(n int) (status int, body string) // of the nth token request; guarded by mu
	holding chan struct{}                         // if set, token requests wait for it; guarded by mu
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{}
	i.answer = func(n int) (int, string) {
		return 200, fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, n)
	}
	i.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			i.issue(w, r)
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.never || r.Header.Get("Authorization") != "Bearer "+i.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	return i
}

func (i *issuer) issue(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	holding := i.holding
	i.mu.Unlock()
	if holding != nil {
		<-holding
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = r.ParseForm()
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.Form.Get("client_id"), r.Form.Get("client_secret")
		r.Form.Del("client_secret")
	}
	i.issued = append(i.issued, secret)
	i.forms = append(i.forms, id+" "+r.Form.Encode())
	n := len(i.issued)
	status, body := i.answer(n)
	if status == 200 {
		i.token = fmt.Sprintf("token-%d", n)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (i *issuer) set(f func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(i)
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.issued)
}

// client returns a connection that gets its tokens from i.
func (i *issuer) client(t testing.TB, change ...func(*connector.Spec)) *connector.Connection {
	t.Helper()
	return to(t, i.Server, append([]func(*connector.Spec){func(s *connector.Spec) {
		s.Auth = connector.Auth{Type: connector.OAuth2, TokenURL: i.URL + "/token", ClientID: "me", Secret: "one"}
	}}, change...)...)
}

// together makes n calls at once and returns their errors.
func (r *rig) together(t testing.TB, c *connector.Connection, n int) []error {
	t.Helper()
	req := request(t, c, map[string]any{"path": "/x", "method": "POST", "body": "hello"})
	out := make([]error, n)
	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() {
			res, err := r.Do(t.Context(), c, req, "")
			if err == nil && res.Body != "hello" {
				err = fmt.Errorf("body %v", res.Body)
			}
			out[k] = err
		})
	}
	wg.Wait()
	return out
}

func TestTwoHundredCallsFetchOneToken(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	if err := errors.Join(r.together(t, i.client(t), 200)...); err != nil {
		t.Error(err)
	}
	if i.count() != 1 {
		t.Errorf("%d tokens were fetched", i.count())
	}
}

func TestARevokedTokenIsRenewedOnceForAll(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	c := i.client(t)
	if err := errors.Join(r.together(t, c, 1)...); err != nil {
		t.Fatal(err)
	}
	i.set(func(i *issuer) { i.token = "revoked" })
	if err := errors.Join(r.together(t, c, 200)...); err != nil {
		t.Error(err)
	}
	if i.count() != 2 {
		t.Errorf("%d tokens were fetched, want one renewal", i.count())
	}
}

func TestATokenThatIsAlwaysRefusedIsNotRenewedForEver(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	i.set(func(i *issuer) { i.never = true })
	c := i.client(t)
	for range 20 {
		for _, err := range r.together(t, c, 5) {
			if f := failed(t, err, connector.HTTP); f.Status != http.StatusUnauthorized {
				t.Errorf("failure %+v", f)
			}
		}
	}
	if n := i.count(); n != 2 {
		t.Errorf("%d tokens were fetched, want the first and one renewal", n)
	}
	r.advance(31 * time.Second)
	i.set(func(i *issuer) { i.never = false; i.token = "another" })
	if err := errors.Join(r.together(t, c, 5)...); err != nil {
		t.Errorf("later: %v", err)
	}
}

func TestATokenIsRenewedWellBeforeItExpires(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	c := i.client(t)
	call := func() {
		t.Helper()
		if err := errors.Join(r.together(t, c, 20)...); err != nil {
			t.Fatal(err)
		}
	}
	call()
	r.advance(47 * time.Minute)
	call()
	if i.count() != 1 {
		t.Fatalf("renewed before 80 %% of its life")
	}
	// The renewal waits, but no call waits for it: the old token still counts.
	held := make(chan struct{})
	i.set(func(i *issuer) { i.holding = held })
	r.advance(2 * time.Minute)
	call()
	call()
	i.set(func(i *issuer) { i.holding = nil })
	close(held)
	for i.count() < 2 { // the renewal goes on in the background
		call()
	}
	if i.count() != 2 {
		t.Errorf("%d tokens were fetched, want one renewal", i.count())
	}
}

func TestARotatedClientSecretCountsWithTheNextToken(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	c := i.client(t)
	for _, s := range []string{"first one", "second%one"} {
		r.vault.set("one", s)
		if err := errors.Join(r.together(t, c, 3)...); err != nil {
			t.Fatal(err)
		}
		r.advance(2 * time.Hour)
	}
	if want := []string{"first+one", "second%25one"}; !slices.Equal(i.issued, want) { // form-encoded inside basic
		t.Errorf("secrets used: %q, want %q", i.issued, want)
	}
}

func TestTokenRequest(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	for _, tt := range []struct {
		change func(*connector.Auth)
		want   string
	}{
		{func(*connector.Auth) {}, "me grant_type=client_credentials"},
		{func(a *connector.Auth) { a.Scopes, a.Audience = []string{"read", "write"}, "urn:api" }, "me audience=urn%3Aapi&grant_type=client_credentials&scope=read+write"},
		{func(a *connector.Auth) { a.AuthStyle = "body" }, "me client_id=me&grant_type=client_credentials"},
	} {
		c := i.client(t, func(s *connector.Spec) { tt.change(&s.Auth) })
		if err := errors.Join(r.together(t, c, 1)...); err != nil {
			t.Fatal(err)
		}
		if got := i.forms[len(i.forms)-1]; got != tt.want {
			t.Errorf("asked with %q, want %q", got, tt.want)
		}
	}
}

func TestAnIssuerThatSaysNo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		class  connector.Class
		msg    string
	}{
		{"wrong secret", 401, `{"error":"invalid_client","error_description":"s3cret is wrong"}`, connector.Denied, "answered 401 invalid_client: redacted is wrong"},
		{"wrong scope", 400, `{"error":"invalid_scope"}`, connector.Denied, "answered 400 invalid_scope"},
		{"a page instead", 404, `<html>`, connector.Denied, "answered 404"},
		{"down", 503, `oops`, connector.Unavailable, "answered 503"},
		{"too often", 429, `{}`, connector.Unavailable, "answered 429"},
		{"no token", 200, `{"token_type":"Bearer"}`, connector.Denied, "answered without an access token"},
		{"no JSON", 200, `hello`, connector.Denied, "answered without an access token"},
		{"a token that would break the header", 200, `{"access_token":"a\r\nX: y","token_type":"Bearer"}`, connector.Denied, "answered without an access token"},
		{"another type", 200, `{"access_token":"a","token_type":"mac"}`, connector.Denied, "issued a token of a type that is not bearer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, i := newRig(t), newIssuer(t)
			r.vault.set("one", "s3cret")
			i.set(func(i *issuer) { i.answer = func(int) (int, string) { return tt.status, tt.body } })
			c := i.client(t)
			for _, err := range r.together(t, c, 50) {
				f := failed(t, err, tt.class)
				if !strings.HasSuffix(f.Msg, "/token "+tt.msg) || f.Sent || strings.Contains(f.Error(), "s3cret") {
					t.Fatalf("failure %+v, want %q", f, tt.msg)
				}
			}
			if i.count() != 1 {
				t.Errorf("the issuer was asked %d times at once", i.count())
			}
			i.set(func(i *issuer) {
				i.answer = func(n int) (int, string) {
					return 200, fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":"60"}`, n)
				}
			})
			r.vault.set("one", "corrected") // counts at once, without waiting for the pause to end
			if err := errors.Join(r.together(t, c, 5)...); err != nil {
				t.Errorf("after the secret was corrected: %v", err)
			}
		})
	}
}

func TestACallerThatGivesUpTakesNoTokenFromOthers(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	held := make(chan struct{})
	i.set(func(i *issuer) { i.holding = held })
	c := i.client(t)
	req := request(t, c, get("/x"))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := r.Do(ctx, c, req, "")
		first <- err
	}()
	second := make(chan error, 1)
	go func() {
		_, err := r.Do(t.Context(), c, req, "")
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that gave up: %v", err)
	}
	close(held)
	if err := <-second; err != nil {
		t.Errorf("the other: %v", err)
	}
}

func TestTheTokenEndpointIsUnderTheSameEgressRules(t *testing.T) {
	r, i := newRig(t), newIssuer(t)
	r.vault.set("one", "s3cret")
	c := i.client(t, func(s *connector.Spec) {
		s.Auth.TokenURL = strings.Replace(s.Auth.TokenURL, "127.0.0.1", "localhost", 1)
		s.BaseURL, s.AllowPrivate = "https://api.example.com", nil
	})
	_, err := r.call(t, c, get("/"))
	fails(t, err, connector.Denied)
	if i.count() != 0 {
		t.Error("the token endpoint was reached")
	}
}
