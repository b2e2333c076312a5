package expr

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"beffroi.dev/internal/errs"
)

// walker goes once over the parsed expression, before CEL checks it. It finds
// paths that no value can have, notes which paths are used, and rewrites the
// two things that CEL's checker and our plain maps see differently:
//
//   - alert["time"] of an object becomes alert.time;
//   - a whole object, where a map is meant, becomes dyn(object).
type walker struct {
	env   *Env
	src   []rune
	tree  *ast.AST
	fac   ast.ExprFactory
	scope *scope
	refs  [][]string
	seen  map[string]bool
	err   *Error
	// How deep the current node is in each.
	literals, loops, binds int
}

// scope holds what a macro declares; inner scopes hide outer ones.
type scope struct {
	outer *scope
	name  string
	typ   *Type
}

// place is what is known of one node: its type, nil when unknown, and the path
// to it from a variable, nil when there is none.
type place struct {
	typ  *Type
	path []string
}

func newWalker(e *Env, src string, tree *ast.AST) *walker {
	return &walker{
		env: e, src: []rune(src), tree: tree, fac: ast.NewExprFactory(), seen: map[string]bool{},
	}
}

func (w *walker) run() *Error {
	w.note(w.visit(w.tree.Expr()))
	return w.err
}

// note records a path that is used as a whole.
func (w *walker) note(p place) {
	key := strings.Join(p.path, "\x00")
	if len(p.path) > 0 && !w.seen[key] {
		w.seen[key] = true
		w.refs = append(w.refs, p.path)
	}
}

// value visits a node whose value is used as a whole.
func (w *walker) value(e ast.Expr) place {
	p := w.visit(e)
	w.note(p)
	return p
}

