package web

import (
	"net/http"
	"strings"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/secret"
)

// Bearer returns the token of a request (RFC 6750 section 2.1). It is taken
// from the header only: tokens in URLs end up in logs.
func Bearer(r *http.Request) (secret.String, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return secret.String{}, errs.Hint(errs.Unauthenticated, "send the header Authorization: Bearer TOKEN", "the request carries no token")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || !isToken68(token) {
		return secret.String{}, errs.Hint(errs.Unauthenticated, "send the header Authorization: Bearer TOKEN", "the request carries no token that can be read")
	}
	return secret.New(token), nil
}

// isToken68 reports whether s is of the form of RFC 9110 section 11.2, and of
// a length that anybody issues.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" || len(s) > 4096 {
		return false
	}
	return !strings.ContainsFunc(body, func(r rune) bool {
		letter, digit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z', r >= '0' && r <= '9'
		return !letter && !digit && !strings.ContainsRune("-._~+/", r)
	})
}
