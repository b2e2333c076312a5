package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"beffroi.dev/internal/connector"
)

// A lane is what the calls of one connection share.
type lane struct {
	client    *Client
	conn      *connector.Connection
	transport *http.Transport
	fixed     http.Header   // of every call; never changed
	limiter   *rate.Limiter // nil: no limit
	breaker   breaker
	tokens    tokens
	redaction redaction
}

func newLane(c *Client, conn *connector.Connection) *lane {
	l := &lane{client: c, conn: conn}
	l.tokens.lane = l
	l.fixed = http.Header{"User-Agent": {"beffroi"}, "Accept-Encoding": {"gzip"}, "Accept": {"application/json, */*;q=0.5"}}
	for name, value := range conn.Headers {
		l.fixed.Set(name, value)
	}
	l.breaker.off = conn.Base == nil // calls to all the world have no one other side
	if conn.PerSecond > 0 {
		l.limiter = rate.NewLimiter(rate.Limit(conn.PerSecond), conn.Burst)
	}
	l.transport = &http.Transport{
		Proxy:                  nil, // a proxy would choose the address, and so undo the egress check
		DialContext:            l.dial,
		TLSClientConfig:        l.tls(),
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // done here, within the limit
		MaxIdleConnsPerHost:    idleConns(conn),
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return l
}

// idleConns is how many connections to one host are kept: as many as the runner
// may use at once, so that none is opened and closed for every call.
func idleConns(conn *connector.Connection) int {
	if conn.Base == nil {
		return 4
	}
	return 256
}

// dial connects to what the connection permits. The check runs for every
// address that is tried, right before it is connected to.
func (l *lane) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	d := net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 30 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("dial %s: %w", host, err)
			}
			return l.conn.Permits(host, to.Addr())
		},
	}
	return d.DialContext(ctx, network, addr)
}

func (l *lane) tls() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.conn.TLS.CA != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(l.conn.TLS.CA))
	}
	if l.conn.TLS.Certificate != "" {
		c.GetClientCertificate = l.certificate
	}
	return c
}

// certificate reads the client's certificate at every handshake, so that a
// rotated one is used.
func (l *lane) certificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	chain, err := l.secret(info.Context(), l.conn.TLS.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := l.secret(info.Context(), l.conn.TLS.Key)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair([]byte(chain.Reveal()), []byte(key.Reveal()))
	if err != nil {
		// The text of err could quote what it could not read.
		return nil, &connector.Failure{
			Class: connector.Denied, Msg: fmt.Sprintf("the secrets %s and %s are no certificate and key that belong together", l.conn.TLS.Certificate, l.conn.TLS.Key),
			Hint: "store both as PEM",
		}
	}
	return &cert, nil
}

// turn waits until the rate of the connection lets a call pass.
func (l *lane) turn(ctx context.Context) error {
	if l.limiter == nil {
		return nil
	}
	now := l.client.c.Now()
	r := l.limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	if wait > l.client.c.MaxWait {
		r.CancelAt(now)
		return &connector.Failure{
			Class: connector.Unavailable, RetryAfter: wait,
			Msg: fmt.Sprintf("connection %s is at its rate of %g calls a second", l.conn.Name, l.conn.PerSecond),
		}
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		r.CancelAt(l.client.c.Now())
		return fmt.Errorf("wait for a turn on connection %s: %w", l.conn.Name, context.Cause(ctx))
	}
}
