package expr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A Tree is a JSON value whose strings are templates. Keys are not.
type Tree struct {
	root node
}

// node is one of: constant, template, list, mapping.
type node interface {
	eval(vars map[string]any) (any, *Error)
}

type (
	constant struct{ v any }
	leaf     struct{ t *Template }
	sequence []node
	mapping  []field
	field    struct {
		key   string
		value node
	}
)

// Tree compiles all templates in v, which it does not keep. The Path of an
// error says where it is inside v.
func (e *Env) Tree(v any) (*Tree, error) {
	root, err := e.node(v, "", 0)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root}, nil
}

func (e *Env) node(v any, path string, depth int) (node, *Error) {
	if depth > maxDepth {
		return nil, &Error{Msg: "nested deeper than 200", Path: path}
	}
	switch v := v.(type) {
	case string:
		t, err := e.template(v)
		if err != nil {
			return nil, err.in(path)
		}
		if len(t.parts) <= 1 && (len(t.parts) == 0 || t.parts[0].prog == nil) {
			s, _ := t.Text(nil)
			return constant{s}, nil
		}
		return leaf{t}, nil
	case []any:
		seq := make(sequence, len(v))
		for i := range v {
			n, err := e.node(v[i], path+"["+strconv.Itoa(i)+"]", depth+1)
			if err != nil {
				return nil, err
			}
			seq[i] = n
		}
		return seq, nil
	case map[string]any:
		m := make(mapping, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n, err := e.node(v[k], join(path, k), depth+1)
			if err != nil {
				return nil, err
			}
			m = append(m, field{k, n})
		}
		return m, nil
	case nil, bool, int64, float64:
		return constant{v}, nil
	default:
		return nil, &Error{Msg: fmt.Sprintf("a %T is not a JSON value", v), Path: path}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// in returns the error with its path below key or index.
func (e *Error) in(path string) *Error {
	c := *e
	c.Path = path
	return &c
}

// Eval evaluates all templates and returns a new value. What they give is
// never evaluated again. Errors are *Error.
func (t *Tree) Eval(vars map[string]any) (any, error) {
	v, err := t.root.eval(vars)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (c constant) eval(map[string]any) (any, *Error) { return c.v, nil }

func (l leaf) eval(vars map[string]any) (any, *Error) {
	v, err := l.t.Eval(vars)
	var e *Error
	if errors.As(err, &e) {
		return nil, e
	}
	return v, nil
}

func (s sequence) eval(vars map[string]any) (any, *Error) {
	out := make([]any, len(s))
	for i, n := range s {
		v, err := n.eval(vars)
		if err != nil {
			return nil, err.below("[" + strconv.Itoa(i) + "]")
		}
		out[i] = v
	}
	return out, nil
}

func (m mapping) eval(vars map[string]any) (any, *Error) {
	out := make(map[string]any, len(m))
	for _, f := range m {
		v, err := f.value.eval(vars)
		if err != nil {
			return nil, err.below(f.key)
		}
		out[f.key] = v
	}
	return out, nil
}

// below puts a step in front of the error's path.
func (e *Error) below(step string) *Error {
	switch {
	case e.Path == "":
		return e.in(step)
	case e.Path[0] == '[':
		return e.in(step + e.Path)
	default:
		return e.in(step + "." + e.Path)
	}
}
