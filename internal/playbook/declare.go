package playbook

import (
	"fmt"
	"slices"
	"strconv"
)

// declare makes the steps of a block, and of the blocks inside it, with their
// names, kinds and slots. Expressions are compiled later, when all names are
// known.
func (c *compiler) declare(specs []stepSpec, path string, parent *step, branch, depth int) []*step {
	if depth > maxDepth {
		c.hinted(path, "move the inner steps to a playbook of their own and play it", "steps nest deeper than %d", maxDepth)
		return nil
	}
	steps := make([]*step, 0, len(specs))
	for i := range specs {
		s := &step{
			spec: &specs[i], path: path + "[" + strconv.Itoa(i) + "]",
			parent: parent, branch: branch, index: len(c.all),
		}
		if parent != nil {
			s.region = parent.region
			if parent.kind == kindEach && branch >= 0 {
				s.region = parent
			}
		}
		s.slot = c.slots[s.region]
		c.slots[s.region]++
		if len(c.all) == maxSteps {
			c.issue(s.path, "the playbook has more than %d steps", maxSteps)
		}
		c.all = append(c.all, s)
		c.identify(s)
		c.declareBlocks(s, depth)
		s.end = c.slots[s.region]
		if s.kind == kindEach {
			s.slots = c.slots[s]
		}
		steps = append(steps, s)
	}
	return steps
}

// identify finds out what a step is, and names it.
func (c *compiler) identify(s *step) {
	sp := s.spec
	kinds := sp.kinds()
	switch {
	case len(kinds) == 1:
		s.kind = kinds[0]
	case len(kinds) == 0 && sp.If != nil:
		c.hinted(s.path, "add then:, or the key that says what to do", "the step has a condition but nothing to do")
	case len(kinds) == 0:
		c.hinted(s.path, "one of call, ask, set, if, switch, each, parallel, wait, play, stop", "the step does nothing")
	default:
		c.hinted(s.path, "make two steps of it", "a step does one thing; this one has both %s and %s", kinds[0], kinds[1])
		s.kind = kinds[0]
	}
	s.id, s.name = sp.ID, sp.ID
	if s.kind == kindEach {
		if s.as = sp.As; s.as == "" {
			s.as = "item"
		}
	}
	if s.id == "" {
		c.unnamed[s.kind]++
		s.name = fmt.Sprintf("%s-%d", s.kind, c.unnamed[s.kind])
		return
	}
	c.checkName(s.path+".id", "a step", s.id)
	if other, twice := c.byID[s.id]; twice {
		c.issue(s.path+".id", "two steps have the id %q; the other is %s", s.id, other.path)
	}
	c.byID[s.id] = s
}

// kinds returns the kinds whose key is set.
func (sp *stepSpec) kinds() []kind {
	var list []kind
	for _, k := range []struct {
		set  bool
		kind kind
	}{
		{sp.Call != nil, kindCall},
		{sp.Ask != nil, kindAsk},
		{sp.Set != nil, kindSet},
		{sp.Then != nil || sp.Else != nil, kindIf},
		{sp.Switch != nil, kindSwitch},
		{sp.Each != nil, kindEach},
		{sp.Parallel != nil && sp.Each == nil, kindParallel},
		{sp.Wait != nil, kindWait},
		{sp.Play != nil, kindPlay},
		{sp.Stop != nil, kindStop},
	} {
		if k.set {
			list = append(list, k.kind)
		}
	}
	return list
}

// declareBlocks declares the steps inside a step, and refuses keys that do not
// go with its kind.
func (c *compiler) declareBlocks(s *step, depth int) {
	sp := s.spec
	add := func(label, key string, specs []stepSpec) {
		s.labels = append(s.labels, label)
		s.blocks = append(s.blocks, c.declare(specs, s.path+key, s, len(s.blocks), depth+1))
	}
	switch s.kind {
	case kindSet:
		for name := range sp.Set {
			c.varNames[name] = true
		}
	case kindIf:
		add("then", ".then", deref(sp.Then))
		add("else", ".else", deref(sp.Else))
	case kindSwitch:
		for _, e := range sp.Cases {
			add(e.name, ".cases"+pathKeyIn(e.name), e.value)
		}
		add("default", ".default", deref(sp.Default))
	case kindEach:
		add("do", ".do", sp.Do)
	case kindParallel:
		for _, e := range sp.Parallel.branches {
			add(e.name, ".parallel"+pathKeyIn(e.name), e.value)
		}
	case kindCall, kindAsk, kindWait, kindPlay, kindStop:
	}
	if h := sp.OnError; h != nil {
		switch {
		case h.carryOn:
			s.onError = onErrorContinue
		case h.handled:
			s.onError = onErrorSteps
			s.handler = c.declare(h.steps, s.path+".on_error", s, -1, depth+1)
		}
	}
	c.strayKeys(s)
}

// pathKeyIn is the name of a branch as the end of a path: .name or ["a b"] or [0].
func pathKeyIn(name string) string {
	if len(name) > 0 && name[0] == '[' {
		return name
	}
	return pathKey("x", name)[1:]
}

// strayKeys refuses keys that mean nothing for the kind of a step.
func (c *compiler) strayKeys(s *step) {
	sp := s.spec
	for _, k := range []struct {
		key   string
		set   bool
		kinds []kind
	}{
		{"connection", sp.Connection != "", []kind{kindCall}},
		{"with", sp.With != nil, []kind{kindCall, kindPlay}},
		{"cases", sp.Cases != nil, []kind{kindSwitch}},
		{"default", sp.Default != nil, []kind{kindSwitch}},
		{"as", sp.As != "", []kind{kindEach}},
		{"do", sp.Do != nil, []kind{kindEach}},
		{"collect", sp.Collect != nil, []kind{kindEach}},
	} {
		if k.set && s.kind != "" && !slices.Contains(k.kinds, s.kind) {
			c.hinted(s.path+"."+k.key, fmt.Sprintf("it belongs to %s", k.kinds[0]), "%s means nothing in a step that does %s", k.key, s.kind)
		}
	}
	if s.kind == kindStop && (sp.Retry != nil || sp.Timeout != 0 || sp.OnError != nil) {
		c.issue(s.path, "stop cannot fail, so it has no retry, timeout or on_error")
	}
	if s.kind == kindIf && sp.If == nil {
		c.hinted(s.path, "add if:", "then and else need a condition")
	}
	if s.kind == kindStop && from(s).root() == 1 {
		c.issue(s.path, "finally cannot stop the run: it is ending already")
	}
}

func deref(steps *[]stepSpec) []stepSpec {
	if steps == nil {
		return nil
	}
	return *steps
}
