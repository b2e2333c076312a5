package connector

import (
	"math"
	"strconv"
	"strings"
)

// text returns a scalar as it stands in a URL or a header.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", false
		}
		return strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		return "", false
	}
}

// describe says what a value is, without showing it.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing"
	case string:
		if v == "" {
			return "empty"
		}
		return "a text"
	case bool:
		return "true or false"
	case int, int64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	default:
		return "of an unknown kind"
	}
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// validToken reports whether s is a token (RFC 9110 section 5.6.2).
func validToken(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return false
		}
	}
	return true
}

// validValue reports whether s may be the value of a header.
func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// ownHeaders are set by the client or by HTTP itself.
var ownHeaders = set("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te",
	"trailer", "expect", "accept-encoding", "proxy-authorization", "proxy-connection", "http2-settings")

// carriesSecret reports whether a header of that name holds a credential.
func carriesSecret(name string) bool {
	name = strings.ToLower(name)
	for _, s := range []string{"authorization", "cookie", "api-key", "apikey", "application-key", "auth-token", "auth-key", "private-token", "access-token", "vault-token", "password", "secret"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
