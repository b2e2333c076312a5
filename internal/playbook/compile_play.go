package playbook

import (
	"slices"
	"strings"

	"beffroi.dev/internal/document"
)

func (c *compiler) play(s *step) body {
	name := *s.spec.Play
	id := document.ID{Kind: "playbook", Name: name}
	b := &playBody{name: name}
	if c.exists(s.path+".play", id) {
		c.playInputs(s, id)
	}
	if len(s.spec.With) > 0 {
		b.with = c.tree(s.path+".with", s.spec.With, from(s))
	}
	return b
}

// playInputs checks what is given to a playbook against what it declares.
func (c *compiler) playInputs(s *step, id document.ID) {
	var other Spec
	if c.in[id].Decode(&other) != nil {
		return // its own compilation says what is wrong
	}
	for _, name := range sortedKeys(s.spec.With) {
		in, ok := other.Inputs[name]
		if !ok {
			c.hinted(pathKey(s.path+".with", name), suggestOrList(name, sortedKeys(other.Inputs)), "%s has no input %q", id, clip(name))
			continue
		}
		v := s.spec.With[name]
		if src, isText := v.(string); isText && strings.Contains(src, "${{") {
			continue
		}
		if why := (Input{Type: in.Type}).typeError(v); why != "" && v != nil {
			c.issue(pathKey(s.path+".with", name), "%s", why)
		}
	}
	for _, name := range sortedKeys(other.Inputs) {
		if _, given := s.spec.With[name]; other.Inputs[name].Required && !given {
			c.issue(s.path+".with", "%s needs the input %q", id, name)
		}
	}
}

// noCycle refuses playbooks that play themselves, directly or through others.
func (c *compiler) noCycle() {
	seen := map[string]bool{}
	var visit func(specs []stepSpec, way []string) []string
	visit = func(specs []stepSpec, way []string) []string {
		for _, name := range plays(specs) {
			here := append(slices.Clip(way), name)
			if name == c.doc.Name {
				return here
			}
			var other Spec
			d, ok := c.in[document.ID{Kind: "playbook", Name: name}]
			if !ok || seen[name] || d.Decode(&other) != nil {
				continue
			}
			seen[name] = true
			if loop := visit(slices.Concat(other.Steps, other.Finally), here); loop != nil {
				return loop
			}
		}
		return nil
	}
	if loop := visit(slices.Concat(c.spec.Steps, c.spec.Finally), []string{c.doc.Name}); loop != nil {
		c.issue("steps", "the playbook plays itself: %s", strings.Join(loop, " → "))
	}
}

// plays returns the names of all playbooks that steps play.
func plays(specs []stepSpec) []string {
	var names []string
	for i := range specs {
		sp := &specs[i]
		if sp.Play != nil {
			names = append(names, *sp.Play)
		}
		blocks := [][]stepSpec{deref(sp.Then), deref(sp.Else), deref(sp.Default), sp.Do}
		for _, e := range sp.Cases {
			blocks = append(blocks, e.value)
		}
		if sp.Parallel != nil {
			for _, e := range sp.Parallel.branches {
				blocks = append(blocks, e.value)
			}
		}
		if sp.OnError != nil {
			blocks = append(blocks, sp.OnError.steps)
		}
		for _, b := range blocks {
			names = append(names, plays(b)...)
		}
	}
	return names
}
