package playbook

import (
	"maps"
	"slices"
	"time"
)

// A TraceStatus says how one attempt of a step stands.
type TraceStatus string

// How an attempt stands, or ended.
const (
	TraceRunning   TraceStatus = "running"   // steps inside it are at work
	TraceWaiting   TraceStatus = "waiting"   // for an action
	TraceOK        TraceStatus = "ok"        // it gave Output
	TraceFailed    TraceStatus = "failed"    // with Error
	TraceSkipped   TraceStatus = "skipped"   // its condition was false
	TraceWithdrawn TraceStatus = "withdrawn" // it was taken back before its end
)

// A TraceEntry is one attempt of a step. Input and Output may share structure
// with the run: they are read-only.
type TraceEntry struct {
	Path      string      `json:"path"` // as in action ids: hosts[3].contain#2
	Step      string      `json:"step"` // id, or kind-n
	Kind      string      `json:"kind"`
	Started   time.Time   `json:"started"`
	Ended     time.Time   `json:"ended,omitzero"`
	Status    TraceStatus `json:"status"`
	Condition string      `json:"condition,omitempty"` // if, switch, each: what was evaluated
	Value     any         `json:"value,omitempty"`     // and what it gave
	Branch    string      `json:"branch,omitempty"`    // which steps were chosen: then, a case
	Input     any         `json:"input,omitempty"`     // what was sent
	Output    any         `json:"output,omitempty"`
	Error     *Error      `json:"error,omitempty"`
}

// Trace returns each attempt of each step in the order in which they began, if
// Init.Trace asked for it. After 10,000 only the number of the others is kept.
func (r Run) Trace() (entries []TraceEntry, dropped int) {
	if r.s == nil {
		return nil, 0
	}
	return slices.Clone(r.s.trace), r.s.dropped
}

// begun notes the begin of an attempt.
func (x *exec) begun(t *task) {
	s := x.s
	t.entry = 0
	switch {
	case !s.init.Trace:
		return
	case len(s.trace) >= maxTrace:
		s.dropped++
		return
	}
	e := TraceEntry{Path: x.id(t), Step: t.step.name, Kind: string(t.step.kind), Started: s.at, Status: TraceRunning}
	if g := t.step.guard; g != nil {
		e.Condition = g.src
		if t.attempt > 0 { // otherwise it has just failed, or is false
			e.Value = true
		}
	}
	s.trace = append(s.trace, e)
	t.entry = len(s.trace)
}

// note changes the entry of an attempt that has not ended.
func (x *exec) note(t *task, change func(e *TraceEntry)) {
	if t.entry == 0 {
		return
	}
	if e := &x.s.trace[t.entry-1]; e.Ended.IsZero() {
		change(e)
	}
}

func (x *exec) parked(t *task) {
	x.note(t, func(e *TraceEntry) { e.Status = TraceWaiting })
}

// sent notes what a step sends.
func (x *exec) sent(t *task, input any) {
	x.note(t, func(e *TraceEntry) { e.Input = input })
}

// chose notes what a step decided on.
func (x *exec) chose(t *task, condition string, value any, branch string) {
	x.note(t, func(e *TraceEntry) { e.Condition, e.Value, e.Branch = condition, value, branch })
}

// ran notes the end of an attempt.
func (x *exec) ran(t *task, status TraceStatus, output map[string]any, err *Error) {
	x.note(t, func(e *TraceEntry) {
		e.Status, e.Ended, e.Error = status, x.s.at, err
		if output != nil {
			e.Output = maps.Clone(output)
		}
	})
}

// skipped notes a step whose condition was false.
func (x *exec) skipped(t *task) {
	x.begun(t)
	x.note(t, func(e *TraceEntry) {
		e.Status, e.Ended, e.Value = TraceSkipped, x.s.at, false
	})
}

// closeTrace ends the entries of steps that were left when the run ended.
func (x *exec) closeTrace() {
	for i := range x.s.trace {
		if e := &x.s.trace[i]; e.Ended.IsZero() {
			e.Status, e.Ended = TraceWithdrawn, x.s.at
		}
	}
}
