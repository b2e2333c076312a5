// Package intake takes what tools send, as they send it. Each call is verified
// by its source's own scheme before its body is read, mapped to findings, and
// answered only when all of it is durable.
//
// It promises that an answer 202 means durable; that a refused call leaves a
// record and changes nothing else; and that the answer to a refused call tells
// an attacker nothing that he did not send himself.
package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// KindRefused is the record of a call that was not taken.
const KindRefused = "hook.refused"

// Refused is the data of hook.refused.
type Refused struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
	From   string `json:"from"`           // address of the caller
	Also   int64  `json:"also,omitempty"` // calls refused since the last such record, which have none of their own
}

// Config says what an Intake works with. Every field but Hooks is required.
type Config struct {
	Source    func(name string) (*alert.Source, bool) // in force
	Secrets   func(ctx context.Context, name string) (secret.String, error)
	Blobs     store.Blobs
	Sequencer *sequencer.Sequencer
	Fetch     Fetcher // of public pages, for SNS
	// Hooks takes what a verified call brought to the playbooks that listen to
	// a webhook of the source's name; it reports whether any does.
	Hooks func(ctx context.Context, name, actor string, body any) (bool, error)
	Now   func() time.Time
	Log   *slog.Logger
}

// An Intake serves POST /hooks/{source}.
type Intake struct {
	c   Config
	sns snsVerifier

	Counts Counts

	mu       sync.Mutex
	limiters map[string]*limiter // guarded by mu; of refusal records, by source
}

// Counts are totals since the start, for metrics.
type Counts struct {
	Calls, Alerts, Ignored, Refused atomic.Int64
}

type limiter struct {
	*rate.Limiter
	also int64 // refused without a record of their own; guarded by Intake.mu
}

// New checks c and starts nothing.
func New(c Config) (*Intake, error) {
	if c.Source == nil || c.Secrets == nil || c.Blobs == nil || c.Sequencer == nil || c.Fetch == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("internal error: intake lacks a part")
	}
	return &Intake{c: c, sns: snsVerifier{fetch: c.Fetch}, limiters: map[string]*limiter{}}, nil
}

// An Answer is what a taken call is answered with.
type Answer struct {
	Alerts  []store.Taken `json:"alerts"`            // those that were taken, in the order of the call
	Ignored int           `json:"ignored,omitempty"` // events that the source says are no alerts
	Problem []string      `json:"problems,omitempty"`
}

// Hook serves a call of a tool. The path value "source" names the document.
func (in *Intake) Hook(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("source")
	in.Counts.Calls.Add(1)
	src, ok := in.c.Source(name)
	if !ok {
		return errs.E(errs.NotFound, "there is no source of this name")
	}
	body, err := in.admit(r, src)
	var no *refusal
	if errors.As(err, &no) {
		return in.refuse(r, src.Name, no)
	}
	if err != nil {
		return err
	}
	switch src.Verify.Scheme {
	case alert.SchemeOkta:
		if c := r.Header.Get("X-Okta-Verification-Challenge"); r.Method == http.MethodGet && c != "" {
			return reply(w, http.StatusOK, map[string]string{"verification": c})
		}
	case alert.SchemeSlack:
		if c, ok := slackChallenge(body); ok {
			return reply(w, http.StatusOK, map[string]string{"challenge": c})
		}
	case alert.SchemeSNS:
		m, err := in.sns.open(r.Context(), src.Verify.Topics, body, in.c.Now())
		if errors.As(err, &no) {
			return in.refuse(r, src.Name, no)
		}
		if err != nil {
			return errs.E(errs.Unavailable, "the signature cannot be checked now: try again")
		}
		if m.Type != "Notification" {
			return in.confirm(r.Context(), w, m)
		}
		body = []byte(m.Message)
	}
	if r.Method != http.MethodPost {
		return errs.E(errs.Invalid, "send alerts with POST")
	}
	ans, err := in.take(r.Context(), src, body, r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, ans)
}

// admit checks the address and the proof of a call and returns its body.
func (in *Intake) admit(r *http.Request, src *alert.Source) ([]byte, error) {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !src.Verify.Allows(addr.Addr()) {
		return nil, errAddress
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, src.MaxSize))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errs.Hint(errs.TooLarge, "raise max_size in its document if the tool really sends that much", "the call has more than the %d bytes that source %s takes", src.MaxSize, src.Name)
	}
	if err != nil {
		return nil, errs.E(errs.Invalid, "the call broke off")
	}
	var key secret.String
	if src.Verify.Secret != "" {
		if key, err = in.c.Secrets(r.Context(), src.Verify.Secret); err != nil {
			in.c.Log.ErrorContext(r.Context(), "call refused: the source's secret cannot be had", "source", src.Name, "err", err)
			return nil, errNoSecret
		}
	}
	if src.Verify.Scheme == alert.SchemeSNS {
		return body, nil // its proof is inside
	}
	return body, verify(src.Verify, key, r.Header, body, in.c.Now())
}

