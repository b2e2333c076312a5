package expr

import (
	"strconv"
	"strings"

	"cel.dev/cel-go/common/operators"
)

// operatorError explains an operator that does not take such values. types are
// as CEL writes them; literals are the literal texts among the operands.
func operatorError(column int, op, sign string, types, literals []string) *Error {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = nameType(t)
	}
	err := &Error{Column: column}
	switch {
	case op == operators.Conditional && len(names) == 3 && names[0] != nameType("bool") && names[0] != nameType("dyn"):
		err.Msg, err.Hint = "before ? there must be true or false, it is "+names[0], boolHint(types[0])
	case op == operators.Conditional && len(names) == 3:
		err.Msg = "the two sides of : are " + names[1] + " and " + names[2]
		err.Hint = "make them alike, or write dyn(…) around one"
	case op == operators.Index || op == operators.OptIndex:
		err.Msg, err.Hint = indexError(names)
	case len(names) == 1:
		err.Msg = sign + " cannot be applied to " + names[0]
		if op == operators.LogicalNot {
			err.Hint = boolHint(types[0])
		}
	case len(names) == 2:
		err.Msg = verb(op, sign) + names[0] + joiner(op) + names[1]
		err.Hint = operandHint(op, names, literals)
	default:
		err.Msg = sign + " cannot be applied to " + strings.Join(names, " and ")
	}
	return err
}

func indexError(names []string) (msg, hint string) {
	if len(names) != 2 {
		return "this cannot be indexed", ""
	}
	if names[0] == nameType("list") {
		return "an element of a list is named by its number, not by " + names[1], "write list[0], or list.filter(x, x.name == \"…\")"
	}
	return names[0] + " cannot be indexed by " + names[1], ""
}

func verb(op, sign string) string {
	switch op {
	case operators.Add:
		return "cannot add "
	case operators.Subtract:
		return "cannot subtract from "
	case operators.Multiply, operators.Divide, operators.Modulo:
		return "cannot calculate " + sign + " of "
	case operators.In:
		return "cannot look for "
	case operators.LogicalAnd, operators.LogicalOr:
		return sign + " needs true or false on both sides, here are "
	default:
		return "cannot compare "
	}
}

func joiner(op string) string {
	switch op {
	case operators.In:
		return " in "
	case operators.Subtract:
		return " the value "
	case operators.Add, operators.Multiply, operators.Divide, operators.Modulo, operators.LogicalAnd, operators.LogicalOr:
		return " and "
	default:
		return " with "
	}
}

// operandHint says how to make the two operands fit.
func operandHint(op string, names, literals []string) string {
	has := func(n string) bool { return names[0] == nameType(n) || names[1] == nameType(n) }
	number := has("int") || has("double")
	switch {
	case has("optional"):
		return "give the optional value a default first: value.?field.orValue(…)"
	case op == operators.In && names[1] == "text":
		return `write text.contains("part")`
	case op == operators.In && strings.HasPrefix(names[1], "a list"):
		return "the elements of the list are of another type"
	case op == operators.In:
		return "after in stands a list or a map"
	case has("timestamp") && has("string") && op == operators.Subtract, has("timestamp") && number && (op == operators.Subtract || op == operators.Add):
		return `a time and a duration go together: now - duration("1h")`
	case has("timestamp") && has("string"):
		return "make a time of the text: parse_time(text)"
	case has("timestamp") && number:
		return "make a time of the number: parse_time(number), or a number of the time: epoch_ms(time)"
	case has("duration") && (has("string") || number):
		return `write a duration as duration("15m")`
	case op == operators.LogicalAnd || op == operators.LogicalOr:
		return "compare each with something: == != < >"
	case has("string") && number && op == operators.Add:
		return "make text of the number: string(number)"
	case has("string") && number:
		for _, l := range literals {
			if _, err := strconv.ParseFloat(l, 64); err == nil {
				return "leave out the quotes: " + l
			}
		}
		return "make a number of the text: int(text), or text of the number: string(number)"
	case has("list") && op == operators.Add:
		return "only lists can be added to a list: list + [value]"
	case has("map") && op == operators.Add:
		return "write merge(one, other)"
	case has("null"):
		return "null can be compared only; give it a default: value.?field.orValue(…)"
	default:
		return ""
	}
}
