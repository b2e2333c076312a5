package connector

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"beffroi.dev/internal/errs"
)

// New checks s and returns the connection that it describes. The error is
// errs.Issues whose fields are those of the document.
func New(name string, s Spec) (*Connection, error) {
	k := &compiler{spec: s, c: &Connection{
		Name: name, Auth: s.Auth, Timeout: s.Timeout, TLS: s.TLS, Follow: s.Redirects != "none",
		Headers: map[string]string{}, Secrets: map[string]string{}, hosts: map[string]bool{},
	}}
	k.version()
	k.allow()
	k.base()
	k.auth()
	k.headers()
	k.limits()
	k.tls()
	if err := k.issues.Err(); err != nil {
		return nil, err
	}
	return k.c, nil
}

// A compiler turns a Spec into a Connection and notes all that is wrong.
type compiler struct {
	spec   Spec
	c      *Connection
	issues errs.Issues
}

func (k *compiler) issue(field, hint, format string, args ...any) {
	k.issues = append(k.issues, errs.Issue{Field: field, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (k *compiler) version() {
	b, err := json.Marshal(k.spec)
	if err != nil {
		k.issue("", "", "cannot be encoded: %v", err) // a rate of NaN
		return
	}
	sum := sha256.Sum256(b)
	k.c.Version = hex.EncodeToString(sum[:])
}

func (k *compiler) allow() {
	for i, s := range k.spec.AllowPrivate {
		n, host, problem := allowEntry(s)
		switch {
		case problem != "":
			k.issue(fmt.Sprintf("allow_private[%d]", i), "", "%q %s", s, problem)
		case host != "":
			k.c.hosts[host] = true
		default:
			k.c.nets = append(k.c.nets, n)
		}
	}
}

// url checks an address that the document names.
func (k *compiler) url(field, s string) *url.URL {
	if s == "" {
		k.issue(field, "for example https://api.example.com/v1", "is missing")
		return nil
	}
	u, f := parseURL(s)
	if f != nil {
		k.issue(field, f.Hint, "%s", f.Msg)
		return nil
	}
	host := cleanHost(u.Hostname())
	addr, err := netip.ParseAddr(host)
	if err == nil {
		if err := k.c.Permits(host, addr); err != nil {
			k.issue(field, fmt.Sprintf("if it is meant: allow_private: [%q]", host), "%s is not a public address", host)
		}
	}
	loopback := host == "localhost" || err == nil && plain(addr).IsLoopback()
	if u.Scheme == "http" && !loopback && !k.spec.AllowInsecure {
		k.issue(field, "use https, or accept with allow_insecure: true that others can read and change the traffic", "is not encrypted")
	}
	return u
}

func (k *compiler) base() {
	u := k.url("base_url", k.spec.BaseURL)
	if u == nil {
		return
	}
	if u.RawQuery != "" {
		k.issue("base_url", "put parameters into query: of the call", "has parameters")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	k.c.Base = u
}

// authFields says which fields a way needs, and which it may have besides.
var authFields = map[AuthType]struct{ needs, may []string }{
	NoAuth:     {},
	BasicAuth:  {needs: []string{"username", "secret"}},
	BearerAuth: {needs: []string{"secret"}},
	HeaderAuth: {needs: []string{"header", "secret"}, may: []string{"prefix"}},
	OAuth2:     {needs: []string{"token_url", "client_id", "secret"}, may: []string{"scopes", "audience", "auth_style"}},
}

func (k *compiler) auth() {
	a := &k.c.Auth
	if a.Type == "" && k.authUnset() {
		a.Type = NoAuth
	}
	if a.Type == "" {
		k.issue("auth.type", orChoose("", typeNames()), "is missing")
		return
	}
	fields, ok := authFields[a.Type]
	if !ok {
		k.issue("auth.type", orChoose(string(a.Type), typeNames()), "%q is not a way to authenticate", a.Type)
		return
	}
	for _, f := range authKeys {
		set, needed := f.get(*a) != "", slices.Contains(fields.needs, f.name)
		switch {
		case needed && !set:
			k.issue("auth."+f.name, "", "is missing: auth type %s needs it", a.Type)
		case set && !needed && !slices.Contains(fields.may, f.name):
			k.issue("auth."+f.name, "", "has no meaning with auth type %s", a.Type)
		}
	}
	k.secretName("auth.secret", a.Secret)
	for _, f := range authKeys {
		if !validValue(f.get(*a)) {
			k.issue("auth."+f.name, "", "has a line break or another control character")
		}
	}
	switch a.Type {
	case BasicAuth:
		if strings.Contains(a.Username, ":") {
			k.issue("auth.username", "", "has a colon, which basic authentication cannot carry")
		}
	case HeaderAuth:
		k.headerName("auth.header", a.Header)
	case OAuth2:
		k.c.TokenURL = k.url("auth.token_url", a.TokenURL)
		if a.AuthStyle != "" && a.AuthStyle != "basic" && a.AuthStyle != "body" {
			k.issue("auth.auth_style", orChoose(a.AuthStyle, []string{"basic", "body"}), "%q is not known", a.AuthStyle)
		}
	default:
	}
}

type authKey struct {
	name string
	get  func(Auth) string
}

var authKeys = []authKey{
	{"secret", func(a Auth) string { return a.Secret }},
	{"username", func(a Auth) string { return a.Username }},
	{"header", func(a Auth) string { return a.Header }},
	{"prefix", func(a Auth) string { return a.Prefix }},
	{"token_url", func(a Auth) string { return a.TokenURL }},
	{"client_id", func(a Auth) string { return a.ClientID }},
	{"scopes", func(a Auth) string { return strings.Join(a.Scopes, " ") }},
	{"audience", func(a Auth) string { return a.Audience }},
	{"auth_style", func(a Auth) string { return a.AuthStyle }},
}

func (k *compiler) authUnset() bool {
	return !slices.ContainsFunc(authKeys, func(f authKey) bool { return f.get(k.spec.Auth) != "" })
}

func typeNames() []string {
	var names []string
	for t := range authFields {
		names = append(names, string(t))
	}
	slices.Sort(names)
	return names
}

// secretName refuses what cannot be the name of a secret, above all a secret.
func (k *compiler) secretName(field, s string) {
	bad := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-/", r) }
	if len(s) > 64 || strings.ContainsFunc(s, bad) {
		k.issue(field, "store the value with `beffroi secret set NAME` and write NAME here", "is not the name of a secret (1 to 64 letters, digits, . _ - /)")
	}
}

func (k *compiler) headers() {
	for _, name := range slices.Sorted(maps.Keys(k.spec.Headers)) {
		field, v := "headers."+name, k.spec.Headers[name]
		k.headerName(field, name)
		switch {
		case carriesSecret(name):
			k.issue(field, "name the secret in auth: or secret_headers:, and remove the value from this document and its history", "carries a credential, which may not stand in a document")
		case !validValue(v):
			k.issue(field, "", "has a line break or another control character")
		}
		k.c.Headers[strings.ToLower(name)] = v
	}
	for _, name := range slices.Sorted(maps.Keys(k.spec.SecretHeaders)) {
		field, secret := "secret_headers."+name, k.spec.SecretHeaders[name]
		k.headerName(field, name)
		if secret == "" {
			k.issue(field, "", "names no secret")
		}
		k.secretName(field, secret)
		k.c.Secrets[strings.ToLower(name)] = secret
	}
}

func (k *compiler) headerName(field, name string) {
	if !validToken(name) {
		k.issue(field, "", "%q is not the name of a header", name)
	} else if ownHeaders[strings.ToLower(name)] {
		k.issue(field, "", "%s is set by the client itself", name)
	}
}

func (k *compiler) limits() {
	c, s := k.c, k.spec
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		k.issue("timeout", "", "is not between 1ms and %s", "10m")
	}
	c.MaxResponse = MaxResponse
	if s.MaxResponse != "" {
		n, ok := parseSize(s.MaxResponse)
		if !ok || n < 1 || n > MaxResponse {
			k.issue("max_response", "for example 512KiB or 4MiB", "%q is not a size of up to 16MiB", s.MaxResponse)
		}
		c.MaxResponse = n
	}
	if s.Redirects != "" && s.Redirects != "same_host" && s.Redirects != "none" {
		k.issue("redirects", orChoose(s.Redirects, []string{"same_host", "none"}), "%q is not known", s.Redirects)
	}
	if s.Rate == nil {
		return
	}
	c.PerSecond, c.Burst = s.Rate.PerSecond, max(1, s.Rate.Burst)
	if !(c.PerSecond > 0 && c.PerSecond <= 1e6) {
		k.issue("rate.per_second", "for example 5, or 0.2 for one in five seconds", "is not more than 0")
	}
	if s.Rate.Burst < 0 {
		k.issue("rate.burst", "", "is negative")
	}
}

func (k *compiler) tls() {
	t := k.spec.TLS
	if t.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)) {
		k.issue("tls.ca", "paste the text that begins with -----BEGIN CERTIFICATE-----", "holds no certificate")
	}
	k.secretName("tls.certificate", t.Certificate)
	k.secretName("tls.key", t.Key)
	if (t.Certificate == "") != (t.Key == "") {
		k.issue("tls", "", "certificate and key are needed together")
	}
}

func parseSize(s string) (int64, bool) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return n * unit, err == nil
}

// orChoose suggests the closest of the choices, or lists them all.
func orChoose(word string, choices []string) string {
	if s := errs.Suggest(word, choices); s != "" {
		return s
	}
	return "use " + strings.Join(choices, ", ")
}
