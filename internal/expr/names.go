package expr

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"beffroi.dev/internal/errs"
)

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
	"not": "!condition", "if": "condition ? one : other", "exists": "list.exists(x, condition)", "filter": "list.filter(x, condition)",
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

func (e *Env) allFields() []string {
	all := map[string]bool{}
	for _, t := range e.objs.byName {
		for f := range t.fields {
			all[f] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// forms returns how a function is written: in the style of the call, x.f() or
// f(x), when it has that style, which is the second result.
func (e *Env) forms(name string, member bool) ([]string, bool) {
	f := e.cel.Functions()[name]
	if f == nil {
		return nil, true
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
		return other, false
	}
	return alike, true
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
