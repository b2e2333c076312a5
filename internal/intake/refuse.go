package intake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// KindRefused is the record of a call that was not taken.
const KindRefused = "hook.refused"

// Refused is the data of hook.refused.
type Refused struct {
	Source string `json:"source,omitempty"` // empty: there is none of the name
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"` // what was wrong with a call whose proof held, or the name that no source has
	From   string `json:"from"`             // address of the caller, or unknown
	Also   int64  `json:"also,omitempty"`   // calls refused since the last such record, which have none of their own
}

// A refusal says why a call was not taken. The record has all of it; the caller
// learns only Say, which helps nobody to guess.
type refusal struct {
	Reason string    // for the record
	Kind   errs.Kind // of the answer
	Say    string    // for the caller
	Detail string    // for the record
}

func (r *refusal) Error() string { return r.Reason }

var (
	errNoSource  = &refusal{Reason: "no_source", Kind: errs.NotFound, Say: "there is no source of this name"}
	errAddress   = &refusal{Reason: "address", Kind: errs.Denied, Say: "calls from this address are not taken"}
	errNoSecret  = &refusal{Reason: "secret_missing", Kind: errs.Unavailable, Say: "this source is not ready"}
	errNoScheme  = &refusal{Reason: "scheme_unknown", Kind: errs.Unavailable, Say: "this source is not ready"}
	errNoProof   = &refusal{Reason: "no_proof", Kind: errs.Unauthenticated, Say: "the call carries no proof of where it comes from"}
	errTwoProofs = &refusal{Reason: "ambiguous_proof", Kind: errs.Unauthenticated, Say: "the call carries the proof more than once"}
	errBadProof  = &refusal{Reason: "bad_proof", Kind: errs.Unauthenticated, Say: "the proof of where the call comes from does not hold"}
	errNotTopic  = &refusal{Reason: "topic", Kind: errs.Unauthenticated, Say: errBadProof.Say} // which topics are taken is not for strangers
	errStale     = &refusal{Reason: "stale", Kind: errs.Denied, Say: "the call is too old, or comes from the future"}
	errReplayed  = &refusal{Reason: "replayed", Kind: errs.Denied, Say: "the call was seen before"}
)

// refusalOf returns the refusal that err is. A call whose proof holds and which
// asks for what cannot be done is refused too: somebody should look at it.
func refusalOf(err error) *refusal {
	var no *refusal
	if errors.As(err, &no) {
		return no
	}
	var e *errs.Error
	if !errors.As(err, &e) {
		return nil
	}
	reasons := map[errs.Kind]string{errs.Invalid: "body", errs.Unsupported: "body", errs.TooLarge: "too_large"}
	if reasons[e.Kind] == "" {
		return nil
	}
	return &refusal{Reason: reasons[e.Kind], Kind: e.Kind, Say: e.Error(), Detail: e.Msg}
}

// refuse records a refused call and answers it.
func (in *Intake) refuse(ctx context.Context, source string, from netip.Addr, no *refusal) error {
	in.Counts.Refused.Add(1)
	subject, detail := "source/"+source, no.Detail
	if no == errNoSource {
		subject, detail, source = "hooks", misspelt(source), ""
	}
	if also, ok := in.refusals.turn(source, in.c.Now()); ok {
		data := Refused{Source: source, Reason: no.Reason, Detail: detail, From: "unknown", Also: also}
		if from.IsValid() {
			data.From = from.String()
		}
		// Whoever hangs up does not get away without a record.
		_, err := in.c.Sequencer.Do(context.WithoutCancel(ctx), func(*view.Tx, time.Time) ([]ledger.Draft, error) {
			return []ledger.Draft{{Kind: KindRefused, Subject: subject, Actor: "unknown", Data: data}}, nil
		})
		if err != nil {
			return fmt.Errorf("record the refusal: %w", err)
		}
	}
	return errs.E(no.Kind, "%s", no.Say)
}

// misspelt returns a name that a source might have. Whoever calls at random
// does not choose our words.
func misspelt(name string) string {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ""
		}
	}
	return name[:min(len(name), 63)]
}

// refusals bounds the records of refused calls: for each source 20 at once and
// then one every ten seconds.
type refusals struct {
	mu      sync.Mutex
	sources map[string]*flood // guarded by mu
}

type flood struct {
	*rate.Limiter
	also int64 // refused without a record of their own
}

// turn says whether the call gets a record, and how many others it stands for.
func (r *refusals) turn(source string, now time.Time) (also int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.sources[source]
	if f == nil {
		f = &flood{Limiter: rate.NewLimiter(rate.Every(10*time.Second), 20)}
		if r.sources == nil {
			r.sources = map[string]*flood{}
		}
		r.sources[source] = f
	}
	if !f.AllowN(now, 1) {
		f.also++
		return 0, false
	}
	also, f.also = f.also, 0
	return also, true
}
