package expr

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// planError explains what CEL found when it evaluated the constant parts.
func planError(src string, tree *ast.AST, err error) *Error {
	e := &Error{Column: 1, Msg: oneLine(err.Error())}
	var v *types.Err
	if errors.As(err, &v) {
		if r, ok := tree.SourceInfo().GetOffsetRange(v.NodeID()); ok {
			e.Column = min(int(r.Start), max(0, runes(src)-1)) + 1
		}
	}
	return e
}

// failure is one error of evaluation.
type failure struct {
	prog *Program
	vars map[string]any
	node ast.Expr // may be nil
	msg  string
	col  int
}

// runtimeError turns CEL's error into an Error.
func (p *Program) runtimeError(vars map[string]any, err error) *Error {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return &Error{Column: 1, Msg: "the expression does too much work", Hint: "look at fewer elements, or split it into several steps"}
	}
	f := failure{prog: p, vars: vars, msg: err.Error(), col: 1}
	var v *types.Err
	if errors.As(err, &v) {
		if f.node = find(p.ast, v.NodeID()); f.node != nil {
			f.col = p.column(f.node)
		}
	}
	return f.explain()
}

// column returns where a node stands in the source.
func (p *Program) column(e ast.Expr) int {
	r, ok := p.ast.SourceInfo().GetOffsetRange(e.ID())
	if !ok {
		return 1
	}
	return min(int(r.Start), max(0, runes(p.src)-1)) + 1
}

var noOverloadAt = regexp.MustCompile(`^no such overload: (\S+?)(?:\((.*)\))?(?: \d+)?$`)

func (f failure) explain() *Error {
	if f.node != nil {
		if err := f.missing(); err != nil {
			return err
		}
	}
	err := &Error{Column: f.col}
	switch m := noOverloadAt.FindStringSubmatch(f.msg); {
	case strings.HasPrefix(f.msg, "no such attribute"):
		err.Msg = "the variable " + strings.TrimPrefix(f.msg, "no such attribute(s): ") + " was not given"
	case m != nil && m[2] != "":
		return checkError{env: f.prog.env, src: []rune(f.prog.src), at: f.col - 1}.overload(m[1], "("+m[2]+")")
	case m != nil, f.msg == "no such overload":
		return f.operands()
	case f.msg == "division by zero" || f.msg == "modulus by zero":
		err.Msg, err.Hint = "division by zero", "write b != 0 ? a / b : 0"
	case strings.HasPrefix(f.msg, "optional.none() dereference"):
		err.Msg, err.Hint = "the optional value is empty", "write .orValue(…) instead of .value()"
	case strings.HasPrefix(f.msg, "type conversion error"), strings.HasPrefix(f.msg, "strconv."):
		err.Msg = "the value cannot be converted"
	case strings.HasPrefix(f.msg, "internal error"):
		err.Msg = "the expression cannot be evaluated with these values"
	case strings.Contains(f.msg, "expected iterable type"), strings.Contains(f.msg, "unsupported comprehension range"):
		err.Msg = "a macro goes over a list or a map, this is neither"
	default:
		err.Msg = oneLine(f.msg)
	}
	return err
}

// missing explains a path that the values do not have. It returns nil when the
// error is about something else.
func (f failure) missing() *Error {
	key, isKey := strings.CutPrefix(f.msg, "no such key: ")
	_, isIndex := strings.CutPrefix(f.msg, "index out of bounds: ")
	_, badIndex := strings.CutPrefix(f.msg, "unsupported index type ")
	if !isKey && !isIndex && !badIndex {
		return nil
	}
	chain := chainOf(f.node)
	at := f.breaks(chain, key, isKey)
	if at < 0 {
		return &Error{Column: f.col, Msg: "no such element", Hint: "write value[?key].orValue(…)"}
	}
	broken := chain[at]
	err := &Error{Column: f.fieldColumn(broken), Hint: "write " + written(chain[:at]) + optional(chain[at:]) + ".orValue(…)"}
	if f.node.Kind() == ast.SelectKind && f.node.AsSelect().IsTestOnly() {
		err.Hint = "write has(" + written(chain[:at]) + optional(chain[at:]) + ")"
	}
	owner := written(chain[:at])
	v, known := f.resolve(chain[:at])
	switch {
	case known && v == nil:
		err.Msg = owner + " is null"
	case known && !isContainer(v):
		err.Msg = owner + " is " + nameType(goTypeName(v)) + " and has no " + broken.label()
	case badIndex:
		err.Msg, err.Hint = owner+" is a list; its elements are named by number", "write "+owner+"[0]"
	case isIndex:
		err.Msg = owner + " has no element " + broken.label()
	default:
		err.Msg = owner + " has no " + broken.label()
	}
	return err
}

