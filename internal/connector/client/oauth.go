package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/secret"
)

const (
	defaultLife   = 10 * time.Minute // of a token that does not say (RFC 6749 section 4.2.2)
	refusedPause  = 5 * time.Second  // between attempts when the issuer refuses
	fruitlessness = 30 * time.Second // a renewed token that is refused too is not renewed again within
	maxTokenBody  = 1 << 20
)

// A token is an access token. It never changes but for worked.
type token struct {
	value        secret.String
	clientSecret secret.String // that it was got with
	issued       time.Time
	renew        time.Time // from then on a new one is fetched in the background
	expires      time.Time
	forced       bool        // got because the one before was refused
	worked       atomic.Bool // some call with it was not answered 401
}

// tokens fetches access tokens for one connection, one at a time.
type tokens struct {
	lane *lane

	mu      sync.Mutex
	current *token   // guarded by mu; nil: none
	flight  *flight  // guarded by mu; nil: no request is going on
	refusal *refusal // guarded by mu; nil: the last request succeeded
}

// A flight is a token request that is going on. token and err are set before
// done is closed.
type flight struct {
	done  chan struct{}
	token *token
	err   error
}

// A refusal is a failed request. It stands for those that would fail the same.
type refusal struct {
	err    error
	until  time.Time
	secret secret.String // with another one it is tried at once
}

// get returns a token that is valid now and is not refused.
func (t *tokens) get(ctx context.Context, refused *token) (*token, error) {
	now := t.lane.client.c.Now()
	t.mu.Lock()
	cur := t.current
	if refused != nil && cur == refused {
		if cur.forced && !cur.worked.Load() && now.Sub(cur.issued) < fruitlessness {
			t.mu.Unlock()
			return cur, nil // a newer one was no better
		}
		t.current, cur = nil, nil
	}
	f := t.flight
	if cur != nil && now.Before(cur.expires) {
		if !now.Before(cur.renew) && f == nil && t.refused(ctx, now) == nil {
			t.start(false)
		}
		t.mu.Unlock()
		return cur, nil
	}
	if f == nil {
		if err := t.refused(ctx, now); err != nil {
			t.mu.Unlock()
			return nil, err
		}
		f = t.start(refused != nil)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an access token: %w", context.Cause(ctx))
	}
}

// refused returns the error of a request that failed a moment ago, unless the
// secret was changed since. Its caller holds mu.
func (t *tokens) refused(ctx context.Context, now time.Time) error {
	r := t.refusal
	if r == nil || !now.Before(r.until) {
		return nil
	}
	if s, err := t.lane.client.c.Secrets(ctx, t.lane.conn.Auth.Secret); err == nil && s.Reveal() != r.secret.Reveal() {
		return nil
	}
	return r.err
}

// start begins the one request. It outlives the call that needs it, since
// others may wait for it too. Its caller holds mu.
func (t *tokens) start(forced bool) *flight {
	c := t.lane.client
	f := &flight{done: make(chan struct{})}
	t.flight = f
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(c.life, t.lane.conn.Timeout)
		defer cancel()
		tok, used, err := t.fetch(ctx)
		now := c.c.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		defer close(f.done)
		t.flight, t.refusal = nil, nil
		if err != nil {
			f.err = err
			pause := refusedPause
			if fail, ok := asFailure(err); ok && fail.RetryAfter > pause {
				pause = fail.RetryAfter
			}
			t.refusal = &refusal{err, now.Add(pause), used}
			return
		}
		tok.forced = forced
		t.current, f.token = tok, tok
	})
	return f
}

