// Package intake takes what tools send, as they send it. Each call is verified
// by its source's own scheme before anything of its body is understood, mapped
// to findings, and answered only when all of it is durable.
//
// It promises:
//
//   - An answer 202 means durable.
//   - A call that is refused leaves a record and changes nothing else. A flood
//     of them leaves a few, which count the others.
//   - The answer to a call without a valid proof says nothing that its sender
//     did not send, beyond which kind of proof is wanted.
//   - A body is read only when the head of the call does not already refuse it.
//
// It never trusts a header for the address of the caller unless the connection
// comes from a proxy that it was told to trust, and never visits an address
// that a call names unless it is Amazon's own.
//
// Schemes are as their owners describe them; each file names the page.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
)

// Config says what an Intake works with. Every field is required but Hooks and
// TrustedProxies.
type Config struct {
	Source    func(name string) (*alert.Source, bool) // in force
	Secrets   func(ctx context.Context, name string) (secret.String, error)
	Blobs     store.Blobs
	Sequencer *sequencer.Sequencer
	Fetch     Fetcher
	// Hooks takes what a verified call brought to the playbooks that listen to
	// a webhook of the source's name; it reports whether any does.
	Hooks func(ctx context.Context, name, actor string, body any) (bool, error)
	// TrustedProxies are the addresses of the proxies in front of this node,
	// whose X-Forwarded-For says who called. None: the header means nothing.
	TrustedProxies []netip.Prefix
	Now            func() time.Time
	Log            *slog.Logger
}

// An Intake serves POST /hooks/{source}.
type Intake struct {
	c        Config
	proxies  proxies
	sns      *snsVerifier
	replays  replays
	refusals refusals

	Counts Counts
}

// Counts are totals since the start, for metrics.
type Counts struct {
	Calls, Alerts, Ignored, Refused atomic.Int64
}

// New checks c and starts nothing.
func New(c Config) (*Intake, error) {
	if c.Source == nil || c.Secrets == nil || c.Blobs == nil || c.Sequencer == nil || c.Fetch == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("internal error: intake lacks a part")
	}
	trusted, err := newProxies(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	return &Intake{c: c, proxies: trusted, sns: newSNSVerifier(c.Fetch)}, nil
}

// An Answer is what a taken call is answered with.
type Answer struct {
	Alerts   []store.Taken `json:"alerts"`             // those that were taken, in the order of the call
	Ignored  int           `json:"ignored,omitempty"`  // events that the source says are no alerts
	Problems []string      `json:"problems,omitempty"` // what could not be mapped, the first few
}

// Hook serves a call of a tool. The path value "source" names the document.
func (in *Intake) Hook(w http.ResponseWriter, r *http.Request) error {
	in.Counts.Calls.Add(1)
	name := r.PathValue("source")
	from := in.proxies.caller(r)
	src, ok := in.c.Source(name)
	if !ok {
		return in.refuse(r.Context(), name, from, errNoSource)
	}
	err := in.serve(w, r, src, from)
	if no := refusalOf(err); no != nil {
		return in.refuse(r.Context(), name, from, no)
	}
	return err
}

// serve answers a call to a source that there is.
func (in *Intake) serve(w http.ResponseWriter, r *http.Request, src *alert.Source, from netip.Addr) error {
	body, err := in.admit(w, r, src, from)
	if err != nil {
		return err
	}
	if greeting := greet(src.Verify.Scheme, r, body); greeting != nil {
		return reply(w, http.StatusOK, greeting)
	}
	if src.Verify.Scheme == alert.SchemeSNS {
		return in.serveSNS(r.Context(), w, src, body)
	}
	if r.Method != http.MethodPost {
		return errs.E(errs.Invalid, "send alerts with POST")
	}
	events, err := parse(body, r.Header)
	if err != nil {
		return err
	}
	if src.Verify.Scheme != alert.SchemeSlack {
		return in.take(r.Context(), w, src, events, events)
	}
	// A signature of Slack is good for one call that succeeds.
	proof := src.Name + r.Header.Get(slackSignature)
	if !in.replays.first(proof, in.c.Now()) {
		return errReplayed
	}
	if err := in.take(r.Context(), w, src, events, events); err != nil {
		in.replays.forget(proof)
		return err
	}
	return nil
}

// take makes alerts of events and answers when all of them are durable. What
// playbooks that listen to a webhook get is given beside.
func (in *Intake) take(ctx context.Context, w http.ResponseWriter, src *alert.Source, events, hooked []any) error {
	ans := Answer{Alerts: []store.Taken{}}
	cmds, err := in.prepare(ctx, src, events, &ans)
	if err != nil {
		return err
	}
	results, err := in.c.Sequencer.DoAll(ctx, cmds)
	if err != nil {
		return err
	}
	for _, res := range results {
		t, err := store.TakenFrom(res)
		if err != nil {
			return err
		}
		ans.Alerts = append(ans.Alerts, t)
	}
	in.Counts.Alerts.Add(int64(len(ans.Alerts)))
	in.Counts.Ignored.Add(int64(ans.Ignored))
	if in.c.Hooks != nil {
		for _, v := range hooked {
			if listening, err := in.c.Hooks(ctx, src.Name, "source/"+src.Name, v); err != nil {
				return err
			} else if !listening {
				break
			}
		}
	}
	return reply(w, http.StatusAccepted, ans)
}

// maxProblems bounds how many problems an answer lists.
const maxProblems = 20

// prepare maps events and encodes what comes of them.
func (in *Intake) prepare(ctx context.Context, src *alert.Source, events []any, ans *Answer) ([]sequencer.Command, error) {
	now := in.c.Now()
	var cmds []sequencer.Command
	count := 0
	for _, v := range events {
		findings, stats, err := src.Map(v, now)
		if err != nil {
			return nil, err
		}
		if count += stats.Events; count > maxEvents {
			return nil, errTooMany()
		}
		ans.Ignored += stats.Ignored
		if room := maxProblems - len(ans.Problems); room > 0 {
			ans.Problems = append(ans.Problems, stats.Problems[:min(room, len(stats.Problems))]...)
		}
		for _, f := range findings {
			p, err := store.Prepare(ctx, in.c.Blobs, f, src.Policy)
			if err != nil {
				return nil, fmt.Errorf("prepare alert: %w", err)
			}
			cmds = append(cmds, p.Receive())
		}
	}
	return cmds, nil
}

// reply answers a call. If the caller has gone he finds out by asking again.
func reply(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
	return nil
}
