package expr

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

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
	case strings.Contains(msg, "limit") || strings.Contains(msg, "size exceeds"):
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

func (e *Env) allFields() []string {
	all := map[string]bool{}
	for _, t := range e.objs.byName {
		for f := range t.fields {
			all[f] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// unknown explains a name that is not declared.
func (c checkError) unknown(name string) *Error {
	col := c.wordAt(name)
	if c.node != nil {
		switch c.node.Kind() {
		case ast.CallKind:
			return c.unknownFunction(name, col)
		case ast.StructKind:
			return &Error{Column: col, Msg: name + "{…} makes nothing here", Hint: `write a map: {"key": value}`}
		default:
		}
	}
	err := &Error{Column: col, Msg: "unknown variable " + name}
	switch {
	case c.isKey():
		err.Hint = `quote the keys of a map: {"` + name + `": value}`
		return err
	case name == "cel":
		err.Msg, err.Hint = "cel is not a variable", "write cel.bind(name, value, expression)"
		return err
	}
	switch strings.ToLower(name) {
	case "none", "nil", "undefined":
		err.Hint = "write null"
	case "true", "false":
		err.Hint = "write " + strings.ToLower(name)
	case "now":
		err.Hint = "the time is not known here"
	default:
		if len(name) > 2 {
			err.Hint = errs.Suggest(name, c.env.names())
		}
		if err.Hint == "" {
			err.Hint = oneOf("there are no variables here", "there is ", c.env.names())
		}
	}
	return err
}

// isKey says whether the node is the key of a map.
func (c checkError) isKey() bool {
	found := false
	ast.PostOrderVisit(c.tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.MapKind {
			return
		}
		for _, entry := range e.AsMap().Entries() {
			found = found || c.node != nil && entry.AsMapEntry().Key().ID() == c.node.ID()
		}
	}))
	return found
}

// elsewhere is what functions are called in other languages.
var elsewhere = map[string]string{
	"len": "size(value)", "length": "size(value)", "count": "size(list.filter(x, condition))", "lower": "text.lowerAscii()",
	"tolower": "text.lowerAscii()", "upper": "text.upperAscii()", "toupper": "text.upperAscii()", "strip": "text.trim()",
	"str": "string(value)", "tostring": "string(value)", "to_string": "string(value)", "number": "int(value) or double(value)",
	"to_int": "int(value)", "parseint": "int(text)", "float": "double(value)", "to_float": "double(value)",
	"now": "the variable now, without ()", "any": "list.exists(x, condition)", "some": "list.exists(x, condition)",
	"every": "list.all(x, condition)", "select": "list.filter(x, condition)", "concat": "a + b", "regex": "re_match(text, expression)",
	"regex_match": "re_match(text, expression)", "match": "re_match(text, expression)", "sub": "re_replace(text, expression, with)",
	"parse_json": "json(text)", "fromjson": "json(text)", "from_json": "json(text)", "tojson": "to_json(value)", "json_encode": "to_json(value)",
	"b64encode": "base64(text)", "b64decode": "base64_decode(text)", "urlencode": "url_encode(text)", "urldecode": "url_decode(text)",
	"unique": "distinct(list)", "uniq": "distinct(list)", "default": "value.?field.orValue(other)", "coalesce": "value.?field.orValue(other)",
	"if": "condition ? one : other", "exists": "list.exists(x, condition)", "filter": "list.filter(x, condition)",
	"map": "list.map(x, expression)", "all": "list.all(x, condition)", "exists_one": "list.exists_one(x, condition)", "has": "has(value.field)",
	"date": "parse_time(text)", "strptime": "parse_time(text)", "strftime": "format_time(time, layout)", "in_cidr": "cidr_contains(network, ip)",
	"cidr_match": "cidr_contains(network, ip)", "includes": "value in list", "indexof": "text.indexOf(part)", "substr": "text.substring(from, to)",
}

func (c checkError) unknownFunction(name string, col int) *Error {
	err := &Error{Column: col, Msg: "unknown function " + name + "()"}
	if h, ok := elsewhere[strings.ToLower(name)]; ok {
		err.Hint = "write " + h
		return err
	}
	err.Hint = errs.Suggest(name, c.env.functionNames())
	return err
}

func (e *Env) functionNames() []string {
	var names []string
	for name := range e.cel.Functions() {
		if !strings.ContainsAny(name, "@_!?[&|<>=-") || strings.Contains(name, "_") && nameRE.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
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
	return &Error{
		Column: col, Msg: function + "() does not take " + oneOf("no arguments", "", []string{strings.Join(names, " and ")}),
		Hint: c.env.signature(function, isMember, args),
	}
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

// signature says how a function is written, in the style of the call if it can
// be written so.
func (e *Env) signature(name string, member bool, args []string) string {
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "optional") }) {
		return "give the optional value a default first: .orValue(…)"
	}
	f := e.cel.Functions()[name]
	if f == nil {
		return ""
	}
	var alike, other []string
	for _, o := range f.OverloadDecls() {
		args := make([]string, len(o.ArgTypes()))
		for i, t := range o.ArgTypes() {
			args[i] = shortType(t)
		}
		form := name + "(" + strings.Join(args, ", ") + ")"
		if o.IsMemberFunction() {
			form = args[0] + "." + name + "(" + strings.Join(args[1:], ", ") + ")"
		}
		into := &other
		if o.IsMemberFunction() == member {
			into = &alike
		}
		if !slices.Contains(*into, form) {
			*into = append(*into, form)
		}
	}
	if len(alike) == 0 {
		alike = other
	}
	return "write " + strings.Join(alike[:min(5, len(alike))], " or ")
}

func shortType(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "text"
	case types.IntKind, types.UintKind, types.DoubleKind:
		return "number"
	case types.TimestampKind:
		return "time"
	case types.DurationKind:
		return "duration"
	case types.DynKind, types.TypeParamKind:
		return "value"
	case types.OpaqueKind:
		return "optional"
	case types.ListKind:
		return "list"
	case types.MapKind:
		return "map"
	default:
		return t.TypeName()
	}
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
