package playbook

import (
	"fmt"
	"strconv"
)

// exec is one call of Start or Step at work.
type exec struct {
	p    *Playbook
	s    *state
	cmds []Command
}

// A frame holds the results of the steps of one region: those of the playbook,
// or of one iteration of an each.
type frame struct {
	outer   *frame
	each    *step // nil for the root
	item    any
	index   int
	results []map[string]any // by slot; nil until there is one
}

// A block is a list of steps that is being run, one after the other.
type block struct {
	steps   []*step
	next    int
	owner   *task // nil for the two outermost
	branch  int   // of the owner; of an each the number of the item
	handler bool  // the on_error of the owner
	frame   *frame

	// In front of the names of its steps: hosts[3]. and the same without the
	// marks of attempts, for keys.
	prefix, keyPrefix string
}

// A task is one step that is being run.
type task struct {
	step    *step
	block   *block
	attempt int
	mark    int // number of the attempt in ids
	timer   bool
	err     *Error         // what on_error is about
	entry   int            // in the trace, from 1; 0: none
	each    *eachState     // what an each keeps between events
	fork    *parallelState // what a parallel keeps
}

// run goes on with a block until a step waits, fails or the block ends.
func (x *exec) run(b *block) outcome {
	for b.next < len(b.steps) {
		s := b.steps[b.next]
		b.next++
		if o := x.enter(s, b); o.progress != done {
			return o
		}
	}
	return ok(nil)
}

// climb takes what came of a block up to the step around it, and from there on
// until something waits or the run ends.
func (x *exec) climb(b *block, o outcome) {
	for o.progress == done || o.progress == failed {
		if b.owner == nil {
			x.ended(o)
			return
		}
		t := b.owner
		if !b.handler { // what comes of on_error comes of its step
			o = x.settle(t, t.step.body.next(x, t, b, o))
		}
		if b = t.block; o.progress == done {
			o = x.run(b)
		}
	}
	if o.progress == halted {
		x.withdraw(nil)
		x.finally()
	}
}

// leave takes what came of a task to the rest of its block.
func (x *exec) leave(t *task, o outcome) {
	if o.progress == done {
		o = x.run(t.block)
	}
	x.climb(t.block, o)
}

// enter begins a step: its condition, then the first attempt.
func (x *exec) enter(s *step, b *block) outcome {
	x.s.visits++
	t := &task{step: s, block: b}
	if most := maxVisits + x.spare(); x.s.visits > most {
		return x.settle(t, fail(limit("the run has more than %d steps", most)))
	}
	if s.guard != nil {
		yes, err := x.bool(s.guard, t)
		if err != nil {
			x.begun(t)
			return x.settle(t, fail(err))
		}
		if !yes {
			x.skip(t)
			return ok(nil)
		}
	}
	return x.attempt(t)
}

// attempt begins an attempt of a task.
func (x *exec) attempt(t *task) outcome {
	t.attempt++
	t.mark = t.attempt + x.s.base
	x.s.highest = max(x.s.highest, t.mark)
	if t.attempt > 1 {
		t.block.frame.clear(t.step.slot, t.step.end)
	}
	x.begun(t)
	o := t.step.body.begin(x, t)
	if o.progress == waiting && t.step.timeout > 0 {
		t.timer = true
		x.open(t, roleTimeout, Wait{Action: x.id(t) + ":timeout", Until: x.s.at.Add(t.step.timeout)})
	}
	return x.settle(t, o)
}

// settle decides what an attempt means for its step.
func (x *exec) settle(t *task, o outcome) outcome {
	switch o.progress {
	case done:
		x.stopTimer(t)
		x.ran(t, TraceOK, o.result, nil)
		x.store(t, outcomeOK, o.result, nil)
	case failed:
		if o.err.Step == "" {
			o.err.Step = x.id(t)
		}
		x.withdraw(t)
		x.ran(t, TraceFailed, nil, o.err)
		return x.failed(t, o.err)
	case waiting, halted:
	}
	return o
}