// breaks returns the step that the values do not have: by looking, and when
// the root is not a variable, by the key.
func (f failure) breaks(chain []link, key string, isKey bool) int {
	for i := 1; i < len(chain); i++ {
		v, known := f.resolve(chain[:i])
		if !known {
			break
		}
		if _, ok := f.resolve(chain[:i+1]); !ok || !isContainer(v) {
			return i
		}
	}
	for i := 1; i < len(chain); i++ {
		if chain[i].name == key || !isKey && chain[i].key != nil {
			return i
		}
		if s, ok := keyLiteral(chain[i].key); ok && s == key {
			return i
		}
	}
	return len(chain) - 1
}

// resolve follows a path through the values as they came in.
func (f failure) resolve(chain []link) (any, bool) {
	v, ok := f.vars[chain[0].name]
	if !ok || chain[0].node.Kind() != ast.IdentKind {
		return nil, false
	}
	for _, l := range chain[1:] {
		name := l.name
		if l.key != nil {
			s, isText := keyLiteral(l.key)
			if !isText {
				return nil, false
			}
			name = s
		}
		switch c := v.(type) {
		case map[string]any:
			if v, ok = c[name]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

func goTypeName(v any) string { return types.DefaultTypeAdapter.NativeToValue(v).Type().TypeName() }

// fieldColumn returns the column of the name after the dot or bracket.
func (f failure) fieldColumn(l link) int {
	if l.key != nil {
		return f.prog.column(l.key)
	}
	return fieldColumn([]rune(f.prog.src), f.prog.column(l.node)-1, l.name)
}

// operands explains an operator or a function by the types of those operands
// that are literals or paths.
func (f failure) operands() *Error {
	node := f.node
	if node != nil && node.Kind() != ast.CallKind {
		node = caller(f.prog.ast, node)
	}
	if node == nil {
		return &Error{Column: f.col, Msg: "the values are not of the types that this needs"}
	}
	call := node.AsCall()
	args := arguments(call)
	var names, literals []string
	for _, a := range args {
		names = append(names, f.typeOf(a))
		if s, ok := literalString(a); ok {
			literals = append(literals, s)
		}
	}
	if sign, ok := operatorSigns[call.FunctionName()]; ok {
		return operatorError(f.col, call.FunctionName(), sign, names, literals)
	}
	c := checkError{env: f.prog.env, src: []rune(f.prog.src), at: f.col - 1}
	if call.IsMemberFunction() {
		return c.overload(call.FunctionName(), names[0]+".("+strings.Join(names[1:], ", ")+")")
	}
	return c.overload(call.FunctionName(), "("+strings.Join(names, ", ")+")")
}

// caller returns the call that takes e, or nil.
func caller(tree *ast.AST, e ast.Expr) ast.Expr {
	var found ast.Expr
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(outer ast.Expr) {
		if outer.Kind() != ast.CallKind {
			return
		}
		for _, a := range arguments(outer.AsCall()) {
			if a.ID() == e.ID() {
				found = outer
			}
		}
	}))
	return found
}

// arguments returns the target and the arguments of a call.
func arguments(call ast.CallExpr) []ast.Expr {
	if call.IsMemberFunction() {
		return append([]ast.Expr{call.Target()}, call.Args()...)
	}
	return call.Args()
}

func (f failure) typeOf(e ast.Expr) string {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral().Type().TypeName()
	}
	if v, ok := f.resolve(chainOf(e)); ok {
		return goTypeName(v)
	}
	return f.prog.ast.GetType(e.ID()).String()
}
