package connector

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"

	"beffroi.dev/internal/expr"
)

// A Result is what a call answered. It is data: nothing in it is evaluated.
type Result struct {
	Status  int
	Headers map[string]string // names in lower case; those that keptHeader names
	Body    any               // JSON value
}

// Value is the result as expressions and records see it.
func (r Result) Value() map[string]any {
	headers := make(map[string]any, len(r.Headers))
	for k, v := range r.Headers {
		headers[k] = v
	}
	return map[string]any{"status": int64(r.Status), "headers": headers, "body": r.Body}
}

// KeepsHeader reports whether a result has the header of that name, in lower
// case. Cookies and whatever nobody asks for are left out.
func KeepsHeader(name string) bool {
	if keptHeaders[name] {
		return true
	}
	for _, p := range []string{"x-ratelimit-", "x-rate-limit-", "ratelimit-"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return strings.HasSuffix(name, "request-id")
}

var keptHeaders = set("content-type", "content-disposition", "date", "etag", "last-modified", "link", "location",
	"retry-after", "ratelimit", "x-next-page", "x-total", "x-total-count", "x-trace-id", "x-slack-req-id")

// Explain returns what an answer says about its failure, in at most 200
// characters, or "": the members that APIs commonly use for it, or a text.
func Explain(body any) string {
	switch v := body.(type) {
	case string:
		if !strings.HasPrefix(strings.TrimSpace(v), "<") {
			return clip(v)
		}
	case []any:
		if len(v) > 0 {
			return Explain(v[0])
		}
	case map[string]any:
		for _, k := range []string{"detail", "message", "error_description", "errorSummary", "errorMessages", "error", "errors", "title", "reason"} {
			if s := Explain(v[k]); s != "" {
				return s
			}
		}
	}
	return ""
}

// clip makes one short line of s.
func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}

// ParseBody turns the bytes of an answer into a JSON value. Bytes that are no
// text come out in base64. The error is a *[Failure] of class [Invalid].
func ParseBody(parse, contentType string, b []byte) (any, error) {
	if len(b) == 0 || parse == parseNone {
		return nil, nil
	}
	switch {
	case parse == parseBase64:
		return base64.StdEncoding.EncodeToString(b), nil
	case parse == parseJSON, parse == parseAuto && isJSON(contentType):
		v, err := expr.FromJSON(b)
		if err == nil {
			return v, nil
		}
		if parse == parseJSON {
			return nil, &Failure{Class: Invalid, Sent: true, Msg: "the answer is not JSON: " + err.Error(), Hint: "parse: auto takes it as text"}
		}
	}
	if !utf8.Valid(b) {
		return base64.StdEncoding.EncodeToString(b), nil
	}
	return string(b), nil
}

// isJSON reports whether a media type is JSON (RFC 6839 section 3.1).
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"))
}
