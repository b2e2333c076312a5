package expr

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"beffroi.dev/internal/errs"
)

// compileError turns the first of CEL's issues into an Error. tree is nil when
// the source did not parse.
func (e *Env) compileError(src string, tree *ast.AST, iss *cel.Issues) *Error {
	if iss.Err() == nil {
		return nil
	}
	first := iss.Errors()[0]
	at := offset(src, first.Location)
	msg, isSyntax := strings.CutPrefix(first.Message, "Syntax error: ")
	if isSyntax {
		return syntaxError(src, msg, at+1)
	}
	if tree == nil {
		return parseError(src, msg, at)
	}
	c := checkError{env: e, src: []rune(src), tree: tree, node: find(tree, first.ExprID), msg: msg, at: at}
	return c.explain()
}

// offset returns how many runes of src are before a location.
func offset(src string, l common.Location) int {
	before := 0
	for n, line := range strings.SplitAfter(src, "\n") {
		if n+1 >= l.Line() {
			break
		}
		before += runes(line)
	}
	return max(0, before+l.Column())
}

// find returns the node with that id, or nil.
func find(tree *ast.AST, id int64) ast.Expr {
	var found ast.Expr
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found
}

// parseError explains what parses, but not to an expression: wrong arguments of
// a macro, words that are reserved, and limits.
func parseError(src, msg string, at int) *Error {
	switch {
	case strings.Contains(msg, "has() macro"):
		return &Error{Column: at + 1, Msg: "has() needs a field", Hint: `write has(value.field), or "key" in value`}
	case strings.Contains(msg, "simple name") || strings.Contains(msg, "not an identifier"):
		return &Error{
			Column: at + 1, Msg: "the first argument of a macro is a new name for each element",
			Hint: "write list.filter(x, x > 1)",
		}
	case strings.HasPrefix(msg, "reserved identifier: "):
		return syntaxError(src, msg, at+1)
	case strings.Contains(msg, "limit") || strings.Contains(msg, "recursion") || strings.Contains(msg, "size exceeds"):
		return &Error{Column: 1, Msg: "the expression is too long or nested too deep", Hint: "split it into several steps"}
	default:
		return &Error{Column: at + 1, Msg: oneLine(msg)}
	}
}

// checkError is one issue of CEL's checker.
type checkError struct {
	env  *Env
	src  []rune
	tree *ast.AST
	node ast.Expr // may be nil
	msg  string
	at   int
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '(.*?)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '(.*?)' applied to '(.*)'`)
	undefined  = regexp.MustCompile(`^undefined field '(.*)'`)
	noFields   = regexp.MustCompile(`^type '(.*)' does not support field selection`)
	mismatch   = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'`)
	notRange   = regexp.MustCompile(`^expression of type '(.*)' cannot be range`)
)

func (c checkError) explain() *Error {
	if m := undeclared.FindStringSubmatch(c.msg); m != nil {
		return c.unknown(m[1])
	}
	if m := noOverload.FindStringSubmatch(c.msg); m != nil {
		return c.overload(m[1], m[2])
	}
	if m := undefined.FindStringSubmatch(c.msg); m != nil {
		return &Error{Column: fieldColumn(c.src, c.at, m[1]), Msg: "no field " + m[1], Hint: errs.Suggest(m[1], c.env.allFields())}
	}
	if m := noFields.FindStringSubmatch(c.msg); m != nil {
		return &Error{Column: c.column(), Msg: nameType(m[1]) + " has no fields", Hint: fieldHint(m[1])}
	}
	if m := mismatch.FindStringSubmatch(c.msg); m != nil {
		return &Error{Column: c.column(), Msg: "this must be " + nameType(m[1]) + ", it is " + nameType(m[2]), Hint: mismatchHint(m[1], m[2])}
	}
	if m := notRange.FindStringSubmatch(c.msg); m != nil {
		return &Error{Column: c.column(), Msg: "a macro goes over a list or a map, this is " + nameType(m[1])}
	}
	if strings.Contains(c.msg, "limit") {
		return &Error{Column: 1, Msg: "the expression is too long or nested too deep", Hint: "split it into several steps"}
	}
	return &Error{Column: c.column(), Msg: oneLine(c.msg)}
}

