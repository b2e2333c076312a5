package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Request is a call as it goes out, complete but for the credentials.
type Request struct {
	Method      string
	URL         *url.URL
	Headers     map[string]string // names in lower case; all valid
	Body        []byte            // nil: none
	ContentType string            // of Body
	Expect      []string          // statuses that are success; never empty
	Parse       string            // how the answer is read
	Timeout     time.Duration     // of the whole call; 0: that of the connection
}

// Unsafe reports whether the call may change something, so that it carries an
// idempotency key (RFC 9110 section 9.2.1).
func (r Request) Unsafe() bool {
	return r.Method != "GET" && r.Method != "HEAD" && r.Method != "OPTIONS"
}

// Expects reports whether status is success.
func (r Request) Expects(status int) bool {
	return slices.ContainsFunc(r.Expect, func(p string) bool { return statusMatches(p, status) })
}

// Target is the method and address without parameters, for logs and messages.
func (r Request) Target() string {
	return r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
}

// BuildRequest makes the request that the arguments of operation http say; c
// is nil when they name no connection. The error is a *[Failure] of class
// [Invalid] or [Denied]. Nothing in the arguments can lead to another host, add
// a header or part of one, or carry a credential.
func BuildRequest(c *Connection, with map[string]any) (Request, error) {
	if c != nil && c.Base == nil {
		c = nil
	}
	if issues := httpOperation.check(with, c != nil, never); len(issues) > 0 {
		i := issues[0]
		return Request{}, invalid(i.Hint, "%s: %s", i.Field, i.Msg)
	}
	r, f := buildRequest(c, with)
	if f != nil {
		return Request{}, f
	}
	return r, nil
}

func buildRequest(c *Connection, with map[string]any) (r Request, f *Failure) {
	r.Method, r.Parse = "GET", parseAuto
	if m, ok := text(with["method"]); ok {
		r.Method = m
	}
	if p, ok := text(with["parse"]); ok {
		r.Parse = p
	}
	if r.URL, f = target(c, with); f != nil {
		return r, f
	}
	query, _ := with["query"].(map[string]any)
	if f = addQuery(r.URL, query); f != nil {
		return r, f
	}
	headers, _ := with["headers"].(map[string]any)
	if r.Headers, f = headerArgs(headers, never); f != nil {
		return r, f
	}
	if f = c.ownsHeader(r.Headers); f != nil {
		return r, f
	}
	if r.Expect, f = expectArg(with["expect"], never); f != nil {
		return r, f
	}
	f = r.setBody(with)
	return r, f
}

// never says that everything is known: a value that looks like an expression
// is data by now.
func never(any) bool { return false }

// ownsHeader refuses headers that carry a secret of c.
func (c *Connection) ownsHeader(headers map[string]string) *Failure {
	if c == nil {
		return nil
	}
	for name := range headers {
		if _, secret := c.Secrets[name]; secret || name == strings.ToLower(c.Auth.Header) {
			return invalid("leave it out", "the header %s carries a secret of connection %s", name, c.Name)
		}
	}
	return nil
}

// target is the URL of the call, without query arguments.
func target(c *Connection, with map[string]any) (*url.URL, *Failure) {
	if with["url"] == nil {
		return join(c, with["path"])
	}
	s, _ := text(with["url"])
	u, f := parseURL(s)
	switch {
	case f != nil:
		return nil, f
	case c == nil && u.Scheme != "https":
		return nil, &Failure{Class: Denied, Msg: "a call without a connection goes to https addresses only", Hint: "write a connection document with allow_insecure: true if http is meant"}
	case c != nil && !c.SameOrigin(u):
		return nil, &Failure{
			Class: Denied, Msg: fmt.Sprintf("the URL leads to %s, but connection %s is for %s", u.Host, c.Name, c.Base.Host),
			Hint: "use another connection, or none",
		}
	}
	return u, nil
}

