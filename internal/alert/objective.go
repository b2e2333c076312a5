package alert

import (
	"slices"
	"time"

	"beffroi.dev/internal/expr"
)

// An Objective is a compiled document of kind objective. It never changes.
type Objective struct {
	Name   string
	Title  string
	Team   string
	Limits map[int64]Limit // by severity_id
	Steps  []Step          // in the order of their offsets

	hours *Hours
	when  *expr.Program // nil: always
	tests []ObjectiveTest
}

// A Limit is the time within which a person must have acted.
type Limit struct {
	Within   time.Duration
	Business bool // counted in business hours
}

// A Step is one notification of the chain.
type Step struct {
	Index   int           // from 0, in the order of Offset
	Offset  time.Duration // from the deadline; negative is before it
	To      []string
	Message string
}

// Handling is what is known of how a case is being handled. The clock begins
// when the case opens or is reopened, or when its severity rises.
type Handling struct {
	Severity int64
	Since    time.Time
	Acted    time.Time // first act of a person after Since; zero when nobody has
	By       string    // who that was
	Ended    time.Time // when it was resolved or merged; zero while it is not
	Taken    []int     // steps of the chain that were taken since
}

// Applies says whether the objective is for a case, by the alert that opened
// it (see [View]). An expression that fails applies: better a reminder too many.
func (o *Objective) Applies(alert map[string]any, source string, severity int64) bool {
	if _, ok := o.Limits[severity]; !ok {
		return false
	}
	if o.when == nil {
		return true
	}
	ok, err := o.when.Bool(map[string]any{"alert": alert, "source": source})
	return ok || err != nil
}

// Select returns the objective for a case: of those that apply the one with
// the shortest limit, then the first by name; nil when there is none.
func Select(all []*Objective, alert map[string]any, source string, severity int64) *Objective {
	var best *Objective
	for _, o := range all {
		if !o.Applies(alert, source, severity) {
			continue
		}
		if best == nil || o.Limits[severity].Within < best.Limits[severity].Within ||
			o.Limits[severity].Within == best.Limits[severity].Within && o.Name < best.Name {
			best = o
		}
	}
	return best
}

// Deadline returns by when a person must have acted; false when the severity
// has no limit.
func (o *Objective) Deadline(h Handling) (time.Time, bool) {
	l, ok := o.Limits[h.Severity]
	if !ok {
		return time.Time{}, false
	}
	return o.add(h, l.Within), true
}

// add goes on by d on the clock of the case's severity.
func (o *Objective) add(h Handling, d time.Duration) time.Time {
	if o.Limits[h.Severity].Business && o.hours != nil {
		return o.hours.Add(h.Since, d)
	}
	return h.Since.Add(d).UTC()
}

// at returns when a step is due. What would be before the case began is due
// when it begins.
func (o *Objective) at(h Handling, s Step) time.Time {
	return o.add(h, max(0, o.Limits[h.Severity].Within+s.Offset))
}

// Due returns the steps that are due at now and were not taken, in order. A
// case on which a person has acted, or that has ended, has none.
func Due(o *Objective, h Handling, now time.Time) []Step {
	var out []Step
	for _, s := range o.pending(h) {
		if !o.at(h, s).After(now) {
			out = append(out, s)
		}
	}
	return out
}

// Next returns when to look again: the first time at which a step not yet
// taken is due, which may have passed; zero when there is nothing to wait for.
func Next(o *Objective, h Handling) time.Time {
	var next time.Time
	for _, s := range o.pending(h) {
		if at := o.at(h, s); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (o *Objective) pending(h Handling) []Step {
	if _, ok := o.Limits[h.Severity]; !ok || !h.Acted.IsZero() || !h.Ended.IsZero() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(o.Steps), func(s Step) bool { return slices.Contains(h.Taken, s.Index) })
}

// Overdue returns the record data of a step that is being taken.
func (o *Objective) Overdue(h Handling, s Step, notified []string) CaseOverdue {
	deadline, _ := o.Deadline(h)
	return CaseOverdue{
		Objective: o.Name, Step: s.Index, Deadline: deadline, Since: h.Since, Severity: h.Severity,
		Notified: notified, Early: s.Offset < 0,
	}
}

// Result says how a case was handled, for reports.
type Result struct {
	Deadline time.Time
	InTime   bool          // a person acted before the deadline
	Pending  bool          // nobody has acted, and there is still time
	Took     time.Duration // until a person acted; zero when nobody has
	By       string
}

// Handled says whether a case was handled in time, seen at now. A case that
// ended without a person is not handled in time.
func Handled(o *Objective, h Handling, now time.Time) (Result, bool) {
	deadline, ok := o.Deadline(h)
	if !ok {
		return Result{}, false
	}
	r := Result{Deadline: deadline, By: h.By}
	if h.Acted.IsZero() {
		r.Pending = h.Ended.IsZero() && !now.After(deadline)
		return r, true
	}
	r.Took = h.Acted.Sub(h.Since)
	r.InTime = !h.Acted.After(deadline)
	return r, true
}
