package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"beffroi.dev/internal/errs"
)

// A HandlerFunc serves a request or returns the error that stopped it. It
// writes nothing before it returns an error.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle is the one place where an error becomes an answer.
func Handle(log *slog.Logger, f HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := observe(w)
		if err := protect(f, o, r); err != nil {
			fail(log, o, r, err)
		}
	})
}

// protect turns a panic into an error, so that it is logged with the id of the
// request.
func protect(f HandlerFunc, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f(w, r)
}

func fail(log *slog.Logger, w *observer, r *http.Request, err error) {
	ctx := r.Context()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return // the client went away: there is nobody to tell
	}
	p, known := ProblemOf(ctx, err)
	if !known {
		log.ErrorContext(ctx, "request failed", "request", RequestID(ctx), "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if w.status != 0 {
		// Half an answer must not look like a whole one.
		log.WarnContext(ctx, "answer broken off", "request", RequestID(ctx), "path", r.URL.Path, "err", err)
		panic(http.ErrAbortHandler)
	}
	p.write(w)
}

// Routes serves mux and answers with problems where no route fits.
func Routes(log *slog.Logger, mux *http.ServeMux) http.Handler {
	missing := Handle(log, func(_ http.ResponseWriter, r *http.Request) error {
		return errs.E(errs.NotFound, "there is no %s", r.URL.Path)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &observer{ResponseWriter: discard{http.Header{}}}
		h.ServeHTTP(probe, r)
		if probe.status != http.StatusMethodNotAllowed {
			missing.ServeHTTP(w, r)
			return
		}
		allow := probe.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		p := &Problem{
			Type: problemType + "method_not_allowed", Title: "Method not allowed", Status: probe.status,
			Detail: r.Method + " is not possible here", Hint: "use " + allow, Instance: requestURN + RequestID(r.Context()),
		}
		p.write(w)
	})
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// An observer remembers what was answered.
type observer struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

// observe returns w as an observer, itself if it is one.
func observe(w http.ResponseWriter) *observer {
	if o, ok := w.(*observer); ok {
		return o
	}
	return &observer{ResponseWriter: w}
}

func (o *observer) WriteHeader(status int) {
	if o.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observer) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(b)
	o.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }

type requestID struct{}

// RequestID returns the id of the request that ctx belongs to, "" outside of
// one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestID{}).(string)
	return id
}

// identify gives every request an id of ours: one that the sender chose could
// point at another's.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestID{}, id)))
	})
}
