package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"time"

	"beffroi.dev/internal/secret"
)

const (
	signatureHeader = "X-Slack-Signature"
	timestampHeader = "X-Slack-Request-Timestamp"

	// window is how far a request's time may be from ours, either way.
	window = 5 * time.Minute
)

// Reasons to refuse a request. They are logged; the caller is told no more
// than that the request was refused.
var (
	errUnsigned  = errors.New("the request is not signed")
	errStale     = errors.New("the request's time is more than five minutes from ours")
	errSignature = errors.New("the signature does not match")
	errReplay    = errors.New("the request was sent before")
)

// verify checks the v0 signature of a raw body (docs.slack.dev, "Verifying
// requests from Slack"). A missing secret matches nothing.
func verify(key secret.String, now time.Time, timestamp, signature string, body []byte) error {
	if timestamp == "" || signature == "" {
		return errUnsigned
	}
	sec, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errUnsigned
	}
	if age := now.Sub(time.Unix(sec, 0)); age > window || age < -window {
		return errStale
	}
	if key.IsZero() || !secret.Equal(sign(key, timestamp, body), signature) {
		return errSignature
	}
	return nil
}

func sign(key secret.String, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	// A hash never fails to write.
	_, _ = mac.Write([]byte("v0:" + timestamp + ":"))
	_, _ = mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// Replays remembers what was seen. A durable one also refuses a request that
// is replayed across a restart; without, such a replay finds its question
// answered already.
type Replays interface {
	// First reports whether id is new, and remembers it until then. Of any
	// number of concurrent calls with one id, one gets true.
	First(ctx context.Context, id string, until time.Time) (bool, error)
}

// seen is a Replays in memory. Only what was signed gets in, so strangers
// cannot fill it.
type seen struct {
	now func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // guarded by mu
	sweep time.Time            // guarded by mu: when to forget what has passed
}

func newSeen(now func() time.Time) *seen {
	return &seen{now: now, until: map[string]time.Time{}}
}

func (s *seen) First(_ context.Context, id string, until time.Time) (bool, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.sweep) {
		for k, t := range s.until {
			if now.After(t) {
				delete(s.until, k)
			}
		}
		s.sweep = now.Add(time.Minute)
	}
	if t, ok := s.until[id]; ok && !now.After(t) {
		return false, nil
	}
	s.until[id] = until
	return true, nil
}