// failed tries again, or does what on_error says.
func (x *exec) failed(t *task, err *Error) outcome {
	s := t.step
	if s.retry.again(t.attempt, err) {
		t.mark++
		until := x.s.at.Add(s.retry.delay(x.s.init.Run, x.id(t), t.attempt, err))
		x.open(t, roleRetry, Wait{Action: x.id(t) + ":retry", Until: until})
		return outcome{progress: waiting}
	}
	x.store(t, outcomeFailed, nil, err)
	then := s.onError
	if err.Kind == Limit {
		then = onErrorStop
	}
	switch then {
	case onErrorContinue:
		return ok(nil)
	case onErrorSteps:
		t.err = err
		b := x.block(t, s.handler, -1, t.block.frame)
		b.handler = true
		return x.run(b)
	case onErrorStop:
	}
	if x.s.broken == nil {
		x.s.broken = s
	}
	return fail(err)
}

// handledAbove reports whether a failure of t would be caught by t or by a
// step around it.
func (x *exec) handledAbove(t *task, err *Error) bool {
	if err.Kind == Limit {
		return false
	}
	for inHandler := false; t != nil; inHandler, t = t.block.handler, t.block.owner {
		if !inHandler && (t.step.onError != onErrorStop || t.step.retry.again(t.attempt, err)) {
			return true
		}
	}
	return false
}

// block makes a block of a task.
func (x *exec) block(t *task, steps []*step, branch int, f *frame) *block {
	b := &block{steps: steps, owner: t, branch: branch, frame: f, prefix: t.block.prefix, keyPrefix: t.block.keyPrefix}
	if t.attempt > 1 && branch >= 0 {
		b.prefix = x.id(t) + "."
	}
	return b
}

// id is the path of the current attempt: hosts[3].contain#2.
func (x *exec) id(t *task) string {
	if t.mark <= 1 {
		return t.block.prefix + t.step.name
	}
	return t.block.prefix + t.step.name + "#" + strconv.Itoa(t.mark)
}

// key is the same for all attempts.
func (x *exec) key(t *task) string {
	return x.s.init.Run + "/" + t.block.keyPrefix + t.step.name
}

// ended goes on when one of the outermost blocks has ended.
func (x *exec) ended(o outcome) {
	s := x.s
	f := Finish{Status: OK}
	if o.progress == failed {
		f = Finish{Status: RunFailed, Error: o.err}
	}
	if s.phase == inSteps {
		x.end(f)
		return
	}
	if o.progress == failed && (s.ending.Status == OK || s.ending.Status == Stopped) {
		s.ending = f
	}
	x.finish()
}

// end has the run end so, after finally.
func (x *exec) end(f Finish) {
	x.withdraw(nil)
	if f.Status == OK && x.p.output != nil {
		v, err := x.tree(x.p.output, "output", &task{block: &block{frame: x.s.root}})
		if err != nil {
			f = Finish{Status: RunFailed, Error: err}
		}
		f.Output = v
	}
	x.s.ending = f
	x.finally()
}

// finally runs the steps that come at the end, and finishes.
func (x *exec) finally() {
	if x.s.phase == inSteps && len(x.p.finally) > 0 {
		x.s.phase = inFinally
		b := &block{steps: x.p.finally, frame: x.s.root}
		x.climb(b, x.run(b))
		return
	}
	x.finish()
}

func (x *exec) finish() {
	s := x.s
	x.withdraw(nil)
	x.closeTrace()
	s.phase, s.status = ended, s.ending.Status
	x.cmds = append(x.cmds, s.ending)
}

// set stores the result of a step in its frame.
func (f *frame) set(s *step, size int, result map[string]any) {
	if f.results == nil {
		f.results = make([]map[string]any, size)
	}
	f.results[s.slot] = result
}

// clear forgets the results of a range of slots.
func (f *frame) clear(from, to int) {
	if f.results != nil {
		clear(f.results[from:to])
	}
}

// of returns the frame of the region that a step belongs to.
func (f *frame) of(region *step) *frame {
	for f != nil && f.each != region {
		f = f.outer
	}
	return f
}

// limit is the error of a run that has done too much. Nothing catches it.
func limit(format string, args ...any) *Error {
	return &Error{Kind: Limit, Message: fmt.Sprintf(format, args...)}
}

// spare is what finally may do beyond the limits, which the steps before it
// may have used up.
func (x *exec) spare() int {
	if x.s.phase == inFinally {
		return maxFinally
	}
	return 0
}
