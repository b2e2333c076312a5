package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"beffroi.dev/internal/errs"
)

// Config says how a listener treats what comes and goes.
type Config struct {
	Log     *slog.Logger // required
	CSP     string       // Content-Security-Policy; nothing is permitted unless given
	MaxBody int64        // the most that any handler may read of a body; 32 MiB unless given

	// Origins are those, besides the server's own, whose pages may send
	// requests that change something: "https://soc.example.com".
	Origins []string
}

const (
	defaultCSP     = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	defaultMaxBody = 32 << 20
)

// Wrap puts around h what every listener needs: ids, the access log, security
// headers, refusal of cross-origin changes, and the limit of bodies.
func Wrap(c Config, h http.Handler) (http.Handler, error) {
	if c.Log == nil {
		return nil, errors.New("web: Log is required")
	}
	if c.CSP == "" {
		c.CSP = defaultCSP
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	cop := http.NewCrossOriginProtection()
	for _, o := range c.Origins {
		if err := cop.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("web: origin %q: %w", o, err)
		}
	}
	cop.SetDenyHandler(Handle(c.Log, func(http.ResponseWriter, *http.Request) error {
		return errs.E(errs.Denied, "a page of another origin may not send this request")
	}))
	return identify(accessLog(c.Log, headers(c.CSP, cop.Handler(http.MaxBytesHandler(h, c.MaxBody))))), nil
}

// headers sets what keeps browsers from doing more than they were asked for.
func headers(csp string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// accessLog notes requests without query, headers and body: successes at level
// debug, refusals at info, failures at warn.
func accessLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, o := time.Now(), observe(w)
		defer func() {
			level := levelOf(o.status)
			if !log.Enabled(r.Context(), level) {
				return
			}
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				host = ""
			}
			log.Log(r.Context(), level, "request", "request", RequestID(r.Context()), "method", r.Method, "path", r.URL.Path,
				"status", o.status, "bytes", o.bytes, "took", time.Since(start), "from", host)
		}()
		next.ServeHTTP(o, r)
	})
}

func levelOf(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelWarn
	case status >= 400:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}