// column returns the column of the name, if the source at the location leads
// to one over a dot or an opening bracket.
func (c checkError) column() int { return min(c.at, max(0, len(c.src)-1)) + 1 }

// wordAt moves the column to where word begins, just before or after c.at.
func (c checkError) wordAt(word string) int {
	w := []rune(word)
	for _, at := range []int{c.at, c.at - len(w), c.at + 1, c.at + 2} {
		if at >= 0 && at+len(w) <= len(c.src) && string(c.src[at:at+len(w)]) == word {
			return at + 1
		}
	}
	return c.column()
}

// overload explains a function or an operator given what it does not take.
func (c checkError) overload(function, applied string) *Error {
	var args []string
	target, rest, isMember := strings.Cut(applied, ".(")
	if isMember {
		args = append([]string{target}, splitTypes(strings.TrimSuffix(rest, ")"))...)
	} else {
		args = splitTypes(strings.TrimSuffix(strings.TrimPrefix(applied, "("), ")"))
	}
	if sign, ok := operatorSigns[function]; ok {
		return operatorError(c.column(), function, sign, args, c.literals())
	}
	col := c.wordAt(function)
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = nameType(a)
	}
	err := &Error{Column: col, Msg: function + "() does not take " + strings.Join(names, " and ")}
	forms, alike := c.env.forms(function, isMember)
	switch {
	case len(args) == 0:
		err.Msg = function + "() needs an argument"
	case !alike:
		err.Msg = function + "() is not called like that"
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "optional") }) {
		err.Hint = "give the optional value a default first: .orValue(…)"
	} else if len(forms) > 0 {
		err.Hint = "write " + strings.Join(forms[:min(5, len(forms))], " or ")
	}
	return err
}

// literals returns the literal arguments of the node, for hints.
func (c checkError) literals() []string {
	if c.node == nil || c.node.Kind() != ast.CallKind {
		return nil
	}
	var out []string
	for _, a := range c.node.AsCall().Args() {
		if s, ok := literalString(a); ok {
			out = append(out, s)
		}
	}
	return out
}

var operatorSigns = map[string]string{
	operators.Add: "+", operators.Subtract: "-", operators.Multiply: "*", operators.Divide: "/", operators.Modulo: "%",
	operators.Equals: "==", operators.NotEquals: "!=", operators.Less: "<", operators.LessEquals: "<=",
	operators.Greater: ">", operators.GreaterEquals: ">=", operators.In: "in", operators.LogicalNot: "!",
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.Negate: "-", operators.Index: "[]",
	operators.OptIndex: "[?]", operators.Conditional: "?:",
}

func fieldHint(typ string) string {
	switch {
	case strings.HasPrefix(typ, "list"):
		return "take one element: list[0].field, or look at all: list.exists(x, x.field == 1)"
	case strings.Contains(typ, "string"):
		return "if the text is JSON, write json(text).field"
	default:
		return ""
	}
}

func mismatchHint(want, got string) string {
	if want == "bool" {
		return boolHint(got)
	}
	return ""
}

// boolHint says how to make a condition of a value of that type.
func boolHint(typ string) string {
	switch nameType(typ) {
	case "text":
		return `compare it: text != ""`
	case "a whole number", "a number":
		return "compare it: number > 0"
	case "a list", "a map":
		return "ask for its size: size(value) > 0"
	case "an optional value":
		return "write .orValue(false), or .hasValue()"
	default:
		return "compare it with something: == != < >"
	}
}

// oneLine makes a message of CEL's fit for one line.
func oneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