// refuse records a refused call and answers it. A flood leaves a few records a
// minute, which count the others.
func (in *Intake) refuse(r *http.Request, source string, no *refusal) error {
	in.Counts.Refused.Add(1)
	in.mu.Lock()
	l := in.limiters[source]
	if l == nil {
		l = &limiter{Limiter: rate.NewLimiter(rate.Every(10*time.Second), 20)}
		in.limiters[source] = l
	}
	record, also := l.AllowN(in.c.Now(), 1), l.also
	if record {
		l.also = 0
	} else {
		l.also++
	}
	in.mu.Unlock()
	kind := errs.Denied
	if no == errNoProof || no == errBadProof {
		kind = errs.Unauthenticated
	}
	if record {
		host := r.RemoteAddr
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			host = a.Addr().Unmap().String()
		}
		data := Refused{Source: source, Reason: no.Reason, From: host, Also: also}
		if _, err := in.c.Sequencer.Do(r.Context(), func(*view.Tx, time.Time) ([]ledger.Draft, error) {
			return []ledger.Draft{{Kind: KindRefused, Subject: "source/" + source, Actor: "unknown", Data: data}}, nil
		}); err != nil {
			return fmt.Errorf("record the refusal: %w", err)
		}
	}
	return errs.E(kind, "%s", no.Say)
}

// take makes alerts of a body, all durable when it returns.
func (in *Intake) take(ctx context.Context, src *alert.Source, body []byte, contentType string) (Answer, error) {
	ans := Answer{Alerts: []store.Taken{}}
	values, err := parse(body, contentType)
	if err != nil {
		return ans, err
	}
	now := in.c.Now()
	var cmds []sequencer.Command
	for _, v := range values {
		findings, stats, err := src.Map(v, now)
		if err != nil {
			return ans, err
		}
		ans.Ignored += stats.Ignored
		ans.Problem = append(ans.Problem, stats.Problems...)
		for _, f := range findings {
			p, err := store.Prepare(ctx, in.c.Blobs, f, src.Policy)
			if err != nil {
				return ans, err
			}
			cmds = append(cmds, p.Receive())
		}
	}
	results, err := in.c.Sequencer.DoAll(ctx, cmds)
	if err != nil {
		return ans, err
	}
	for _, res := range results {
		t, err := store.TakenFrom(res)
		if err != nil {
			return ans, err
		}
		ans.Alerts = append(ans.Alerts, t)
	}
	in.Counts.Alerts.Add(int64(len(ans.Alerts)))
	in.Counts.Ignored.Add(int64(ans.Ignored))
	if in.c.Hooks == nil {
		return ans, nil
	}
	for _, v := range values {
		if _, err := in.c.Hooks(ctx, src.Name, "source/"+src.Name, v); err != nil {
			return ans, err
		}
	}
	return ans, nil
}

// maxEvents bounds how many events one call may hold.
const maxEvents = 10_000

// parse reads a body: one JSON value, one a line (NDJSON), or a form whose
// field payload holds one.
func parse(body []byte, contentType string) ([]any, error) {
	if media, _, _ := mime.ParseMediaType(contentType); media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" {
			return nil, errs.E(errs.Unsupported, "a form must carry its JSON in the field payload")
		}
		body = []byte(form.Get("payload"))
	}
	v, err := expr.FromJSON(body)
	if err == nil {
		return []any{v}, nil
	}
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	if len(lines) < 2 || len(lines) > maxEvents {
		return nil, errs.E(errs.Invalid, "the body is not JSON: %v", err)
	}
	var out []any
	for i, line := range lines {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		v, lineErr := expr.FromJSON(line)
		if lineErr != nil {
			if i == 0 {
				return nil, errs.E(errs.Invalid, "the body is not JSON: %v", err)
			}
			return nil, errs.E(errs.Invalid, "line %d of the body is not JSON: %v", i+1, lineErr)
		}
		out = append(out, v)
	}
	return out, nil
}

// slackChallenge answers the check that Slack makes of a new address
// (https://docs.slack.dev/reference/events/url_verification).
func slackChallenge(body []byte) (string, bool) {
	var m struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(body, &m) != nil || m.Type != "url_verification" || len(m.Challenge) > 1000 {
		return "", false
	}
	return m.Challenge, true
}

// confirm answers a subscription of SNS by visiting the address that Amazon
// gave, after the signature and the topic were checked.
func (in *Intake) confirm(ctx context.Context, w http.ResponseWriter, m snsMessage) error {
	if m.Type != "SubscriptionConfirmation" {
		return reply(w, http.StatusOK, map[string]string{"type": m.Type})
	}
	if err := amazonURL(m.SubscribeURL); err != nil {
		return errs.E(errs.Unauthenticated, "%s", errBadProof.Say)
	}
	if _, err := in.c.Fetch(ctx, m.SubscribeURL); err != nil {
		in.c.Log.WarnContext(ctx, "subscription could not be confirmed", "topic", m.TopicArn, "err", err)
		return errs.E(errs.Unavailable, "the subscription cannot be confirmed now: try again")
	}
	return reply(w, http.StatusOK, map[string]string{"confirmed": m.TopicArn})
}

func reply(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}
