package expr

import (
	"errors"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

func typeName(t ref.Type) string { return t.TypeName() }

func boolHint(ref.Type) string { return "compare it with something: == != < >" }

func oneOf(none, prefix string, names []string) string {
	if len(names) == 0 {
		return none
	}
	return prefix + strings.Join(names, ", ")
}

func (e *Env) compileError(_ string, _ *ast.AST, iss *cel.Issues) *Error {
	if iss.Err() == nil {
		return nil
	}
	first := iss.Errors()[0]
	return &Error{Column: first.Location.Column() + 1, Msg: first.Message}
}

func planError(err error) *Error { return &Error{Column: 1, Msg: err.Error()} }

func (p *Program) runtimeError(_ map[string]any, err error) *Error {
	e := &Error{Column: 1, Msg: err.Error()}
	var t *types.Err
	if errors.As(err, &t) {
		e.Column = p.ast.SourceInfo().GetStartLocation(t.NodeID()).Column() + 1
	}
	return e
}
