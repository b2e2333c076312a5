package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"beffroi.dev/internal/connector"
)

// explain turns what went wrong into a failure without secrets, or into the
// error of the caller that gave up.
func (c *call) explain(caller context.Context, err error) error {
	if caller.Err() != nil && !errors.Is(caller.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", c.request.Target(), context.Cause(caller))
	}
	if f, ok := asFailure(err); ok {
		safe := *f
		safe.Msg = c.redactor.String(f.Msg)
		return c.lane.failure(c.request, &safe)
	}
	f := &connector.Failure{Class: connector.Network, Sent: !beforeSending(err), Msg: c.redactor.String(root(err))}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		f.Class = connector.Timeout
		f.Msg = fmt.Sprintf("no answer within %s", c.timeout)
		if caller.Err() != nil {
			f.Msg = "no answer in the time that was left"
		}
	}
	return c.lane.failure(c.request, f)
}

// failure says which call err is about.
func (l *lane) failure(r connector.Request, err error) error {
	f, ok := asFailure(err)
	if !ok {
		return err
	}
	named := *f
	named.Msg = r.Target() + ": " + f.Msg
	return &named
}

// beforeSending reports whether err is one of connecting.
func beforeSending(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &verify) || errors.As(err, &unknown)
}

// root is the text of err without what this package put around it.
func root(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return err.Error()
}