// join appends a path to the base of c.
func join(c *Connection, path any) (*url.URL, *Failure) {
	if c == nil || c.Base == nil {
		return nil, invalid("name a connection in the step, or url: with an absolute https URL", "path needs a connection")
	}
	var escaped string
	var f *Failure
	if list, ok := path.([]any); ok {
		escaped, f = listPath(list)
	} else if s, ok := text(path); ok {
		escaped, f = textPath(s)
	} else {
		f = invalid("", "path is %s, where a text or a list is wanted", describe(path))
	}
	if f != nil {
		return nil, f
	}
	u := *c.Base
	full := u.EscapedPath()
	if escaped != "" {
		full += "/" + escaped
	}
	var err error
	if u.Path, err = url.PathUnescape(full); err != nil {
		return nil, invalid("", "the path cannot be read")
	}
	u.RawPath = full
	if len(full) > maxURL {
		return nil, invalid("", "the path is longer than %d bytes", maxURL)
	}
	return &u, nil
}

// addQuery adds parameters to those that u has.
func addQuery(u *url.URL, query map[string]any) *Failure {
	encoded, f := encode("query", query)
	if f != nil {
		return f
	}
	if u.RawQuery != "" && encoded != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += encoded
	if len(u.RawQuery) > maxURL {
		return invalid("send them in body: or form:", "the parameters are longer than %d bytes", maxURL)
	}
	return nil
}

// encode writes parameters in the order of their names; null is left out.
func encode(arg string, params map[string]any) (string, *Failure) {
	values := make(url.Values, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		v := params[name]
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, v := range list {
			s, ok := text(v)
			if !ok && v != nil {
				return "", invalid("a parameter is a text, a number, true or false, or a list of such", "%s.%s is %s", arg, name, describe(v))
			}
			if v != nil {
				values.Add(name, s)
			}
		}
	}
	return values.Encode(), nil
}

// headerArgs checks headers. Values that are not known yet are not looked at.
func headerArgs(headers map[string]any, later func(any) bool) (map[string]string, *Failure) {
	out := make(map[string]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower, v := strings.ToLower(name), headers[name]
		switch {
		case !validToken(name):
			return nil, invalid("", "%q is not the name of a header", name)
		case carriesSecret(lower):
			return nil, invalid("name the secret in auth: or secret_headers: of a connection", "the header %s carries a credential, which a call may not set", lower)
		case ownHeaders[lower]:
			return nil, invalid("", "the header %s is set by the client itself", lower)
		case v == nil || later(v):
			continue
		}
		s, ok := text(v)
		if !ok || !validValue(s) || len(s) > maxHeader {
			return nil, invalid("", "the header %s is %s that cannot be sent: one line of text is wanted", lower, describe(v))
		}
		out[lower] = s
	}
	return out, nil
}

func expectArg(v any, later func(any) bool) ([]string, *Failure) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	if v == nil || len(list) == 0 {
		return []string{"2xx"}, nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := text(v)
		if !later(v) && (!ok || !validStatus(s)) {
			return nil, invalid("for example 200, 404 or 2xx", "expect has an entry that is no status")
		}
		out[i] = s
	}
	return out, nil
}

// setBody encodes body or form.
func (r *Request) setBody(with map[string]any) *Failure {
	r.ContentType = r.Headers["content-type"]
	delete(r.Headers, "content-type")
	if form, ok := with["form"].(map[string]any); ok {
		encoded, f := encode("form", form)
		r.Body, r.ContentType = []byte(encoded), "application/x-www-form-urlencoded"
		return f
	}
	body, given := with["body"]
	if !given || body == nil {
		r.ContentType = ""
		return nil
	}
	if s, ok := body.(string); ok {
		r.Body = []byte(s)
		if r.ContentType == "" {
			r.ContentType = "text/plain; charset=utf-8"
		}
	} else {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return invalid("", "the body cannot be written as JSON: %v", err)
		}
		r.Body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		if r.ContentType == "" {
			r.ContentType = defaultContentType
		}
	}
	if len(r.Body) > maxBody {
		return invalid("", "the body has %d bytes, %d are allowed", len(r.Body), maxBody)
	}
	return nil
}
