package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// relax puts dyn() where CEL's checker is stricter than JSON: comparing an
// integer with a double, and choosing between such, or between null and
// something. It says whether there was anything to relax.
func relax(tree *ast.AST, issue *cel.Error) bool {
	m := noOverload.FindStringSubmatch(issue.Message)
	if m == nil {
		return false
	}
	node := find(tree, issue.ExprID)
	if node == nil || node.Kind() != ast.CallKind {
		return false
	}
	args := node.AsCall().Args()
	ts := splitTypes(strings.TrimSuffix(strings.TrimPrefix(m[2], "("), ")"))
	if len(ts) != len(args) {
		return false
	}
	choose := len(args) - 2 // the first of the last two
	if choose < 0 {
		return false
	}
	l, r := ts[choose], ts[choose+1]
	switch m[1] {
	case operators.Equals, operators.NotEquals:
		choose = 0
		if !isNumeric(l) || !isNumeric(r) {
			return false
		}
	case operators.In:
		elem, isList := strings.CutPrefix(r, "list(")
		if !isList || !isNumeric(l) || !isNumeric(strings.TrimSuffix(elem, ")")) {
			return false
		}
	case operators.Conditional:
		if nameType(ts[0]) != nameType("bool") && nameType(ts[0]) != nameType("dyn") {
			return false
		}
		if l != "null" && r != "null" && (!isNumeric(l) || !isNumeric(r)) {
			return false
		}
	default:
		return false
	}
	asDyn(tree, args[choose])
	return true
}

func isNumeric(typ string) bool {
	n := nameType(typ)
	return n == nameType("int") || n == nameType("double")
}
