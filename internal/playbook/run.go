package playbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// Init is what a run starts with.
type Init struct {
	Run       string         // id: run/1043
	Trigger   map[string]any // what started it: kind, and name and data of a webhook, due of a schedule, record
	Alert     map[string]any
	Case      map[string]any
	Inputs    map[string]any
	Requester string // person/ada; empty when no person started it
	Trace     bool   // keep what Run.Trace returns; changes nothing else
}

// A Run is one execution of a playbook. The zero Run has not started.
//
// [Step] consumes the Run that it is given: it changes what is behind it, and
// only the Run that it returns may be used afterwards. So a step costs what it
// does, not what has happened before. Whoever may have to go back keeps the
// events and folds them again.
type Run struct{ s *state }

// state is what is behind a Run. It refers to the compiled playbook and to
// results, never copies them.
type state struct {
	init    Init
	started time.Time
	at      time.Time // of the last event; never goes back
	status  Status
	phase   phase

	root *frame
	vars map[string]any // replaced whole by each set
	open []*action      // in the order in which they were opened

	began           bool // its inputs were right
	actions, visits int

	// Attempts are numbered from 1; after a Retried event from above any
	// number that was used before, so that no action id comes twice.
	base, highest int

	ending Finish // what the run will end with, once finally has run
	broken *step  // the step that failed first, or was open when it was cancelled

	trace   []TraceEntry
	dropped int
}

// phase is which of the two outermost blocks a run is in.
type phase int

const (
	inSteps phase = iota
	inFinally
	ended
)

// An action is one that is open: a command that was given and whose event has
// not come.
type action struct {
	id      string
	task    *task
	role    role
	since   time.Time
	command Command
}

// role says what a task has opened an action for.
type role int

const (
	roleBody    role = iota // the thing itself
	roleRetry               // the wait before the next attempt
	roleTimeout             // the watch over an attempt
)

// An OpenAction is one that a run waits for.
type OpenAction struct {
	Action  string    `json:"action"`
	Step    string    `json:"step"` // name of the step
	Since   time.Time `json:"since"`
	Command Command   `json:"command"` // as it was given
}

// Status says how the run stands.
func (r Run) Status() Status {
	if r.s == nil {
		return ""
	}
	return r.s.status
}

// Open returns the actions that the run waits for, oldest first.
func (r Run) Open() []OpenAction {
	if r.s == nil {
		return nil
	}
	list := make([]OpenAction, len(r.s.open))
	for i, a := range r.s.open {
		list[i] = OpenAction{Action: a.id, Step: a.task.step.name, Since: a.since, Command: a.command}
	}
	return list
}

// Finish returns what the run ended with, and whether it has ended.
func (r Run) Finish() (Finish, bool) {
	if r.s == nil || r.s.phase != ended {
		return Finish{}, false
	}
	return r.s.ending, true
}

// Start begins a run. It never fails: a run that cannot begin has failed.
func Start(p *Playbook, init Init, at time.Time) (Run, []Command) {
	s := &state{init: init, started: at, at: at, status: Running, root: &frame{}, vars: p.noVars}
	x := &exec{p: p, s: s}
	inputs, err := p.CheckInputs(init.Inputs)
	s.init.Inputs = inputs
	if err != nil {
		x.end(Finish{Status: RunFailed, Error: &Error{Kind: Invalid, Message: strings.ReplaceAll(err.Error(), "\n", "; ")}})
		return Run{s}, x.cmds
	}
	s.began = true
	b := &block{steps: p.steps, frame: s.root}
	x.climb(b, x.run(b))
	return Run{s}, x.cmds
}

// Step goes on with what happened. The error is of kind errs.Conflict when the
// event does not fit the run, because its action is not open (any more) or is
// of another sort, and of kind errs.Invalid when the answer is none of the
// question's. The run is then as it was. Step never fails on data: an
// expression that cannot cope with a result fails its step.
func Step(p *Playbook, r Run, e Event) (Run, []Command, error) {
	if r.s == nil {
		return r, nil, errs.E(errs.Conflict, "the run has not started")
	}
	s := r.s
	x := &exec{p: p, s: s}
	var err error
	switch {
	case e.Kind == Retried:
		err = x.retried(e)
	case s.phase == ended:
		err = errs.E(errs.Conflict, "the run has ended")
	case e.Kind == Cancelled:
		x.clock(e)
		x.cancelled(e)
	default:
		err = x.event(&e)
	}
	return r, x.cmds, err
}

// clock takes the time of an event. A clock that went back stands still.
func (x *exec) clock(e Event) {
	if e.At.After(x.s.at) {
		x.s.at = e.At
	}
}

// event goes on with an event for an open action.
func (x *exec) event(e *Event) error {
	s := x.s
	i := slices.IndexFunc(s.open, func(a *action) bool { return a.id == e.Action })
	if i < 0 {
		return errs.E(errs.Conflict, "the action %q is not open", clip(e.Action))
	}
	a := s.open[i]
	if err := fits(a, e); err != nil {
		return err
	}
	x.clock(*e)
	s.open = slices.Delete(s.open, i, i+1)
	t := a.task
	var o outcome
	switch a.role {
	case roleTimeout:
		t.timer = false
		o = x.settle(t, fail(&Error{Kind: Timeout, Message: fmt.Sprintf("no end after %s", Span(t.step.timeout)), Step: x.id(t)}))
	case roleRetry:
		o = x.attempt(t)
	default:
		o = x.settle(t, t.step.body.resume(x, t, e))
	}
	x.leave(t, o)
	return nil
}

// fits reports an event that cannot happen to an action.
func fits(a *action, e *Event) error {
	var kinds []EventKind
	switch c := a.command.(type) {
	case Call:
		kinds = []EventKind{Finished, Errored}
	case Ask:
		kinds = []EventKind{Answered, Expired, Errored}
		if e.Kind == Answered && !slices.ContainsFunc(c.Question.Answers, func(x Answer) bool { return x.Value == e.Answer }) {
			return errs.E(errs.Invalid, "%q is not an answer to the question", clip(e.Answer))
		}
		if e.Kind == Expired && c.Question.Expire == nil {
			return errs.E(errs.Conflict, "the question has no deadline")
		}
	case Wait:
		kinds = []EventKind{Fired}
	case Await:
		kinds = []EventKind{Arrived, Errored}
		if !c.Until.IsZero() {
			kinds = append(kinds, Fired)
		}
	case Play:
		kinds = []EventKind{Ended, Errored}
	}
	if !slices.Contains(kinds, e.Kind) {
		return errs.E(errs.Conflict, "the action %q cannot be %s", clip(e.Action), clip(string(e.Kind)))
	}
	return nil
}

// cancelled ends the run at a person's wish: at once when it is in finally. A
// run that had failed by then stays so.
func (x *exec) cancelled(e Event) {
	s := x.s
	if len(s.open) > 0 && s.broken == nil {
		s.broken = s.open[0].task.step
	}
	x.withdraw(nil)
	message := e.Reason
	if message == "" && e.By != "" {
		message = "by " + e.By
	}
	if s.ending.Status != RunFailed {
		s.ending = Finish{Status: WasCancelled, Message: message}
	}
	if s.phase == inFinally {
		x.finish()
		return
	}
	x.finally()
}
