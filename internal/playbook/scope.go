package playbook

import (
	"maps"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// roots are the names that expressions of steps know. index and error exist
// in some places only.
var roots = []string{"alert", "case", "inputs", "vars", "steps", "run", "trigger", "now", "index", "error"}

// A view is a place in a playbook from which an expression looks at steps: in
// a block of parent, before the step of that index.
type view struct {
	parent *step
	branch int
	index  int
}

// from is the view of a step's own expressions.
func from(s *step) view { return view{s.parent, s.branch, s.index} }

// inside is the view from the end of a block of a step.
func inside(s *step, branch int) view { return view{s, branch, 1 << 30} }

// atEnd is the view of a playbook's output.
var atEnd = view{nil, 0, 1 << 30}

// hidden says why a view cannot refer to a step, or "" when it can: the step
// has ended by then, or was left out, in every way that a run can come there.
func (v view) hidden(t *step) string {
	var each *step
	for cur := t; ; cur = cur.parent {
		if via, branch, found := v.through(cur.parent, cur.branch); found {
			return hiddenIn(cur, t, each, via, branch)
		}
		if cur.parent == nil { // one in steps, the other in finally
			if v.root() == 0 {
				return "it runs at the very end, in finally"
			}
			return insideEach(each)
		}
		if cur.parent.kind == kindEach && cur.branch >= 0 {
			each = cur.parent
		}
	}
}

// hiddenIn decides when cur, around t, stands in the same block as via, around
// the view. branch is the block of via that the view is in.
func hiddenIn(cur, t, each *step, via int, branch int) string {
	switch {
	case cur.index < via:
		return insideEach(each)
	case cur.index > via:
		return "it comes later"
	case branch == -1: // the view is in on_error of cur
		return insideEach(each)
	case cur == t:
		return "that is this step itself, or one around it"
	case cur.kind == kindParallel:
		return "it runs at the same time, in another branch of " + cur.name
	default:
		return "it is in another branch of " + cur.name + ", and only one of them runs"
	}
}

func insideEach(each *step) string {
	if each == nil {
		return ""
	}
	return "it runs once for each item of " + each.name + "; give that step collect: and read steps." + each.name + ".results"
}

// through returns the index at which the view passes a block, and the branch
// that it takes below it.
func (v view) through(parent *step, branch int) (index, below int, ok bool) {
	below = -2
	for p, b, i := v.parent, v.branch, v.index; ; {
		if p == parent && b == branch {
			return i, below, true
		}
		if p == nil {
			return 0, 0, false
		}
		i, below = p.index, b
		p, b = p.parent, p.branch
	}
}

func (v view) root() int {
	for p, b := v.parent, v.branch; ; p, b = p.parent, p.branch {
		if p == nil {
			return b
		}
	}
}

// eaches returns the each steps around the view, innermost first.
func (v view) eaches() []*step {
	var list []*step
	for p, b := v.parent, v.branch; p != nil; p, b = p.parent, p.branch {
		if p.kind == kindEach && b >= 0 {
			list = append(list, p)
		}
	}
	return list
}

// hasError reports whether the view knows error: in on_error and in finally.
func (v view) hasError() bool {
	p, b := v.parent, v.branch
	for ; p != nil; p, b = p.parent, p.branch {
		if b == -1 {
			return true
		}
	}
	return b == 1
}

// needs are the values that an expression reads, so that only they are
// gathered when it is evaluated.
type needs struct {
	alert, kase, inputs, vars, run, trigger, now, index, err bool

	steps []*step
	items []*step // the each steps whose item it reads
}

// needsOf reads the paths of an expression. It reports steps that the view
// cannot refer to.
func (c *compiler) needsOf(s source, refs [][]string, v view) *needs {
	n := &needs{}
	c.checkCompared(s)
	for _, ref := range refs {
		switch ref[0] {
		case "alert":
			n.alert = true
		case "case":
			n.kase = true
		case "inputs":
			n.inputs = true
		case "vars":
			n.vars = true
		case "run":
			n.run = true
		case "trigger":
			n.trigger = true
		case "now":
			n.now = true
		case "index":
			n.index = true
		case "error":
			n.err = true
		case "steps":
			c.needStep(n, s, ref, v)
		default:
			for _, e := range v.eaches() {
				if e.as == ref[0] {
					n.items = append(n.items, e)
					break
				}
			}
		}
	}
	return n
}

func (c *compiler) needStep(n *needs, s source, ref []string, v view) {
	if len(ref) < 2 {
		c.refuse(s, "steps", "write steps.ID", "an expression names the steps that it reads")
		return
	}
	st := c.byID[ref[1]]
	if st == nil {
		return // the environment has refused it
	}
	if why := v.hidden(st); why != "" {
		var visible []string
		for id, other := range c.byID {
			if v.hidden(other) == "" {
				visible = append(visible, id)
			}
		}
		c.refuse(s, "steps."+st.id, errs.Suggest(st.id, visible), "steps."+st.id+" has no result here: "+why)
		return
	}
	if !slices.Contains(n.steps, st) {
		n.steps = append(n.steps, st)
	}
}

// env returns the environment of a view. All views that know the same names
// share one.
func (c *compiler) env(v view) *expr.Env {
	var extra []expr.Var
	for _, e := range v.eaches() {
		name := e.as
		if !slices.ContainsFunc(extra, func(x expr.Var) bool { return x.Name == name }) {
			extra = append(extra, expr.Var{Name: name, Type: expr.Dyn()})
		}
	}
	slices.SortFunc(extra, func(a, b expr.Var) int { return strings.Compare(a.Name, b.Name) })
	if len(extra) > 0 {
		extra = append(extra, expr.Var{Name: "index", Type: expr.Int()})
	}
	if v.hasError() {
		extra = append(extra, expr.Var{Name: "error", Type: errorType()})
	}
	var key strings.Builder
	for _, x := range extra {
		key.WriteString(x.Name + " ")
	}
	if e, ok := c.envs[key.String()]; ok {
		return e
	}
	e, err := expr.NewEnv(append(slices.Clip(c.vars), extra...)...)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	c.envs[key.String()] = e
	return e
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
