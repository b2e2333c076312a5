package intake

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// A Fetcher gets what is at a public address, whole and as it is: at most some
// hundred kilobytes. It is asked for https addresses of Amazon SNS, and for the
// certificates of Amazon's authority, which are published at http addresses of
// amazontrust.com and prove themselves.
type Fetcher func(ctx context.Context, address string) ([]byte, error)

var (
	amazonHost = regexp.MustCompile(`^sns\.([a-z0-9-]{3,30})\.(amazonaws\.com(?:\.cn)?)$`)
	certPath   = regexp.MustCompile(`^/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem$`)
	issuerHost = regexp.MustCompile(`^[a-z0-9-]{1,30}(\.[a-z0-9-]{1,30})?\.amazontrust\.com$`)
)

// amazonURL refuses every address that is not Amazon's own: whoever sends a
// message chooses the address.
func amazonURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !amazonHost.MatchString(u.Host) {
		return nil, errBadProof
	}
	return u, nil
}

// signerNames are the names that SNS's certificate at a host has: one for most
// regions, others for those that came later, for China and for GovCloud.
func signerNames(host string) []string {
	part := amazonHost.FindStringSubmatch(host)
	region, suffix := part[1], part[2]
	names := []string{"sns.amazonaws.com", host, "sns-signing." + region + "." + suffix, "sns-" + region + "." + suffix}
	if strings.HasPrefix(region, "us-gov-") {
		names = append(names, "sns-us-gov-west-1."+suffix)
	}
	return names
}

// An snsVerifier knows Amazon's keys. A certificate is Amazon's when it comes
// from SNS, bears its name, and has a chain to a root that the system trusts.
// SNS serves the certificate alone, so what is between is fetched from where
// the certificate says that its issuer is.
type snsVerifier struct {
	fetch Fetcher
	roots *x509.CertPool // nil: those of the system
	pace  *rate.Limiter  // of fetches that strangers cause
	once  singleflight.Group

	mu   sync.Mutex
	keys map[string]snsKey // guarded by mu; by address
}

type snsKey struct {
	*rsa.PublicKey
	until time.Time // the end of the first certificate of the chain to end
}

func newSNSVerifier(fetch Fetcher) *snsVerifier {
	return &snsVerifier{fetch: fetch, pace: rate.NewLimiter(rate.Every(time.Second), 10), keys: map[string]snsKey{}}
}

const (
	maxKeys     = 32 // that are remembered
	maxBetween  = 3  // certificates between SNS's own and a root
	certTimeout = 10 * time.Second
)

// key returns the key of the certificate at an address.
func (v *snsVerifier) key(ctx context.Context, address string, now time.Time) (*rsa.PublicKey, error) {
	u, err := amazonURL(address)
	if err != nil || !certPath.MatchString(u.EscapedPath()) || u.RawQuery != "" || u.Fragment != "" {
		return nil, errBadProof
	}
	v.mu.Lock()
	k, ok := v.keys[address]
	v.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.PublicKey, nil
	}
	// Many messages may wait for one certificate; none ends the wait of others.
	got, err, _ := v.once.Do(address, func() (any, error) {
		if !v.pace.AllowN(now, 1) {
			return nil, errors.New("too many certificates were asked for")
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), certTimeout)
		defer cancel()
		return v.learn(ctx, u, now)
	})
	if err != nil {
		return nil, err
	}
	k, ok = got.(snsKey)
	if !ok {
		panic("internal error: a key of another type")
	}
	return k.PublicKey, nil
}

// learn fetches a certificate, checks it and remembers its key.
func (v *snsVerifier) learn(ctx context.Context, u *url.URL, now time.Time) (snsKey, error) {
	b, err := v.fetch(ctx, u.String())
	if err != nil {
		return snsKey{}, fmt.Errorf("fetch the certificate of SNS: %w", err)
	}
	certs := parseCerts(b)
	if len(certs) == 0 {
		return snsKey{}, fmt.Errorf("there is no certificate at %s", u)
	}
	if names := certs[0].DNSNames; !slices.ContainsFunc(signerNames(u.Host), func(n string) bool { return slices.Contains(names, n) }) {
		return snsKey{}, fmt.Errorf("the certificate at %s is for %q, not for SNS", u, names)
	}
	key, ok := certs[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return snsKey{}, fmt.Errorf("the certificate at %s has no RSA key", u)
	}
	chain, err := v.chain(ctx, certs, now)
	if err != nil {
		return snsKey{}, fmt.Errorf("the certificate at %s: %w", u, err)
	}
	k := snsKey{key, chain[0].NotAfter}
	for _, c := range chain {
		if c.NotAfter.Before(k.until) {
			k.until = c.NotAfter
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys) >= maxKeys {
		clear(v.keys)
	}
	v.keys[u.String()] = k
	return k, nil
}

// chain verifies the first certificate, and fetches those between it and a
// root that are not among the others.
func (v *snsVerifier) chain(ctx context.Context, certs []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	last := certs[len(certs)-1]
	for n := 0; ; n++ {
		chains, err := certs[0].Verify(x509.VerifyOptions{
			Roots: v.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err == nil {
			return chains[0], nil
		}
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) || n == maxBetween || len(last.IssuingCertificateURL) == 0 {
			return nil, err
		}
		issuer := last.IssuingCertificateURL[0]
		if u, e := url.Parse(issuer); e != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !issuerHost.MatchString(u.Host) {
			return nil, err
		}
		b, err := v.fetch(ctx, issuer)
		if err != nil {
			return nil, fmt.Errorf("fetch its issuer's from %s: %w", issuer, err)
		}
		got := parseCerts(b)
		if len(got) == 0 {
			return nil, fmt.Errorf("there is no certificate at %s", issuer)
		}
		last = got[0]
		between.AddCert(last)
	}
}

// parseCerts reads certificates in PEM, or one in DER.
func parseCerts(b []byte) []*x509.Certificate {
	if c, err := x509.ParseCertificate(b); err == nil {
		return []*x509.Certificate{c}
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(b); block != nil && len(out) <= maxBetween; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		out = append(out, c)
	}
	return out
}
