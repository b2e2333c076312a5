package playbook

import (
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
)

// retried starts a run that has failed or was cancelled again, from a step on.
// The results of the steps before it stay; variables keep the values that they
// had at the end. Every action has a new id; keys are as before.
func (x *exec) retried(e Event) error {
	s := x.s
	switch {
	case s.phase != ended:
		return errs.E(errs.Conflict, "the run has not ended")
	case s.status != RunFailed && s.status != WasCancelled:
		return errs.E(errs.Conflict, "the run is %s: only one that failed or was cancelled can be retried", s.status)
	case !s.began:
		return errs.E(errs.Conflict, "the run never began: start another one")
	}
	way, err := x.way(e.Step)
	if err != nil {
		return err
	}
	x.clock(e)
	s.phase, s.status, s.ending, s.broken = inSteps, Running, Finish{}, nil
	s.base, s.actions, s.visits = s.highest, 0, 0
	target := way[len(way)-1]
	s.root.clear(target.slot, x.p.slots)
	b := &block{steps: x.p.steps, frame: s.root}
	for _, st := range way[:len(way)-1] {
		b = x.reenter(st, b, target)
	}
	b.next = slices.Index(b.steps, target) + 1
	o := x.enter(target, b)
	if o.progress == done {
		o = x.run(b)
	}
	x.climb(b, o)
	return nil
}

// way returns the steps from the outside to the one where a run begins again.
// That is the step named or, when it stands inside an each, a parallel or an
// on_error, the outermost such step.
func (x *exec) way(name string) ([]*step, error) {
	st := x.s.broken
	if name != "" {
		st = x.p.byName[stepName(name)]
	}
	switch {
	case st == nil && name == "":
		return nil, errs.E(errs.Invalid, "no step has failed: name the one to begin at")
	case st == nil:
		return nil, errs.Hint(errs.Invalid, errs.Suggest(name, sortedKeys(x.p.byName)), "%s has no step %q", x.p.Name, clip(name))
	}
	if from(st).root() == 1 {
		return nil, errs.Hint(errs.Invalid, "name a step before it", "the step %q is in finally", st.name)
	}
	var way []*step
	for cur := st; cur != nil; cur = cur.parent {
		way = append(way, cur)
		if cur.branch == -1 || cur.parent != nil && (cur.parent.kind == kindEach || cur.parent.kind == kindParallel) {
			way = way[:0] // begin at the parent, as a whole
		}
	}
	slices.Reverse(way)
	return way, nil
}

// stepName is the name of the outermost step of an action id:
// hosts#2[3].contain#2:retry → hosts.
func stepName(id string) string {
	if i := strings.IndexAny(id, "#[:."); i >= 0 {
		return id[:i]
	}
	return id
}

// reenter takes up an if or a switch again, in the branch that leads to the
// target.
func (x *exec) reenter(st *step, b *block, target *step) *block {
	b.next = slices.Index(b.steps, st) + 1
	t := &task{step: st, block: b, attempt: 1, mark: 1 + x.s.base}
	x.s.highest = max(x.s.highest, t.mark)
	x.begun(t)
	branch := 0
	for cur := target; cur != st; cur = cur.parent {
		branch = cur.branch
	}
	x.chose(t, "", nil, st.labels[branch])
	if st.timeout > 0 {
		t.timer = true
		x.open(t, roleTimeout, Wait{Action: x.id(t) + ":timeout", Until: x.s.at.Add(st.timeout)})
	}
	return x.block(t, st.blocks[branch], branch, b.frame)
}
