// Package client performs calls: it is the one way in which Beffroi reaches
// other systems by HTTP.
//
// What it promises:
//
//   - No connection is opened to an address that the connection document does
//     not permit. The check stands between name resolution and connect, for
//     every attempt, redirect and token request, so a name that changes its
//     address (DNS rebinding) gains nothing. Proxies of the environment are
//     not used.
//   - Secrets are looked up by name when they are needed, so a rotated one
//     counts with the next call. Neither results nor errors nor logs hold
//     them, even if the other side sends them back.
//   - An OAuth 2.0 access token (RFC 6749 section 4.4) is fetched by one caller
//     at a time and renewed well before it expires; an answer 401 renews it
//     once (RFC 6750 section 3.1).
//   - An answer takes no more memory than the connection's max_response,
//     however well it was compressed.
//   - Every call ends within its timeout, and a call that changes something
//     carries the Idempotency-Key that it was given.
//   - What is down is left alone: after ten failures in a row calls are
//     refused at once with the time to wait, until one probe succeeds.
//
// It never retries by itself, except once after a 401 and where net/http knows
// that nothing was received: retrying is the business of whoever records it.
package client

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/secret"
)

// Config says what a Client needs.
type Config struct {
	// Secrets returns the value of a secret by its name. It is asked for every
	// call, so it answers from memory. Required.
	Secrets func(ctx context.Context, name string) (secret.String, error)

	Log     *slog.Logger     // required
	Now     func() time.Time // time.Now unless given
	MaxWait time.Duration    // how long a call waits for its turn under rate:; 10 s unless given
}

// A Client performs calls. It is safe for concurrent use. Close it when done.
type Client struct {
	c Config

	life context.Context // ends with Close: token requests outlive the call that began them
	end  context.CancelFunc
	work sync.WaitGroup // token requests

	mu    sync.RWMutex
	lanes map[string]*lane // by name of the connection; guarded by mu
}

// New returns a Client, or an error if c is not usable. It starts nothing.
func New(c Config) (*Client, error) {
	if c.Secrets == nil || c.Log == nil {
		return nil, errors.New("connector client: Secrets and Log are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxWait == 0 {
		c.MaxWait = 10 * time.Second
	}
	life, end := context.WithCancel(context.Background())
	return &Client{c: c, life: life, end: end, lanes: map[string]*lane{}}, nil
}

// Close ends token requests and closes connections that are not in use.
func (c *Client) Close() {
	c.end()
	c.work.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lanes {
		l.transport.CloseIdleConnections()
	}
	clear(c.lanes)
}

// Do performs r as conn says; a nil conn is [connector.Direct]. key becomes the
// Idempotency-Key of a call that may change something, unless it is empty.
//
// The error is a *[connector.Failure], or ctx's when the caller gave up. With a
// failure of class HTTP the result is the answer.
func (c *Client) Do(ctx context.Context, conn *connector.Connection, r connector.Request, key string) (connector.Result, error) {
	l, err := c.lane(conn)
	if err != nil {
		return connector.Result{}, err
	}
	if err := l.turn(ctx); err != nil {
		return connector.Result{}, err
	}
	start := c.c.Now()
	pass, err := l.breaker.enter(start)
	if err != nil {
		return connector.Result{}, l.failure(r, err)
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = l.conn.Timeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	call := &call{lane: l, request: r, key: key, timeout: timeout}
	res, err := call.perform(limited)
	if err != nil {
		err = call.explain(ctx, err)
	}
	c.note(ctx, l, call, start, err)
	if opened := l.breaker.leave(pass, c.c.Now(), verdictOf(err)); opened > 0 {
		c.c.Log.WarnContext(ctx, "calls are held back: the other side is down", "connection", l.conn.Name, "for", opened)
	}
	return res, err
}

// note logs a call without its path, parameters, headers and bodies.
func (c *Client) note(ctx context.Context, l *lane, call *call, start time.Time, err error) {
	if !c.c.Log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	var class connector.Class
	var f *connector.Failure
	if errors.As(err, &f) {
		class = f.Class
	}
	c.c.Log.DebugContext(ctx, "called", "connection", l.conn.Name, "method", call.request.Method, "host", call.request.URL.Host,
		"status", call.status, "failure", class, "took", c.c.Now().Sub(start))
}

// lane returns what is kept between the calls of a connection. A document that
// changed gets a new one.
func (c *Client) lane(conn *connector.Connection) (*lane, error) {
	name, version := "", ""
	if conn != nil {
		name, version = conn.Name, conn.Version
	}
	c.mu.RLock()
	l := c.lanes[name]
	c.mu.RUnlock()
	if l != nil && l.conn.Version == version {
		return l, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.lanes[name]
	if old != nil && old.conn.Version == version {
		return old, nil
	}
	if c.life.Err() != nil {
		return nil, errors.New("connector client: closed")
	}
	if conn == nil {
		conn = connector.Direct()
	}
	l = newLane(c, conn)
	c.lanes[name] = l
	if old != nil {
		old.transport.CloseIdleConnections()
	}
	return l, nil
}
