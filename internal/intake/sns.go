package intake

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SignatureVersion 1 of SNS is SHA-1; version 2 is SHA-256
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// Types of message that SNS sends.
const (
	snsNotification = "Notification"
	snsSubscribe    = "SubscriptionConfirmation"
	snsUnsubscribe  = "UnsubscribeConfirmation"
)

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
// A line break in a value could pass for another field; that the Type, which
// ends the text, is one of three words keeps what is signed of one topic from
// being read as another's.
func (m snsMessage) canonical() []byte {
	var b strings.Builder
	put := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	put("Message", m.Message)
	put("MessageId", m.MessageID)
	if m.Type == snsNotification {
		if m.Subject != nil {
			put("Subject", *m.Subject)
		}
	} else {
		put("SubscribeURL", m.SubscribeURL)
	}
	put("Timestamp", m.Timestamp)
	if m.Type != snsNotification {
		put("Token", m.Token)
	}
	put("TopicArn", m.TopicArn)
	put("Type", m.Type)
	return []byte(b.String())
}

// signedBy checks the signature with Amazon's key.
func (m snsMessage) signedBy(key *rsa.PublicKey) error {
	sig, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		return errBadProof
	}
	switch m.SignatureVersion {
	case "1":
		sum := sha1.Sum(m.canonical()) //nolint:gosec // see the import
		err = rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], sig)
	case "2":
		sum := sha256.Sum256(m.canonical())
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig)
	default:
		return errBadProof
	}
	if err != nil {
		return errBadProof
	}
	return nil
}

// plain refuses what no message of SNS has: another type, or a line break
// where there is none.
func (m snsMessage) plain() error {
	switch m.Type {
	case snsNotification, snsSubscribe, snsUnsubscribe:
	default:
		return errBadProof
	}
	if strings.Contains(m.MessageID+m.Token+m.TopicArn+m.Timestamp+m.SubscribeURL, "\n") {
		return errBadProof
	}
	return nil
}

// snsLatest is how old a message may be: SNS tries again for up to 23 days. The
// fingerprint finds what came before.
const snsLatest = 24 * 24 * time.Hour

// open checks a message and returns it.
func (v *snsVerifier) open(ctx context.Context, topics []string, body []byte, now time.Time) (snsMessage, error) {
	var m snsMessage
	if err := json.Unmarshal(body, &m); err != nil || m.Signature == "" {
		return m, errNoProof
	}
	if !slices.Contains(topics, m.TopicArn) {
		return m, errNotTopic
	}
	if err := m.plain(); err != nil {
		return m, err
	}
	at, err := time.Parse(time.RFC3339, m.Timestamp)
	if err != nil {
		return m, errBadProof
	}
	key, err := v.key(ctx, m.SigningCertURL, now)
	if err != nil {
		return m, err
	}
	if err := m.signedBy(key); err != nil {
		return m, err
	}
	if now.Sub(at) > snsLatest || at.Sub(now) > freshness {
		return m, errStale
	}
	return m, nil
}

// serveSNS answers a message of SNS: it takes a notification and confirms a
// subscription.
func (in *Intake) serveSNS(ctx context.Context, w http.ResponseWriter, src *alert.Source, body []byte) error {
	m, err := in.sns.open(ctx, src.Verify.Topics, body, in.c.Now())
	var no *refusal
	switch {
	case errors.As(err, &no):
		return err
	case err != nil:
		in.c.Log.WarnContext(ctx, "a message of SNS cannot be checked now", "source", src.Name, "err", err)
		return errs.E(errs.Unavailable, "the signature cannot be checked now: try again")
	}
	switch m.Type {
	case snsSubscribe:
		return in.confirm(ctx, w, m)
	case snsUnsubscribe:
		in.c.Log.WarnContext(ctx, "a topic no longer sends to this source", "source", src.Name, "topic", m.TopicArn)
		return reply(w, http.StatusOK, map[string]string{"unsubscribed": m.TopicArn})
	}
	envelope, err := expr.FromJSON(body)
	if err != nil {
		return errBadProof
	}
	message, err := expr.FromJSON([]byte(m.Message))
	if err != nil {
		message = envelope // plain text
	}
	return in.take(ctx, w, src, []any{envelope}, []any{message})
}

// confirm visits the address by which Amazon knows that we want a topic. It
// was signed, and the topic is one that the source wants.
func (in *Intake) confirm(ctx context.Context, w http.ResponseWriter, m snsMessage) error {
	if _, err := amazonURL(m.SubscribeURL); err != nil {
		return err
	}
	if _, err := in.c.Fetch(ctx, m.SubscribeURL); err != nil {
		in.c.Log.WarnContext(ctx, "a subscription cannot be confirmed", "topic", m.TopicArn, "err", err)
		return errs.E(errs.Unavailable, "the subscription cannot be confirmed now: try again")
	}
	in.c.Log.InfoContext(ctx, "a subscription was confirmed", "topic", m.TopicArn)
	return reply(w, http.StatusOK, map[string]string{"confirmed": m.TopicArn})
}
