package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// How long one request may take in each of its parts.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = time.Minute // streams extend it event by event
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10
	grace             = 10 * time.Second // for requests that are being served at the end
)

type stopping struct{}

// Serve answers on l until ctx ends; then it takes no new requests, lets
// streams end, and gives the others ten seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	// Requests must not be cut off because ctx ends, but streams must know.
	base := context.WithValue(context.WithoutCancel(ctx), stopping{}, ctx.Done())
	s := &http.Server{
		Handler: h, BaseContext: func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.Shutdown(last)
	if err != nil {
		err = errors.Join(fmt.Errorf("end %s: %w", l.Addr(), err), s.Close())
	}
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// stoppingOf returns a channel that is closed when the server of a request is
// about to end; nil, which never is, outside of Serve.
func stoppingOf(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(stopping{}).(<-chan struct{})
	return c
}
