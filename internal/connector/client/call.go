package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/secret"
)

const maxHops = 5

// A call is one Do.
type call struct {
	lane    *lane
	request connector.Request
	key     string
	timeout time.Duration

	status   int              // of the last answer, 0: none
	redactor *secret.Redactor // of what the call sent; nil: no secret
}

// perform sends the request, and once more if its token was refused.
func (c *call) perform(ctx context.Context) (connector.Result, error) {
	var refused *token
	for {
		creds, err := c.lane.credentials(ctx, refused)
		if err != nil {
			return connector.Result{}, err
		}
		c.redactor = c.lane.redaction.of(creds.secrets)
		resp, err := c.follow(ctx, creds)
		if err != nil {
			return connector.Result{}, err
		}
		if resp.StatusCode == http.StatusUnauthorized && creds.token != nil && refused == nil && !c.request.Expects(http.StatusUnauthorized) {
			refused = creds.token
			discard(resp.Body)
			continue
		}
		if creds.token != nil && resp.StatusCode != http.StatusUnauthorized {
			creds.token.worked.Store(true)
		}
		return c.result(resp)
	}
}

// follow sends the request and follows redirects that stay on the host.
func (c *call) follow(ctx context.Context, creds credentials) (*http.Response, error) {
	method, u, body := c.request.Method, c.request.URL, c.request.Body
	for hop := 0; ; hop++ {
		resp, err := c.lane.transport.RoundTrip(c.httpRequest(ctx, method, u, body, creds))
		if err != nil {
			return nil, fmt.Errorf("send: %w", err)
		}
		c.status = resp.StatusCode
		location := resp.Header.Get("Location")
		if location == "" || !isRedirect(resp.StatusCode) || !c.lane.conn.Follow || c.request.Expects(resp.StatusCode) {
			return resp, nil
		}
		discard(resp.Body)
		if u, err = connector.Redirect(u, location); err != nil {
			return nil, err
		}
		if hop == maxHops {
			return nil, &connector.Failure{Class: connector.Denied, Sent: true, Msg: fmt.Sprintf("more than %d redirects", maxHops)}
		}
		if resp.StatusCode <= http.StatusSeeOther && method != http.MethodHead { // RFC 9110 section 15.4
			method, body = http.MethodGet, nil
		}
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

func (c *call) httpRequest(ctx context.Context, method string, u *url.URL, body []byte, creds credentials) *http.Request {
	h := make(http.Header, len(c.lane.fixed)+len(c.request.Headers)+3)
	maps.Copy(h, c.lane.fixed)
	set := func(name, value string) { h[http.CanonicalHeaderKey(name)] = []string{value} }
	for name, value := range c.request.Headers {
		set(name, value)
	}
	for _, s := range creds.headers {
		set(s.name, s.value.Reveal())
	}
	r := &http.Request{Method: method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h}
	if body != nil {
		set("Content-Type", c.request.ContentType)
		r.ContentLength = int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	unsafe := connector.Request{Method: method}.Unsafe()
	if unsafe && c.key != "" && h["Idempotency-Key"] == nil {
		h["Idempotency-Key"] = []string{c.key}
	}
	return r.WithContext(ctx)
}

// result reads the answer. An unexpected status is a failure beside the result.
func (c *call) result(resp *http.Response) (connector.Result, error) {
	defer resp.Body.Close()
	res := connector.Result{Status: resp.StatusCode, Headers: c.headers(resp.Header)}
	raw, err := readBody(resp, c.lane.conn.MaxResponse)
	if err == nil {
		res.Body, err = connector.ParseBody(c.request.Parse, resp.Header.Get("Content-Type"), raw)
	}
	res.Body = c.redact(res.Body)
	if !c.request.Expects(resp.StatusCode) {
		return res, c.unexpected(resp, res)
	}
	if err != nil {
		return connector.Result{}, err
	}
	return res, nil
}

func (c *call) headers(h http.Header) map[string]string {
	out := make(map[string]string, 4)
	for name, values := range h {
		lower := strings.ToLower(name)
		if !connector.KeepsHeader(lower) {
			continue
		}
		var v strings.Builder
		v.WriteString(values[0])
		for _, more := range values[1:] {
			v.WriteString(", " + more)
		}
		out[lower] = c.redactor.String(v.String())
	}
	return out
}

func (c *call) redact(v any) any {
	if c.redactor == nil {
		return v
	}
	return c.redactor.Value(v)
}

// unexpected is the failure that an answer with that status is.
func (c *call) unexpected(resp *http.Response, res connector.Result) error {
	f := &connector.Failure{
		Class: connector.HTTP, Status: resp.StatusCode, Sent: true,
		Msg:        fmt.Sprintf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
		RetryAfter: connector.RetryAfter(resp.StatusCode, func(name string) string { return resp.Header.Get(name) }, c.lane.client.c.Now()),
	}
	if why := connector.Explain(res.Body); why != "" {
		f.Msg += ": " + why
	}
	if resp.StatusCode == http.StatusUnauthorized && c.lane.conn.Auth.Secret != "" {
		f.Hint = fmt.Sprintf("check the secret %s of connection %s", c.lane.conn.Auth.Secret, c.lane.conn.Name)
	}
	return f
}

// verdictOf says what the outcome of a call means for those to come.
func verdictOf(err error) verdict {
	if err == nil {
		return healthy
	}
	var f *connector.Failure
	if !errors.As(err, &f) {
		return neither
	}
	switch f.Class {
	case connector.Network, connector.Timeout:
		return down
	case connector.HTTP:
		if f.Status >= 500 {
			return down
		}
		return healthy
	case connector.TooLarge:
		return healthy
	default:
		return neither
	}
}
