package playbook

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Simulation is what a run would do.
type Simulation struct {
	Status  Status         `json:"status"` // running when Problem ended it
	Output  any            `json:"output,omitempty"`
	Error   *Error         `json:"error,omitempty"`
	Message string         `json:"message,omitempty"`
	Took    Span           `json:"took"`
	Sent    []Sent         `json:"sent"` // calls, questions and plays, in order
	Waits   []Waited       `json:"waits,omitempty"`
	Vars    map[string]any `json:"vars,omitempty"`
	Steps   map[string]any `json:"steps,omitempty"` // results by id, but for those inside an each
	Assumed []string       `json:"assumed,omitempty"`
	Problem string         `json:"problem,omitempty"` // why it could not go on
	Trace   []TraceEntry   `json:"trace,omitempty"`
}

// Sent is one thing that leaves the machine.
type Sent struct {
	Action string `json:"action"`
	Step   string `json:"step"`
	Kind   string `json:"kind"` // call, ask or play
	Name   string `json:"name"` // of the operation or playbook; who is asked
	Input  any    `json:"input,omitempty"`
	After  Span   `json:"after"` // since the begin
}

// Waited is one wait of a wait step.
type Waited struct {
	Action string `json:"action"`
	Step   string `json:"step"`
	For    Span   `json:"for"`
}

// Simulate runs the real machine on what is given, without a network and in
// virtual time: timers fire at once, in order.
func Simulate(p *Playbook, init Init, given Given, at time.Time) Simulation {
	if init.Run == "" {
		init.Run = "run/0"
	}
	init.Trace = true
	sim := &simulator{p: p, given: given, used: map[string]int{}, began: at, now: at}
	var cmds []Command
	sim.run, cmds = Start(p, init, at)
	sim.perform(cmds)
	for sim.out.Problem == "" && sim.run.Status() == Running {
		if len(sim.queue) == 0 {
			open := sim.run.Open()
			sim.out.Problem = fmt.Sprintf("the run waits for ever at %s", open[0].Action)
			break
		}
		next := sim.queue[0]
		sim.queue, sim.now = sim.queue[1:], next.At
		var err error
		sim.run, cmds, err = Step(p, sim.run, next)
		if err == nil { // what was withdrawn meanwhile is refused, as in life
			sim.perform(cmds)
		}
	}
	return sim.result()
}

// simulator plays the world.
type simulator struct {
	p     *Playbook
	run   Run
	given Given
	used  map[string]int // results taken, by key of given
	began time.Time
	now   time.Time
	queue []Event // that will happen, in order
	out   Simulation
}

func (s *simulator) perform(cmds []Command) {
	for _, c := range cmds {
		s.command(c)
	}
}

func (s *simulator) command(c Command) {
	switch c := c.(type) {
	case Call:
		s.sent(c.Action, "call", c.Op, c.With)
		s.reply(c.Action, Event{Kind: Finished, Result: map[string]any{
			"status": int64(200), "headers": map[string]any{}, "body": map[string]any{},
		}})
	case Ask:
		s.sent(c.Action, "ask", c.Question.To, c.Question)
		s.reply(c.Action, Event{Kind: Answered, Answer: c.Question.Answers[0].Value})
		if e := c.Question.Expire; e != nil {
			s.happen(Event{Kind: Expired, Action: c.Action}, time.Duration(e.After))
		}
	case Play:
		s.sent(c.Action, "play", c.Playbook, c.Inputs)
		s.reply(c.Action, Event{Kind: Ended, Status: OK})
	case Wait:
		length := c.Until.Sub(s.now)
		if !strings.Contains(c.Action, ":") { // neither a retry nor a timeout
			s.out.Waits = append(s.out.Waits, Waited{c.Action, s.p.stepOf(c.Action).name, Span(length)})
		}
		s.happen(Event{Kind: Fired, Action: c.Action}, length)
	case Await:
		s.reply(c.Action, Event{Kind: Arrived, Result: map[string]any{}})
		if !c.Until.IsZero() {
			s.happen(Event{Kind: Fired, Action: c.Action}, c.Until.Sub(s.now))
		}
	}
}

func (s *simulator) sent(action, kind, name string, input any) {
	s.out.Sent = append(s.out.Sent, Sent{
		Action: action, Step: s.p.stepOf(action).name, Kind: kind, Name: name, Input: input, After: Span(s.now.Sub(s.began)),
	})
}

// happen queues an event.
func (s *simulator) happen(e Event, after time.Duration) {
	e.At = s.now.Add(after)
	at, _ := slices.BinarySearchFunc(s.queue, e.At, func(q Event, at time.Time) int {
		if q.At.After(at) {
			return 1
		}
		return -1 // behind those of the same time
	})
	s.queue = slices.Insert(s.queue, at, e)
}

// reply queues what was given for an action, or what is assumed.
func (s *simulator) reply(action string, assumed Event) {
	st := s.p.stepOf(action)
	key := action
	given, has := s.given.Steps[key]
	if !has {
		key = st.name
		given, has = s.given.Steps[key]
	}
	switch {
	case has:
		s.replyWith(action, key, st, given)
	case s.given.Assume:
		s.out.Assumed = append(s.out.Assumed, action)
		assumed.Action = action
		s.happen(assumed, 0)
	default:
		s.problem("the step %s (%s) is given no result; add to given.steps: %s: %s", action, st.kind, st.name, shapes[st.kind])
	}
}

func (s *simulator) replyWith(action, key string, st *step, given any) {
	list, single, err := st.replies(given)
	if err != nil {
		s.problem("given.steps.%s: %s", key, err)
		return
	}
	n := s.used[key]
	s.used[key]++
	if single {
		n = 0
	}
	if n >= len(list) {
		s.problem("given.steps.%s lists %d of the results that the step needs; add one: %s", key, len(list), shapes[st.kind])
		return
	}
	if r := list[n]; !r.silent {
		r.event.Action = action
		s.happen(r.event, r.after)
	}
}

func (s *simulator) problem(format string, args ...any) {
	if s.out.Problem == "" {
		s.out.Problem = fmt.Sprintf(format, args...)
	}
}

func (s *simulator) result() Simulation {
	out, st := s.out, s.run.s
	f, _ := s.run.Finish()
	out.Status, out.Output, out.Error, out.Message = s.run.Status(), f.Output, f.Error, f.Message
	out.Took, out.Vars, out.Steps = Span(s.now.Sub(s.began)), st.vars, map[string]any{}
	for _, step := range s.p.byName {
		if step.id != "" && step.region == nil {
			out.Steps[step.id] = st.root.result(step)
		}
	}
	out.Trace, _ = s.run.Trace()
	return out
}

// stepOf returns the step that an action id is of: hosts[3].contain#2:retry is
// of contain.
func (p *Playbook) stepOf(action string) *step { return p.byName[lastName(action)] }
