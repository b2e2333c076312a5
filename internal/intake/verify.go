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

// A refusal says why a call was not taken. The record has all of it; the caller
// learns only Say, which helps nobody to guess.
type refusal struct {
	Reason string // for the record: signature, token, address, stale, …
	Say    string // for the caller
}

func (r *refusal) Error() string { return r.Reason }

var (
	errNoProof   = &refusal{"no_proof", "the call carries no proof of where it comes from"}
	errBadProof  = &refusal{"bad_proof", "the proof of where the call comes from does not hold"}
	errStale     = &refusal{"stale", "the call is too old, or comes from the future"}
	errReplayed  = &refusal{"replayed", "the call was seen before"}
	errAddress   = &refusal{"address", "calls from this address are not taken"}
	errNoSecret  = &refusal{"secret_missing", "this source is not ready"}
	errNotTopic  = &refusal{"topic", "messages of this topic are not taken"}
	errTwoProofs = &refusal{"ambiguous_proof", "the call carries the proof more than once"}
)

// freshness is how far the clock of a signed call may differ from ours; Slack's
// and PagerDuty's documentation say five minutes.
const freshness = 5 * time.Minute

// verify checks the proof of a call, in constant time, before anything of its
// body is read. SNS messages, whose proof is inside the body, come to verifySNS.
func verify(v alert.Verify, key secret.String, h http.Header, body []byte, now time.Time) error {
	switch v.Scheme {
	case alert.SchemeNone:
		return nil
	case alert.SchemeGitHub:
		return verifyHMAC(key, h, "X-Hub-Signature-256", "sha256=", "hex", body)
	case alert.SchemeHMAC:
		return verifyHMAC(key, h, v.Header, v.Prefix, v.Encoding, body)
	case alert.SchemeSlack:
		return verifySlack(key, h, body, now)
	case alert.SchemePagerDuty:
		return verifyPagerDuty(key, h, body)
	case alert.SchemeBearer:
		return verifyPrefixed(key, h, "Authorization", "bearer ")
	case alert.SchemeBasic:
		return verifyBasic(v.User, key, h)
	case alert.SchemeHeader, alert.SchemeOkta:
		return verifyPrefixed(key, h, v.Header, "")
	}
	return &refusal{"scheme", "this source cannot verify calls"}
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
	stamp, err := one(h, "X-Slack-Request-Timestamp")
	if err != nil {
		return err
	}
	sig, err := one(h, "X-Slack-Signature")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errBadProof
	}
	sum, err := hex.DecodeString(strings.TrimPrefix(sig, "v0="))
	if err != nil || !strings.HasPrefix(sig, "v0=") || !hmac.Equal(sum, mac(key, []byte("v0:"+stamp+":"), body)) {
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
	list, err := one(h, "X-PagerDuty-Signature")
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

// verifyPrefixed checks a shared secret in a header; the prefix is compared
// without regard to case (RFC 9110 section 11.1).
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
