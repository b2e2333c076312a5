package expr

import (
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// link is one step of a path: a name, or an index in brackets.
type link struct {
	node ast.Expr
	name string   // of a variable or a field; "" for an index
	key  ast.Expr // what is in the brackets
}

func (l link) label() string {
	if l.key == nil {
		return strconv.Quote(l.name)
	}
	return source(l.key)
}

// chainOf returns the path that ends with e, its root first.
func chainOf(e ast.Expr) []link {
	switch e.Kind() {
	case ast.IdentKind:
		return []link{{node: e, name: e.AsIdent()}}
	case ast.SelectKind:
		return append(chainOf(e.AsSelect().Operand()), link{node: e, name: e.AsSelect().FieldName()})
	case ast.CallKind:
		call := e.AsCall()
		switch args := call.Args(); call.FunctionName() {
		case operators.OptSelect:
			name, _ := literalString(args[1])
			return append(chainOf(args[0]), link{node: e, name: name})
		case operators.Index, operators.OptIndex:
			return append(chainOf(args[0]), link{node: e, key: args[1]})
		case "dyn", sized, inOrder:
			return chainOf(args[0])
		}
	default:
	}
	return []link{{node: e, name: "value"}}
}

// written writes a path as its author would.
func written(chain []link) string {
	var b strings.Builder
	for i, l := range chain {
		switch {
		case l.key != nil:
			b.WriteString("[" + source(l.key) + "]")
		case i > 0:
			b.WriteString("." + l.name)
		default:
			b.WriteString(l.name)
		}
	}
	return b.String()
}

// optional writes the rest of a path so that each step may be missing.
func optional(chain []link) string {
	var b strings.Builder
	for _, l := range chain {
		if l.key != nil {
			b.WriteString("[?" + source(l.key) + "]")
		} else {
			b.WriteString(".?" + l.name)
		}
	}
	return b.String()
}

// source writes a key: a literal, a path, or three dots.
func source(e ast.Expr) string {
	if e.Kind() == ast.LiteralKind {
		if s, ok := literalString(e); ok {
			return strconv.Quote(s)
		}
		if s, ok := keyLiteral(e); ok {
			return s
		}
	}
	if c := chainOf(e); c[0].node.Kind() == ast.IdentKind {
		return written(c)
	}
	return "…"
}

func keyLiteral(e ast.Expr) (string, bool) {
	if e == nil || e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, err := keyText(e.AsLiteral())
	return s, err == nil
}
