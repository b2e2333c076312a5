package alert

import (
	"strconv"
	"strings"

	"beffroi.dev/internal/expr"
)

// A node is a compiled value of a mapping.
type node interface {
	// eval returns the value, or nil when there is none; what goes wrong is a
	// problem of the evaluation.
	eval(e *evaluation) any
}

// An evaluation is the work on one event.
type evaluation struct {
	normaliser
	vars map[string]any
}

type (
	literal struct{ value any }
	program struct {
		at  string // path in the document, for problems
		run *expr.Program
	}
	template struct {
		at  string
		run *expr.Template
	}
	// plain is a path such as event.actor.id that may lead nowhere. Most of
	// what a mapping says is such, so it goes without CEL.
	plain struct {
		root string
		path []any // string: key; int: index
	}
	branch struct {
		keys  []string
		nodes []node
	}
	items []node
	// first is a list where one value belongs: the first that is there.
	first []node
)

func (n literal) eval(*evaluation) any { return n.value }

func (n program) eval(e *evaluation) any {
	v, err := n.run.Eval(e.vars)
	if err != nil {
		e.problem(n.at, "%v", err)
	}
	return v
}

func (n template) eval(e *evaluation) any {
	v, err := n.run.Eval(e.vars)
	if err != nil {
		e.problem(n.at, "%v", err)
	}
	return v
}

func (n plain) eval(e *evaluation) any {
	v := e.vars[n.root]
	for _, step := range n.path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[step]
		case int:
			l, ok := v.([]any)
			if !ok || step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (n branch) eval(e *evaluation) any {
	m := make(map[string]any, len(n.keys))
	for i, key := range n.keys {
		if v := n.nodes[i].eval(e); !empty(v) {
			m[key] = v
		}
	}
	return m
}

func (n items) eval(e *evaluation) any {
	l := make([]any, 0, len(n))
	for _, item := range n {
		if v := item.eval(e); !empty(v) {
			l = append(l, v)
		}
	}
	return l
}

// eval returns the last one when all are empty, so that a list can end with
// what holds otherwise.
func (n first) eval(e *evaluation) any {
	var v any
	for _, item := range n {
		if v = item.eval(e); !empty(v) {
			break
		}
	}
	return v
}

// plainPath reads an expression that is nothing but a path from a variable:
// event.a.?b["c d"][0]. In a mapping such a path may lead nowhere.
func plainPath(src string, roots func(string) bool) (plain, bool) {
	src = strings.TrimSpace(src)
	root, rest := name(src)
	if root == "" || !roots(root) {
		return plain{}, false
	}
	p := plain{root: root}
	for rest != "" {
		step, after, ok := pathStep(rest)
		if !ok {
			return plain{}, false
		}
		p.path, rest = append(p.path, step), after
	}
	return p, true
}

func pathStep(s string) (step any, rest string, ok bool) {
	if after, found := strings.CutPrefix(s, "."); found {
		key, rest := name(strings.TrimPrefix(after, "?"))
		return key, rest, key != ""
	}
	inside, found := strings.CutPrefix(s, "[")
	if !found {
		return nil, "", false
	}
	inside = strings.TrimPrefix(inside, "?")
	if inside != "" && (inside[0] == '"' || inside[0] == '\'') {
		key, rest, found := strings.Cut(inside[1:], inside[:1]+"]")
		return key, rest, found && !strings.ContainsAny(key, `\"'`)
	}
	digits, rest, found := strings.Cut(inside, "]")
	i, err := strconv.ParseUint(digits, 10, 16)
	return int(i), rest, found && err == nil //nolint:gosec // sixteen bits fit
}

// name cuts an identifier from the front of s.
func name(s string) (ident, rest string) {
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || i > 0 && s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i], s[i:]
}
