package alert

import (
	"math/bits"
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

// An evaluation is the work on one event. Names that a document gives with let
// are evaluated when they are first used.
type evaluation struct {
	normaliser
	vars map[string]any
	lets []field
	done uint64 // bit i: lets[i] stands in vars
}

// maxLets is how many names a document can give: one bit each.
const maxLets = 64

// need evaluates the names that an expression uses.
func (e *evaluation) need(lets uint64) {
	for left := lets &^ e.done; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		e.done |= 1 << i
		e.vars[e.lets[i].path[0]] = e.lets[i].node.eval(e)
	}
}

type (
	literal struct{ value any }
	program struct {
		at   string // path in the document, for problems
		run  *expr.Program
		lets uint64
	}
	template struct {
		at   string
		run  *expr.Template
		lets uint64
	}
	// plain is a path such as event.actor.id that may lead nowhere. Most of
	// what a mapping says is such, so it goes without CEL.
	plain struct {
		root string
		path []any // string: key; int: index
		lets uint64
	}
	// typed fits the value of an expression to an attribute of the schema.
	typed struct {
		place where
		attr  *attribute
		node  node
	}
	// branch is an object of the schema, or free-form when known is nil.
	branch struct {
		place where
		known *object
		keys  []string
		nodes []node
	}
	items []node
	// first is a list where one value belongs: the first that is there.
	first []node
)

func (n literal) eval(*evaluation) any { return n.value }

func (n program) eval(e *evaluation) any {
	e.need(n.lets)
	v, err := n.run.Eval(e.vars)
	if err != nil {
		e.failed(n.at, err)
	}
	return v
}

func (n template) eval(e *evaluation) any {
	e.need(n.lets)
	v, err := n.run.Eval(e.vars)
	if err != nil {
		e.failed(n.at, err)
	}
	return v
}

func (n plain) eval(e *evaluation) any {
	e.need(n.lets)
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

func (n *typed) eval(e *evaluation) any {
	return e.attribute(&n.place, n.attr, n.node.eval(e))
}

func (n *branch) eval(e *evaluation) any {
	var m map[string]any
	for i, key := range n.keys {
		v := n.nodes[i].eval(e)
		if empty(v) {
			continue
		}
		if m == nil {
			m = make(map[string]any, min(len(n.keys), 8))
		}
		m[key] = v
	}
	if m == nil {
		return nil
	}
	if n.known == nil {
		return m
	}
	return e.complete(n.known, m)
}

func (n items) eval(e *evaluation) any {
	var l []any
	for _, item := range n {
		if v := item.eval(e); !empty(v) {
			l = append(l, v)
		}
	}
	if l == nil {
		return nil
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
	return int(i), rest, found && err == nil
}

// name cuts an identifier from the front of s.
func name(s string) (ident, rest string) {
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || i > 0 && s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i], s[i:]
}
