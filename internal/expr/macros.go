package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// macros are those of our functions that are short for an expression.
func macros() []cel.Macro {
	return []cel.Macro{
		// ago(d) is now - duration(d): time is a variable, never a clock.
		cel.GlobalMacro("ago", 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return f.NewCall(operators.Subtract, f.NewIdent("now"), f.NewCall("duration", args[0])), nil
		}),
	}
}
