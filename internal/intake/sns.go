package intake

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SignatureVersion 1 of SNS is SHA-1; version 2 is SHA-256
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fetcher gets a page of a public host, for the certificates and
// confirmations of Amazon SNS.
type Fetcher func(ctx context.Context, address string) ([]byte, error)

// snsMessage is the envelope of SNS
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html).
type snsMessage struct {
	Type             string
	MessageID        string `json:"MessageId"`
	Token            string
	TopicArn         string
	Subject          *string
	Message          string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	SubscribeURL     string
}

// canonical is the text that is signed: names and values in a fixed order
// (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
func (m snsMessage) canonical() []byte {
	var b strings.Builder
	put := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	put("Message", m.Message)
	put("MessageId", m.MessageID)
	if m.Type == "Notification" {
		if m.Subject != nil {
			put("Subject", *m.Subject)
		}
	} else {
		put("SubscribeURL", m.SubscribeURL)
	}
	put("Timestamp", m.Timestamp)
	if m.Type != "Notification" {
		put("Token", m.Token)
	}
	put("TopicArn", m.TopicArn)
	put("Type", m.Type)
	return []byte(b.String())
}

var amazonHost = regexp.MustCompile(`^sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?$`)

// amazonURL refuses every address that is not Amazon's own: whoever sends a
// message chooses the address.
func amazonURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || !amazonHost.MatchString(u.Host) {
		return errBadProof
	}
	return nil
}

// snsVerifier checks the signatures of SNS messages.
type snsVerifier struct {
	fetch Fetcher
	roots *x509.CertPool // nil: those of the system

	mu    sync.Mutex
	certs map[string]*x509.Certificate // guarded by mu; by address
}

// maxCerts bounds how many of Amazon's certificates are remembered.
const maxCerts = 32

// open checks a message and returns it.
func (v *snsVerifier) open(ctx context.Context, topics []string, body []byte, now time.Time) (snsMessage, error) {
	var m snsMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return m, errNoProof
	}
	if !slices.Contains(topics, m.TopicArn) {
		return m, errNotTopic
	}
	if err := amazonURL(m.SigningCertURL); err != nil {
		return m, err
	}
	sig, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		return m, errBadProof
	}
	at, err := time.Parse(time.RFC3339, m.Timestamp)
	if err != nil {
		return m, errBadProof
	}
	cert, err := v.certificate(ctx, m.SigningCertURL, now)
	if err != nil {
		return m, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return m, errBadProof
	}
	switch m.SignatureVersion {
	case "1":
		sum := sha1.Sum(m.canonical()) //nolint:gosec // see the import
		err = rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], sig)
	case "2":
		sum := sha256.Sum256(m.canonical())
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig)
	default:
		return m, errBadProof
	}
	if err != nil {
		return m, errBadProof
	}
	// SNS retries for up to 23 days; the fingerprint drops what came before.
	if now.Sub(at) > 24*24*time.Hour || at.Sub(now) > freshness {
		return m, errStale
	}
	return m, nil
}

func (v *snsVerifier) certificate(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	v.mu.Lock()
	cert := v.certs[address]
	v.mu.Unlock()
	if cert == nil {
		b, err := v.fetch(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("fetch the certificate of SNS: %w", err)
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, errBadProof
		}
		if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, errBadProof
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: v.roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, errBadProof
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.certs == nil || len(v.certs) >= maxCerts {
		v.certs = map[string]*x509.Certificate{}
	}
	v.certs[address] = cert
	return cert, nil
}
