package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MinRedacted is the length in bytes below which a Redactor does not look for
// a secret: it would find it everywhere. Refuse to store secrets that short.
const MinRedacted = 4

// A Redactor replaces secrets in text by the word "redacted": as they are, and
// as they look in URLs, in JSON strings, in hexadecimal and in base64, also
// inside a longer encoded text as in basic authentication (a character that
// holds bits of its neighbours too is left). It is immutable and safe for
// concurrent use. A nil or zero Redactor changes nothing.
type Redactor struct {
	forms func() []string // distinct, none empty; a function as in Key
}

// NewRedactor returns a Redactor for the secrets, with and without the space
// around them. Secrets shorter than MinRedacted are ignored.
func NewRedactor(secrets ...String) *Redactor {
	set := map[string]bool{}
	for _, s := range secrets {
		trimmed := strings.TrimSpace(s.Reveal())
		if len(trimmed) < MinRedacted {
			continue
		}
		for _, text := range []string{s.Reveal(), trimmed} {
			for _, f := range forms(text) {
				set[f] = true
			}
		}
	}
	sorted := slices.Sorted(maps.Keys(set))
	return &Redactor{func() []string { return sorted }}
}

// String returns s without the secrets.
func (r *Redactor) String(s string) string {
	spans := r.find(s)
	if len(spans) == 0 {
		return s
	}
	var b strings.Builder
	at := 0
	for _, sp := range spans {
		b.WriteString(s[at:sp.from])
		b.WriteString(Redacted)
		at = sp.to
	}
	b.WriteString(s[at:])
	return b.String()
}

// Bytes returns b without the secrets; b itself is not changed.
func (r *Redactor) Bytes(b []byte) []byte { return []byte(r.String(string(b))) }

// Value returns the JSON value v without the secrets, in its strings, numbers
// and keys alike; v itself is not changed.
func (r *Redactor) Value(v any) any {
	switch v := v.(type) {
	case string:
		return r.String(v)
	case int64:
		return r.number(v, strconv.FormatInt(v, 10))
	case float64:
		return r.number(v, strconv.FormatFloat(v, 'f', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.Value(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[r.String(k)] = r.Value(v[k])
		}
		return out
	default:
		return v
	}
}

// Format prints the word "redacted" for every verb and flag.
func (r *Redactor) Format(f fmt.State, verb rune) { format(f, verb) }

func (r *Redactor) number(v any, text string) any {
	if len(r.find(text)) > 0 {
		return Redacted
	}
	return v
}

type span struct{ from, to int }

// find returns the places of all secrets in s, in order and apart. Secrets
// that overlap are one place, so that no end of one stays behind.
func (r *Redactor) find(s string) []span {
	if r == nil || r.forms == nil {
		return nil
	}
	var all []span
	for _, f := range r.forms() {
		for at := 0; ; {
			i := strings.Index(s[at:], f)
			if i < 0 {
				break
			}
			all = append(all, span{at + i, at + i + len(f)})
			at += i + 1
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.from - b.from })
	merged := all[:0]
	for _, sp := range all {
		if n := len(merged); n > 0 && sp.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, sp.to)
			continue
		}
		merged = append(merged, sp)
	}
	return merged
}

// forms returns the ways in which a secret may stand in a text.
func forms(s string) []string {
	out := []string{s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s)))}
	for _, u := range []string{url.QueryEscape(s), url.PathEscape(s)} {
		out = append(out, u, lowerEscapes(u))
	}
	for _, html := range []bool{true, false} {
		out = append(out, jsonText(s, html))
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			if f := inBase64(enc, s, before); len(f) > MinRedacted {
				out = append(out, f)
			}
		}
	}
	return out
}

// inBase64 returns the characters that s alone decides when it is encoded
// after 3n+before other bytes.
func inBase64(enc *base64.Encoding, s string, before int) string {
	text := enc.EncodeToString(append(make([]byte, before), s...))
	return text[(before*8+5)/6 : (before+len(s))*8/6]
}

// jsonText returns s as it stands between the quotes of a JSON string.
func jsonText(s string, html bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if err := enc.Encode(s); err != nil {
		panic("internal error: a string does not encode: " + Redacted)
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// lowerEscapes returns a URL-encoded text with its %XX in lower case.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}