// fetch asks the issuer (RFC 6749 section 4.4.2). It also returns the client
// secret that it used.
func (t *tokens) fetch(ctx context.Context) (*token, secret.String, error) {
	s, err := t.lane.secret(ctx, t.lane.conn.Auth.Secret)
	if err != nil {
		return nil, s, err
	}
	asked := t.lane.client.c.Now()
	resp, err := t.lane.transport.RoundTrip(t.request(ctx, s))
	if err != nil {
		return nil, s, t.unavailable(s, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenBody))
	if err != nil {
		return nil, s, t.unavailable(s, err)
	}
	v, err := expr.FromJSON(raw)
	answer, ok := v.(map[string]any)
	if resp.StatusCode != http.StatusOK {
		return nil, s, t.declined(resp, answer, s)
	}
	value, _ := answer["access_token"].(string)
	kind, _ := answer["token_type"].(string)
	if err != nil || !ok || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, s, t.failure(connector.Denied, "answered without an access token", "")
	}
	if !strings.EqualFold(kind, "bearer") {
		return nil, s, t.failure(connector.Denied, "issued a token of a type that is not bearer", "")
	}
	life := lifeOf(answer["expires_in"])
	return &token{
		value: secret.New(value), clientSecret: s, issued: asked, expires: asked.Add(life), renew: asked.Add(life - margin(life)),
	}, s, nil
}

// margin is how long before its end a token is renewed: a fifth of its life or
// a minute, whichever is more, but never more than half of it.
func margin(life time.Duration) time.Duration {
	return max(life/5, min(time.Minute, life/2))
}

// lifeOf reads expires_in, which some issuers send as a string.
func lifeOf(v any) time.Duration {
	var seconds float64
	switch v := v.(type) {
	case int64:
		seconds = float64(v)
	case float64:
		seconds = v
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return defaultLife
		}
		seconds = f
	default:
		return defaultLife
	}
	return time.Duration(min(max(seconds, 1), 30*24*3600) * float64(time.Second))
}

func (t *tokens) request(ctx context.Context, s secret.String) *http.Request {
	a := t.lane.conn.Auth
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(a.Scopes) > 0 {
		form.Set("scope", strings.Join(a.Scopes, " "))
	}
	if a.Audience != "" {
		form.Set("audience", a.Audience)
	}
	h := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"beffroi"}}
	if a.AuthStyle == "body" {
		form.Set("client_id", a.ClientID)
		form.Set("client_secret", s.Reveal())
	} else { // RFC 6749 section 2.3.1: each is form-encoded first
		pair := url.QueryEscape(a.ClientID) + ":" + url.QueryEscape(s.Reveal())
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	body := []byte(form.Encode())
	r := &http.Request{
		Method: http.MethodPost, URL: t.lane.conn.TokenURL, Host: t.lane.conn.TokenURL.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: int64(len(body)),
		Body: io.NopCloser(bytes.NewReader(body)),
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return r.WithContext(ctx)
}

// unavailable is an issuer that could not be reached.
func (t *tokens) unavailable(s secret.String, err error) error {
	if f, ok := asFailure(err); ok {
		return f
	}
	if t.lane.client.life.Err() != nil {
		return fmt.Errorf("fetch an access token: %w", err)
	}
	return t.failure(connector.Unavailable, "cannot be reached: "+secret.NewRedactor(s).String(err.Error()), "")
}

// declined is an issuer that said no (RFC 6749 section 5.2).
func (t *tokens) declined(resp *http.Response, answer map[string]any, s secret.String) error {
	msg := fmt.Sprintf("answered %d", resp.StatusCode)
	if code, ok := answer["error"].(string); ok {
		msg += " " + code
	}
	if why := connector.Explain(answer["error_description"]); why != "" {
		msg += ": " + why
	}
	msg = secret.NewRedactor(s).String(msg)
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		f := t.failure(connector.Unavailable, msg, "")
		f.RetryAfter = connector.RetryAfter(resp.StatusCode, func(name string) string { return resp.Header.Get(name) }, t.lane.client.c.Now())
		return f
	}
	a := t.lane.conn.Auth
	return t.failure(connector.Denied, msg, fmt.Sprintf("check client_id, scopes and the secret %s of connection %s", a.Secret, t.lane.conn.Name))
}

func (t *tokens) failure(class connector.Class, msg, hint string) *connector.Failure {
	u := t.lane.conn.TokenURL
	return &connector.Failure{Class: class, Msg: "no access token: " + u.Host + u.EscapedPath() + " " + msg, Hint: hint}
}
