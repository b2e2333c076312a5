package playbook

import (
	"fmt"
	"maps"
	"strconv"
)

// setBody gives variables their values. All are evaluated before any changes.
type setBody struct {
	leaf
	composite
	values *tree
}

func (b *setBody) begin(x *exec, t *task) outcome {
	values, err := x.args(b.values, "set", t)
	if err != nil {
		return fail(err)
	}
	vars := make(map[string]any, len(x.s.vars))
	maps.Copy(vars, x.s.vars)
	maps.Copy(vars, values)
	x.s.vars = vars
	return ok(values)
}

// ifBody runs then or else.
type ifBody struct {
	composite
	when *program
}

func (b *ifBody) begin(x *exec, t *task) outcome {
	yes, err := x.bool(b.when, t)
	if err != nil {
		return fail(err)
	}
	branch := 1
	if yes {
		branch = 0
	}
	x.chose(t, b.when.src, yes, t.step.labels[branch])
	return x.run(x.block(t, t.step.blocks[branch], branch, t.block.frame))
}

func (b *ifBody) next(_ *exec, _ *task, _ *block, o outcome) outcome { return o }

// switchBody runs the case that the value names, or default.
type switchBody struct {
	composite
	on    *program
	cases map[string]int
}

func (b *switchBody) begin(x *exec, t *task) outcome {
	v, err := x.value(b.on, "switch", t)
	if err != nil {
		return fail(err)
	}
	branch, found := b.cases[caseOf(v)]
	if !found {
		branch = len(t.step.blocks) - 1
	}
	x.chose(t, b.on.src, v, t.step.labels[branch])
	return x.run(x.block(t, t.step.blocks[branch], branch, t.block.frame))
}

func (b *switchBody) next(_ *exec, _ *task, _ *block, o outcome) outcome { return o }

// caseOf is the value as the key of a case reads in the document.
func caseOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return compact(v)
	}
}

// eachBody runs its steps for each item of a list, some at a time.
type eachBody struct {
	composite
	list     *program // one of list and items
	items    *tree
	collect  *program
	parallel int
}

// eachState is what an each keeps in its task.
type eachState struct {
	items   []any
	next    int // the first item that has not begun
	running int
	err     *Error // of the first item that failed
	results []any
}

func (b *eachBody) begin(x *exec, t *task) outcome {
	var v any
	var err *Error
	if b.list != nil {
		v, err = x.value(b.list, "each", t)
		x.chose(t, b.list.src, v, "")
	} else {
		v, err = x.tree(b.items, "each", t)
	}
	if err != nil {
		return fail(err)
	}
	items, isList := v.([]any)
	switch {
	case !isList && v != nil:
		return fail(&Error{Kind: Expression, Message: "each: expected a list, got " + typeOf(v)})
	case len(items) > maxItems:
		return fail(&Error{Kind: Invalid, Message: fmt.Sprintf("each: the list has %d items, %d are allowed", len(items), maxItems)})
	}
	st := &eachState{items: items}
	if b.collect != nil {
		st.results = make([]any, len(items))
	}
	t.each = st
	return b.fill(x, t, st)
}

// fill begins items until enough are running, and ends the step when none is.
func (b *eachBody) fill(x *exec, t *task, st *eachState) outcome {
	for st.err == nil && st.running < b.parallel && st.next < len(st.items) {
		i := st.next
		st.next++
		f := &frame{outer: t.block.frame, each: t.step, item: st.items[i], index: i}
		bl := x.block(t, t.step.blocks[0], i, f)
		bl.prefix, bl.keyPrefix = x.id(t)+"["+strconv.Itoa(i)+"].", t.block.keyPrefix+t.step.name+"["+strconv.Itoa(i)+"]."
		st.running++
		if o := x.run(bl); o.progress == halted {
			return o
		} else if o.progress != waiting {
			b.finished(x, t, st, bl, o)
		}
	}
	switch {
	case st.err != nil && (st.running == 0 || !x.handledAbove(t, st.err)):
		return fail(st.err)
	case st.running > 0:
		return outcome{progress: waiting}
	}
	result := map[string]any{"count": int64(len(st.items)), "results": nil}
	if b.collect != nil {
		result["results"] = st.results
	}
	return ok(result)
}

// finished takes the result of one item.
func (b *eachBody) finished(x *exec, t *task, st *eachState, bl *block, o outcome) {
	st.running--
	if o.progress == done && b.collect != nil {
		v, err := x.value(b.collect, "collect", &task{step: t.step, block: bl})
		if err != nil {
			o = fail(err)
		}
		st.results[bl.branch] = v
	}
	if o.progress == failed && st.err == nil {
		st.err = o.err
	}
}

func (b *eachBody) next(x *exec, t *task, bl *block, o outcome) outcome {
	b.finished(x, t, t.each, bl, o)
	return b.fill(x, t, t.each)
}

// parallelBody runs all its branches at the same time.
type parallelBody struct{ composite }

// parallelState is what a parallel keeps in its task.
type parallelState struct {
	running int
	err     *Error // of the first branch that failed
}

func (parallelBody) begin(x *exec, t *task) outcome {
	st := &parallelState{running: len(t.step.blocks)}
	t.fork = st
	for i, steps := range t.step.blocks {
		o := x.run(x.block(t, steps, i, t.block.frame))
		if o.progress == waiting {
			continue
		}
		if o.progress == halted {
			return o
		}
		if o = st.finished(x, t, o); o.progress == failed {
			return o
		}
	}
	return st.outcome()
}

func (parallelBody) next(x *exec, t *task, _ *block, o outcome) outcome {
	st := t.fork
	if o = st.finished(x, t, o); o.progress == failed {
		return o
	}
	return st.outcome()
}

// finished takes the end of one branch. A failure that nothing around catches
// fails the step at once. One that something catches waits for the other
// branches, so that no question in them is passed over.
func (st *parallelState) finished(x *exec, t *task, o outcome) outcome {
	st.running--
	if o.progress == failed {
		if st.err == nil {
			st.err = o.err
		}
		if !x.handledAbove(t, o.err) {
			return o
		}
	}
	return ok(nil)
}

func (st *parallelState) outcome() outcome {
	switch {
	case st.running > 0:
		return outcome{progress: waiting}
	case st.err != nil:
		return fail(st.err)
	}
	return ok(nil)
}

// stopBody ends the run.
type stopBody struct {
	leaf
	composite
	status  Status
	message *text
}

func (b *stopBody) begin(x *exec, t *task) outcome {
	message, err := x.text(b.message, "stop.message", t)
	if err != nil {
		return fail(err)
	}
	f := Finish{Status: b.status, Message: message}
	switch {
	case b.status == "":
		f.Status = Stopped
	case b.status == OK && x.asking():
		f.Status = Stopped // never ok with a question open
	case b.status == RunFailed:
		if message == "" {
			message = "stopped"
		}
		f.Error = &Error{Kind: Failed, Message: message, Step: x.id(t)}
		x.s.broken = t.step
	}
	x.s.ending = f
	x.ran(t, TraceOK, nil, nil)
	return outcome{progress: halted}
}

// asking reports whether a question is open.
func (x *exec) asking() bool {
	for _, a := range x.s.open {
		if _, asks := a.command.(Ask); asks {
			return true
		}
	}
	return false
}
