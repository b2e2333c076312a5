package alert

import (
	"cmp"
	"slices"
	"time"

	"beffroi.dev/internal/errs"
)

// A Policy says for how long alerts belong together.
type Policy struct {
	Window time.Duration // after the last alert with the same fingerprint
	Within time.Duration // after the last alert with the same entity
}

// A State is where a case stands.
type State string

// States of a case.
const (
	Open         State = "open"         // no person has acted yet
	Acknowledged State = "acknowledged" // a person has taken it
	Resolved     State = "resolved"     // somebody said what it was
)

// An Outcome is what an alert does to the cases.
type Outcome string

// Outcomes of [Decide].
const (
	Opens   Outcome = "opens"   // a case of its own
	Repeats Outcome = "repeats" // an alert of an unresolved case: its count goes up
	Joins   Outcome = "joins"   // an unresolved case that shares an entity
	Reopens Outcome = "reopens" // a resolved case whose alert came again
)

// Known is what is remembered of a case that may take a new alert.
type Known struct {
	Case   string    // "case/1041"
	State  State     //
	Last   time.Time // when it last took an alert with this fingerprint, or this entity
	Alert  string    // the first alert with this fingerprint: "alert/1041"
	Entity string    // what they share; "" for a fingerprint
}

// Found is what the view found for one finding.
type Found struct {
	Same    *Known  // the case that last took this fingerprint; nil when there is none
	Sharing []Known // cases that share an entity, one entry for each entity shared
}

// A Decision says where an alert belongs, and why.
type Decision struct {
	Outcome     Outcome
	Case        string   // "" when it opens one
	DuplicateOf string   // the alert that it repeats
	Entities    []string // what it shares with the case that it joins
	Related     []string // resolved cases that share an entity: worth a look, never extended
}

// Decide says which case an alert belongs to. The same fingerprint within the
// window comes first, then entities shared within theirs. Of several cases the
// one that shares most is taken, then the one that was active last.
func Decide(p Policy, f Finding, found Found, at time.Time) Decision {
	if s := found.Same; f.Fingerprint != "" && s != nil && at.Sub(s.Last) <= p.Window {
		d := Decision{Outcome: Repeats, Case: s.Case, DuplicateOf: s.Alert}
		if s.State == Resolved {
			d.Outcome = Reopens
		}
		return d
	}
	type candidate struct {
		Known
		entities []string
	}
	var open []candidate
	d := Decision{Outcome: Opens}
	for _, k := range found.Sharing {
		if at.Sub(k.Last) > p.Within || !slices.Contains(f.Entities, k.Entity) {
			continue
		}
		if k.State == Resolved {
			if !slices.Contains(d.Related, k.Case) {
				d.Related = append(d.Related, k.Case)
			}
			continue
		}
		i := slices.IndexFunc(open, func(c candidate) bool { return c.Case == k.Case })
		if i < 0 {
			open = append(open, candidate{Known: k})
			i = len(open) - 1
		}
		open[i].entities = append(open[i].entities, k.Entity)
		if k.Last.After(open[i].Last) {
			open[i].Last = k.Last
		}
	}
	slices.Sort(d.Related)
	if len(open) == 0 {
		return d
	}
	best := slices.MinFunc(open, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(len(a.entities), len(b.entities)), -a.Last.Compare(b.Last), cmp.Compare(a.Case, b.Case))
	})
	slices.Sort(best.entities)
	d.Outcome, d.Case, d.Entities = Joins, best.Case, best.entities
	return d
}

// follows says from which states a record of a kind may follow, and to which
// state it leads; "" leaves the state as it is.
var follows = map[string]struct {
	from []State
	to   State
}{
	KindAcknowledged: {[]State{Open}, Acknowledged},
	KindAssigned:     {[]State{Open, Acknowledged}, ""},
	KindCommented:    {[]State{Open, Acknowledged, Resolved}, ""},
	KindResolved:     {[]State{Open, Acknowledged}, Resolved},
	KindReopened:     {[]State{Resolved}, Open},
	KindMerged:       {[]State{Open, Acknowledged}, Resolved},
	KindOverdue:      {[]State{Open}, ""},
}

// After returns the state of a case after a record of a kind, and an
// errs.Conflict when the record cannot follow: somebody was first.
func (s State) After(kind string) (State, error) {
	f, ok := follows[kind]
	if !ok {
		return s, errs.E(errs.Invalid, "%q is no record of a case", kind)
	}
	if !slices.Contains(f.from, s) {
		return s, errs.Hint(errs.Conflict, "look at the case again", "the case is already %s", s)
	}
	if f.to == "" {
		return s, nil
	}
	return f.to, nil
}

// Verdicts are what a person may say that a case was.
var Verdicts = []string{"true_positive", "benign", "false_positive", "duplicate", "test", "unknown"}

// CheckVerdict returns an errs.Invalid unless v is one of [Verdicts].
func CheckVerdict(v string) error {
	if slices.Contains(Verdicts, v) {
		return nil
	}
	return errs.Hint(errs.Invalid, oneOf(v, Verdicts), "%q is no verdict", v)
}
