package connector

import (
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Limits of every call.
const (
	DefaultTimeout     = 30 * time.Second
	MaxTimeout         = 10 * time.Minute
	MaxResponse        = 16 << 20 // more does not fit a step
	maxURL             = 16 << 10
	maxHeader          = 8 << 10
	maxBody            = 16 << 20
	defaultContentType = "application/json"
)

// A Connection says where an API is and as whom it is called. It is made by
// [New] from a [Spec] and never changes.
type Connection struct {
	Name    string // of the document; empty for calls without a connection
	Version string // differs whenever anything that a call depends on differs

	Base        *url.URL // without a slash at the end; nil for calls without a connection
	Auth        Auth
	TokenURL    *url.URL          // of oauth2; else nil
	Headers     map[string]string // sent with every call; names in lower case
	Secrets     map[string]string // header → name of the secret that it carries, besides Auth
	Timeout     time.Duration
	MaxResponse int64   // bytes
	PerSecond   float64 // calls; 0: no limit
	Burst       int
	Follow      bool // redirects that stay on the host
	TLS         TLS

	nets  []netip.Prefix  // of allow_private
	hosts map[string]bool // of allow_private
}

// Direct returns the connection of calls that name none: https to any public
// address, without credentials.
func Direct() *Connection {
	return &Connection{Timeout: DefaultTimeout, MaxResponse: MaxResponse, Follow: true, Auth: Auth{Type: NoAuth}}
}

// SecretNames returns the names of all secrets that calls may need, sorted.
func (c *Connection) SecretNames() []string {
	var names []string
	for _, n := range []string{c.Auth.Secret, c.TLS.Certificate, c.TLS.Key} {
		if n != "" {
			names = append(names, n)
		}
	}
	for _, n := range c.Secrets {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// SameOrigin reports whether u is on the host, port and scheme of c.
func (c *Connection) SameOrigin(u *url.URL) bool { return c.Base != nil && origin(u) == origin(c.Base) }

// origin is the scheme, host and port of u (RFC 6454 section 4).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + cleanHost(u.Hostname()) + ":" + port
}
