package intake

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// maxEvents bounds how many events one call may hold.
const maxEvents = 10_000

func errTooMany() error {
	return errs.Hint(errs.TooLarge, "send them in several calls", "the call holds more than %d events", maxEvents)
}

// parse reads a body: one JSON value, one a line (NDJSON), or a form whose
// field payload holds one of them. A value that is a list is taken apart by
// the source.
func parse(body []byte, h http.Header) ([]any, error) {
	if e := h.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, errs.Hint(errs.Unsupported, "have the tool send it as it is", "the body is compressed")
	}
	if media, _, _ := mime.ParseMediaType(h.Get("Content-Type")); media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form["payload"]) != 1 {
			return nil, errs.E(errs.Unsupported, "a form must carry its JSON in one field payload")
		}
		body = []byte(form.Get("payload"))
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	v, err := expr.FromJSON(body)
	if err == nil {
		return []any{v}, nil
	}
	if first, _, more := bytes.Cut(body, []byte("\n")); more {
		if _, lineErr := expr.FromJSON(first); lineErr == nil {
			return parseLines(body)
		}
	}
	return nil, errs.E(errs.Invalid, "the body is not JSON: %v", err)
}

// parseLines reads one JSON value a line.
func parseLines(body []byte) ([]any, error) {
	var out []any
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(out) == maxEvents {
			return nil, errTooMany()
		}
		v, err := expr.FromJSON(line)
		if err != nil {
			return nil, errs.E(errs.Invalid, "line %d of the body is not JSON: %v", n, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// maxChallenge bounds what is echoed to a tool that checks the address.
const maxChallenge = 1000

// greet answers the check that a tool makes of a new address; nil when the call
// is none (https://developer.okta.com/docs/concepts/event-hooks and
// https://docs.slack.dev/reference/events/url_verification).
func greet(scheme string, r *http.Request, body []byte) map[string]string {
	switch scheme {
	case alert.SchemeOkta:
		if c := r.Header.Get("X-Okta-Verification-Challenge"); r.Method == http.MethodGet && c != "" && len(c) <= maxChallenge {
			return map[string]string{"verification": c}
		}
	case alert.SchemeSlack:
		var m struct {
			Type      string `json:"type"`
			Challenge string `json:"challenge"`
		}
		if json.Unmarshal(body, &m) == nil && m.Type == "url_verification" && len(m.Challenge) <= maxChallenge {
			return map[string]string{"challenge": m.Challenge}
		}
	}
	return nil
}