func (w *walker) visit(e ast.Expr) place {
	switch e.Kind() {
	case ast.IdentKind:
		return w.ident(e.AsIdent())
	case ast.SelectKind:
		sel := e.AsSelect()
		return w.selectField(e, w.visit(sel.Operand()), sel.FieldName())
	case ast.CallKind:
		return w.call(e)
	case ast.ListKind:
		defer w.enter(e, &w.literals, maxLiterals)()
		for _, el := range e.AsList().Elements() {
			w.value(el)
		}
	case ast.MapKind:
		defer w.enter(e, &w.literals, maxLiterals)()
		for _, entry := range e.AsMap().Entries() {
			w.value(entry.AsMapEntry().Key())
			w.value(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			w.value(f.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		return w.comprehension(e)
	case ast.UnspecifiedExprKind, ast.LiteralKind:
	}
	return place{}
}

// enter counts one level deeper, and returns what counts it back.
func (w *walker) enter(e ast.Expr, level *int, limit int) func() {
	if *level++; *level > limit && w.err == nil {
		r, _ := w.tree.SourceInfo().GetOffsetRange(e.ID())
		w.err = &Error{Column: int(r.Start) + 1, Msg: "nested too deep", Hint: "split it into several steps"}
	}
	return func() { *level-- }
}

func (w *walker) ident(name string) place {
	for s := w.scope; s != nil; s = s.outer {
		if s.name == name {
			return place{typ: s.typ}
		}
	}
	if t, ok := w.env.types[name]; ok {
		return place{typ: t, path: []string{name}}
	}
	return place{}
}

// selectField goes from a place to one of its fields.
func (w *walker) selectField(e ast.Expr, from place, field string) place {
	t, ok := from.typ.field(field)
	if !ok && w.err == nil {
		w.err = w.noField(e, from, field)
	}
	to := place{typ: t}
	if from.path != nil {
		to.path = append(slices.Clip(from.path), field)
	}
	return to
}

func (w *walker) noField(e ast.Expr, from place, field string) *Error {
	names := slices.Sorted(maps.Keys(from.typ.fields))
	r, _ := w.tree.SourceInfo().GetOffsetRange(e.ID())
	err := &Error{Column: fieldColumn(w.src, int(r.Start), field), Msg: "no field " + field}
	if from.path != nil {
		err.Msg += " in " + strings.Join(from.path, ".")
	}
	if err.Hint = errs.Suggest(field, names); err.Hint == "" {
		err.Hint = oneOf("it has no fields", "it has ", names)
	}
	return err
}

// fieldColumn returns the column of a name that is selected at or after at.
func fieldColumn(src []rune, at int, field string) int {
	name := []rune(field)
	for i := max(at, 1); i+len(name) <= len(src) && len(name) > 0; i++ {
		before := src[i-1]
		if slices.Equal(src[i:i+len(name)], name) && (strings.ContainsRune(`.?["'`, before) || unicode.IsSpace(before)) {
			return i + 1
		}
	}
	return at + 1
}

func (w *walker) call(e ast.Expr) place {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.OptSelect:
		if field, ok := literalString(args[1]); ok {
			return w.selectField(e, w.visit(args[0]), field)
		}
	case operators.Index, operators.OptIndex:
		return w.index(e, args[0], args[1])
	case operators.Equals, operators.NotEquals, operators.In:
		w.compare(args[0], args[1])
		return place{}
	}
	_, isOperator := operatorSigns[call.FunctionName()]
	if call.IsMemberFunction() && !w.namespaced(call) {
		w.argument(call.Target(), isOperator)
	}
	for _, a := range args {
		w.argument(a, isOperator)
	}
	return place{}
}

// namespaced says whether the call is of a function such as base64.encode.
func (w *walker) namespaced(call ast.CallExpr) bool {
	prefix, ok := containers.ToQualifiedName(call.Target())
	return ok && w.env.cel.HasFunction(prefix+"."+call.FunctionName())
}

// argument visits what a function takes: a whole object is a map to it, and a
// double may turn out to be an integer, which operators know.
func (w *walker) argument(e ast.Expr, ofOperator bool) {
	p := w.value(e)
	if p.typ.isObject() || !ofOperator && p.typ.isDouble() {
		w.asDyn(e)
	}
}

// index goes from a place to one of its elements.
func (w *walker) index(e, operand, key ast.Expr) place {
	from := w.visit(operand)
	name, isName := literalString(key)
	if !isName {
		w.value(key)
		w.note(from)
		if from.typ.isObject() {
			w.asDyn(operand)
		}
		if from.typ != nil && from.typ.elem != nil {
			return place{typ: from.typ.elem}
		}
		return place{}
	}
	if from.typ.isObject() {
		if e.AsCall().FunctionName() == operators.Index {
			e.SetKindCase(w.fac.NewSelect(e.ID(), operand, name))
		} else {
			e.SetKindCase(w.fac.NewCall(e.ID(), operators.OptSelect, operand, key))
		}
	}
	return w.selectField(e, from, name)
}

// compare visits the sides of ==, != and in. Objects are compared as maps, and
// with null whatever it is.
func (w *walker) compare(l, r ast.Expr) {
	lp, rp := w.value(l), w.value(r)
	if needsDyn(lp, r) {
		w.asDyn(l)
	}
	if needsDyn(rp, l) {
		w.asDyn(r)
	}
}

// needsDyn says whether what is at p can be compared only without its type.
func needsDyn(p place, with ast.Expr) bool {
	return p.typ.holdsObject() || isNull(with) && p.typ != nil && p.typ.cel == nil
}

func (w *walker) comprehension(e ast.Expr) place {
	c := e.AsComprehension()
	if isBind(c) {
		defer w.enter(e, &w.binds, maxBinds)()
	} else {
		defer w.enter(e, &w.loops, maxLoops)()
	}
	over := w.value(c.IterRange())
	if over.typ.isObject() {
		w.asDyn(c.IterRange())
	}
	init := w.value(c.AccuInit())
	outer := w.scope
	defer func() { w.scope = outer }()
	w.scope = &scope{w.scope, c.AccuVar(), init.typ}
	result := *w.scope
	var elem *Type
	if over.typ != nil {
		elem = over.typ.elem
	}
	if c.HasIterVar2() {
		w.scope = &scope{w.scope, c.IterVar(), nil}
		w.scope = &scope{w.scope, c.IterVar2(), elem}
	} else {
		w.scope = &scope{w.scope, c.IterVar(), elem}
	}
	w.value(c.LoopCondition())
	w.value(c.LoopStep())
	w.scope = &result
	p := w.value(c.Result())
	return place{typ: p.typ}
}

// isBind says whether the macro is cel.bind, which loops over nothing.
func isBind(c ast.ComprehensionExpr) bool {
	return c.IterRange().Kind() == ast.ListKind && c.IterRange().AsList().Size() == 0
}

func (w *walker) asDyn(e ast.Expr) { asDyn(w.tree, e) }

// asDyn puts dyn() around e.
func asDyn(tree *ast.AST, e ast.Expr) {
	fac := ast.NewExprFactory()
	inner := fac.NewUnspecifiedExpr(ast.MaxID(tree) + 1)
	if r, ok := tree.SourceInfo().GetOffsetRange(e.ID()); ok {
		tree.SourceInfo().SetOffsetRange(inner.ID(), r)
	}
	inner.SetKindCase(e)
	e.SetKindCase(fac.NewCall(e.ID(), "dyn", inner))
}

func literalString(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

func isNull(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind && e.AsLiteral() == types.NullValue
}
