package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/secret"
)

const (
	githubSignature    = "X-Hub-Signature-256"
	slackSignature     = "X-Slack-Signature"
	slackTimestamp     = "X-Slack-Request-Timestamp"
	pagerDutySignature = "X-PagerDuty-Signature"
)

// freshness is how far the clock of a signed call may differ from ours; Slack
// says five minutes.
const freshness = 5 * time.Minute

// needsKey says whether a scheme has a secret.
func needsKey(scheme string) bool { return scheme != alert.SchemeNone && scheme != alert.SchemeSNS }

// verifyHead checks what the head of a call proves, in constant time: all of
// it for a shared secret, and for a signature over the body that there is one.
func verifyHead(v alert.Verify, key secret.String, h http.Header) error {
	if !needsKey(v.Scheme) {
		return nil
	}
	if key.IsZero() {
		return errNoSecret // anybody can sign with no key at all
	}
	signature := v.Header
	switch v.Scheme {
	case alert.SchemeBearer:
		return verifyPrefixed(key, h, "Authorization", "bearer ")
	case alert.SchemeBasic:
		return verifyBasic(v.User, key, h)
	case alert.SchemeHeader, alert.SchemeOkta:
		return verifyPrefixed(key, h, v.Header, "")
	case alert.SchemeGitHub:
		signature = githubSignature
	case alert.SchemeSlack:
		signature = slackSignature
	case alert.SchemePagerDuty:
		signature = pagerDutySignature
	}
	_, err := one(h, signature)
	return err
}

// verifyBody checks, in constant time, what is proved by a signature over the
// body.
func verifyBody(v alert.Verify, key secret.String, h http.Header, body []byte, now time.Time) error {
	switch v.Scheme {
	case alert.SchemeNone, alert.SchemeSNS, alert.SchemeBearer, alert.SchemeBasic, alert.SchemeHeader, alert.SchemeOkta:
		return nil
	case alert.SchemeGitHub:
		return verifyHMAC(key, h, githubSignature, "sha256=", "hex", body)
	case alert.SchemeHMAC:
		return verifyHMAC(key, h, v.Header, v.Prefix, v.Encoding, body)
	case alert.SchemeSlack:
		return verifySlack(key, h, body, now)
	case alert.SchemePagerDuty:
		return verifyPagerDuty(key, h, body)
	default:
		return errNoScheme
	}
}

// one returns the only value of a header.
func one(h http.Header, name string) (string, error) {
	switch vs := h.Values(name); len(vs) {
	case 0:
		return "", errNoProof
	case 1:
		return vs[0], nil
	default:
		return "", errTwoProofs
	}
}

func mac(key secret.String, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// verifyHMAC checks a signature over the raw body
// (https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries).
func verifyHMAC(key secret.String, h http.Header, header, prefix, encoding string, body []byte) error {
	v, err := one(h, header)
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(v, prefix)
	if !ok {
		return errBadProof
	}
	var sum []byte
	if encoding == "base64" {
		sum, err = base64.StdEncoding.DecodeString(given)
	} else {
		sum, err = hex.DecodeString(given)
	}
	if err != nil || !hmac.Equal(sum, mac(key, body)) {
		return errBadProof
	}
	return nil
}

// verifySlack checks a v0 signature
// (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func verifySlack(key secret.String, h http.Header, body []byte, now time.Time) error {
	stamp, err := one(h, slackTimestamp)
	if err != nil {
		return err
	}
	sig, err := one(h, slackSignature)
	if err != nil {
		return err
	}
	// Only the spelling that Slack uses: another one of the same signature
	// would not be known as a replay.
	if !secret.Equal(sig, "v0="+hex.EncodeToString(mac(key, []byte("v0:"+stamp+":"), body))) {
		return errBadProof
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errBadProof
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > freshness || d < -freshness {
		return errStale
	}
	return nil
}

// verifyPagerDuty checks that one of the listed signatures holds: there are two
// while a secret is being rotated
// (https://developer.pagerduty.com/docs/verifying-webhook-signatures).
func verifyPagerDuty(key secret.String, h http.Header, body []byte) error {
	list, err := one(h, pagerDutySignature)
	if err != nil {
		return err
	}
	want, ok := mac(key, body), false
	for item := range strings.SplitSeq(list, ",") {
		given, isV1 := strings.CutPrefix(strings.TrimSpace(item), "v1=")
		sum, err := hex.DecodeString(given)
		if err == nil && isV1 && hmac.Equal(sum, want) {
			ok = true
		}
	}
	if !ok {
		return errBadProof
	}
	return nil
}

// verifyPrefixed checks a shared secret in a header; the prefix, which is a
// scheme of authentication, is compared without regard to case (RFC 9110
// section 11.1).
func verifyPrefixed(key secret.String, h http.Header, header, prefix string) error {
	v, err := one(h, header)
	if err != nil {
		return err
	}
	if len(v) < len(prefix) || !strings.EqualFold(v[:len(prefix)], prefix) || !key.Matches(v[len(prefix):]) {
		return errBadProof
	}
	return nil
}

// verifyBasic checks a user and a password (RFC 7617 section 2).
func verifyBasic(user string, key secret.String, h http.Header) error {
	if _, err := one(h, "Authorization"); err != nil {
		return err
	}
	r := http.Request{Header: h}
	u, p, ok := r.BasicAuth()
	right := key.Matches(p)
	if !ok || !secret.Equal(u, user) || !right {
		return errBadProof
	}
	return nil
}
