package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/secret"
)

// credentials are what a call sends to prove who it is.
type credentials struct {
	headers []secretHeader
	secrets []secret.String // all values that must not come out again
	token   *token          // of oauth2; else nil
}

type secretHeader struct {
	name  string
	value secret.String
}

// credentials looks up what the connection names. refused is the token that
// was just answered with 401, if any.
func (l *lane) credentials(ctx context.Context, refused *token) (credentials, error) {
	var c credentials
	a := l.conn.Auth
	for name, of := range l.conn.Secrets {
		s, err := l.secret(ctx, of)
		if err != nil {
			return c, err
		}
		c.add(name, s)
	}
	switch a.Type {
	case connector.NoAuth:
		return c, nil
	case connector.OAuth2:
		t, err := l.tokens.get(ctx, refused)
		if err != nil {
			return c, err
		}
		c.token = t
		c.add("Authorization", secret.New("Bearer "+t.value.Reveal()), t.value, t.clientSecret)
		return c, nil
	default:
	}
	s, err := l.secret(ctx, a.Secret)
	if err != nil {
		return c, err
	}
	switch a.Type {
	case connector.BasicAuth:
		pair := base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + s.Reveal()))
		c.add("Authorization", secret.New("Basic "+pair), s, secret.New(pair))
	case connector.BearerAuth:
		c.add("Authorization", secret.New("Bearer "+s.Reveal()), s)
	case connector.HeaderAuth:
		c.add(a.Header, secret.New(a.Prefix+s.Reveal()), s)
	default:
		return c, fmt.Errorf("internal error: auth type %q", a.Type)
	}
	return c, nil
}

// add sends value in a header. Without further secrets value is the secret.
func (c *credentials) add(name string, value secret.String, secrets ...secret.String) {
	c.headers = append(c.headers, secretHeader{name, value})
	if len(secrets) == 0 {
		secrets = []secret.String{value}
	}
	c.secrets = append(c.secrets, secrets...)
}

// secret looks a secret up and refuses one that cannot stand in a header.
func (l *lane) secret(ctx context.Context, name string) (secret.String, error) {
	s, err := l.client.c.Secrets(ctx, name)
	if ctx.Err() != nil {
		return secret.String{}, fmt.Errorf("look up the secret %s: %w", name, context.Cause(ctx))
	}
	switch {
	case err != nil || s.IsZero():
		f := &connector.Failure{
			Class: connector.Denied, Msg: fmt.Sprintf("the secret %s of connection %s is not set", name, l.conn.Name),
			Hint: "beffroi secret set " + name,
		}
		if err != nil {
			f.Msg = fmt.Sprintf("the secret %s of connection %s cannot be read: %v", name, l.conn.Name, err)
		}
		return s, f
	case name != l.conn.TLS.Certificate && name != l.conn.TLS.Key && strings.ContainsFunc(s.Reveal(), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return s, &connector.Failure{
			Class: connector.Denied, Msg: fmt.Sprintf("the secret %s has a line break or another control character", name),
			Hint: "set it again without the line break at its end: beffroi secret set " + name,
		}
	}
	return s, nil
}

// A redaction keeps the redactor of the secrets that were used last: making one
// costs more than a call.
type redaction struct{ last atomic.Pointer[redactorOf] }

type redactorOf struct {
	secrets  []secret.String
	redactor *secret.Redactor
}

// of returns the redactor of secrets, nil if there are none.
func (r *redaction) of(secrets []secret.String) *secret.Redactor {
	if len(secrets) == 0 {
		return nil
	}
	same := func(a, b secret.String) bool { return a.Reveal() == b.Reveal() }
	if last := r.last.Load(); last != nil && slices.EqualFunc(last.secrets, secrets, same) {
		return last.redactor
	}
	made := &redactorOf{secrets, secret.NewRedactor(secrets...)}
	r.last.Store(made)
	return made.redactor
}

// asFailure returns the failure in err's tree, if there is one.
func asFailure(err error) (*connector.Failure, bool) {
	var f *connector.Failure
	ok := errors.As(err, &f)
	return f, ok
}
