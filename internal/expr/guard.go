package expr

import (
	"errors"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Two functions that only the compiler writes; no author can type their names.
const (
	inOrder = "@in_order" // a map, to be walked in the order of its keys
	sized   = "@sized"    // its argument, unless that unfolds to more than a result may
)

func internalFunctions() []function {
	return []function{
		one(inOrder, with(tA), tA, func(a []ref.Val) ref.Val {
			if m, ok := a[0].(traits.Mapper); ok {
				return newSortedMap(m)
			}
			return a[0]
		}),
		one(sized, with(tA), tA, func(a []ref.Val) ref.Val {
			g := gauge{left: maxResult}
			if err := g.value(a[0], 0); err == errTooLarge || err == errTooDeep { //nolint:errorlint // never wrapped
				return types.WrapErr(err)
			}
			return a[0]
		}),
	}
}

// guard goes over the checked expression and puts those two in.
//
// A value from outside is a tree, and what walks it does work in proportion to
// it. A value that the expression made may hold one part many times, and that
// again: cel.bind(b, [a, a], cel.bind(c, [b, b], …)). Such a value is measured
// before it is given to what walks it without counting.
type guard struct {
	tree   *ast.AST
	fac    ast.ExprFactory
	nextID int64
	loops  bool // there is a macro that loops, or a cel.bind
	locals *local
	err    *Error // the first finding
}

// local is what a macro declares, and whether it is a part of what came in.
type local struct {
	outer   *local
	name    string
	outside bool
}

func newGuard(tree *ast.AST) *guard {
	g := &guard{tree: tree, fac: ast.NewExprFactory(), nextID: ast.MaxID(tree) + 1}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		g.loops = g.loops || e.Kind() == ast.ComprehensionKind
	}))
	return g
}

func (g *guard) run() *Error {
	g.visit(g.tree.Expr())
	return g.err
}

// visit says whether the value of e is from outside, or has no parts.
func (g *guard) visit(e ast.Expr) bool {
	switch e.Kind() {
	case ast.IdentKind:
		for l := g.locals; l != nil; l = l.outer {
			if l.name == e.AsIdent() {
				return l.outside
			}
		}
		return true
	case ast.SelectKind:
		return g.visit(e.AsSelect().Operand())
	case ast.CallKind:
		return g.call(e)
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			g.visit(el)
		}
		return false
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			g.visit(entry.AsMapEntry().Key())
			g.checkKey(entry.AsMapEntry().Key())
			g.visit(entry.AsMapEntry().Value())
		}
		return false
	case ast.ComprehensionKind:
		return g.comprehension(e)
	default:
		return true
	}
}

// walkers walk their arguments whole, without a limit of their own.
var walkers = map[string]bool{
	operators.Equals: true, operators.NotEquals: true, operators.In: true, operators.OldIn: true,
	"format": true, "sort": true, "@sortByAssociatedKeys": true, "slice": true, "reverse": true,
	"math.@max": true, "math.@min": true, "optional.unwrap": true, "unwrapOpt": true, "hasValue": true,
}

// transparent functions return one of their arguments, or a part of it.
var transparent = map[string]bool{
	operators.Index: true, operators.OptIndex: true, operators.OptSelect: true, operators.Conditional: true,
	"orValue": true, "or": true, "value": true, "first": true, "last": true, "dyn": true, "get": true,
	"optional.of": true, "optional.ofNonZeroValue": true,
}

func (g *guard) call(e ast.Expr) bool {
	call := e.AsCall()
	args := arguments(call)
	g.checkRegex(call)
	outside := true
	for _, a := range args {
		o := g.visit(a) || isScalar(g.tree.GetType(a.ID()))
		outside = outside && o
		if !o && walkers[call.FunctionName()] && (g.loops || call.FunctionName() == "format") {
			g.wrap(a, sized)
		}
	}
	return outside && transparent[call.FunctionName()]
}

// checkKey refuses keys of maps that no map can have.
func (g *guard) checkKey(key ast.Expr) {
	switch t := g.tree.GetType(key.ID()); t.Kind() {
	case types.StringKind, types.IntKind, types.UintKind, types.BoolKind, types.DynKind, types.TypeParamKind:
	default:
		g.report(key, "a key of a map is text, this is "+typeName(t), `write {"key": value}`)
	}
}

func (g *guard) report(e ast.Expr, msg, hint string) {
	if g.err == nil {
		r, _ := g.tree.SourceInfo().GetOffsetRange(e.ID())
		g.err = &Error{Column: int(r.Start) + 1, Msg: msg, Hint: hint}
	}
}

// checkRegex refuses a regular expression that does not compile.
func (g *guard) checkRegex(call ast.CallExpr) {
	args := arguments(call)
	if len(args) < 2 || !isMatcher(call.FunctionName()) {
		return
	}
	if pattern, ok := literalString(args[1]); ok {
		if _, err := compileRegex(pattern); err != nil {
			g.report(args[1], strings.Replace(err.Error(), "error parsing regexp: ", "", 1), regexHint(err))
		}
	}
}

func regexHint(err error) string {
	var wrong *syntax.Error
	if errors.As(err, &wrong) && strings.HasPrefix(wrong.Expr, "(?") {
		return "there is no look-ahead and no look-behind: they take unbounded time"
	}
	return ""
}

func (g *guard) comprehension(e ast.Expr) bool {
	c := e.AsComprehension()
	over := g.visit(c.IterRange())
	init := g.visit(c.AccuInit())
	outer := g.locals
	defer func() { g.locals = outer }()
	g.locals = &local{g.locals, c.AccuVar(), isBind(c) && init}
	result := g.locals
	for _, name := range []string{c.IterVar(), c.IterVar2()} {
		g.locals = &local{g.locals, name, over}
	}
	g.visit(c.LoopCondition())
	g.visit(c.LoopStep())
	g.locals = result
	outside := g.visit(c.Result())
	if t := g.tree.GetType(c.IterRange().ID()); t.Kind() != types.ListKind {
		g.wrap(c.IterRange(), inOrder)
	}
	return outside
}

func isScalar(t *cel.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.NullTypeKind,
		types.StringKind, types.TimestampKind, types.UintKind, types.TypeKind:
		return true
	default:
		return false
	}
}

// wrap puts a call of a function with one argument around e.
func (g *guard) wrap(e ast.Expr, function string) {
	id := g.nextID
	g.nextID++
	inner := g.fac.NewUnspecifiedExpr(id)
	inner.SetKindCase(e)
	if r, ok := g.tree.SourceInfo().GetOffsetRange(e.ID()); ok {
		g.tree.SourceInfo().SetOffsetRange(id, r)
	}
	g.tree.SetType(id, g.tree.GetType(e.ID()))
	if r, ok := g.tree.ReferenceMap()[e.ID()]; ok {
		g.tree.SetReference(id, r)
	}
	g.tree.SetReference(e.ID(), ast.NewFunctionReference(function))
	e.SetKindCase(g.fac.NewCall(e.ID(), function, inner))
}
