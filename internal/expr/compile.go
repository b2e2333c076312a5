package expr

import (
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// A Program is one compiled expression.
type Program struct {
	prog cel.Program
	env  *Env
	ast  *ast.AST
	src  string
	refs [][]string
}

// Compile compiles an expression with any result. Errors are *Error.
func (e *Env) Compile(src string) (*Program, error) {
	p, _, err := e.compile(src)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// CompileBool compiles a condition: the result must be true or false, or of a
// type that only evaluation can tell. Errors are *Error.
func (e *Env) CompileBool(src string) (*Program, error) {
	p, out, err := e.compile(src)
	if err != nil {
		return nil, err
	}
	if out.Kind() != types.BoolKind && out.Kind() != types.DynKind {
		return nil, &Error{
			Column: 1, Msg: "a condition must be true or false, this is " + typeName(out),
			Hint: boolHint(out),
		}
	}
	return p, nil
}

func (e *Env) compile(src string) (*Program, *cel.Type, *Error) {
	if err := checkSource(src); err != nil {
		return nil, nil, err
	}
	parsed, iss := e.cel.Parse(src)
	if err := e.compileError(src, nil, iss); err != nil {
		return nil, nil, err
	}
	tree := parsed.NativeRep()
	w := newWalker(e, src, tree)
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	checked, iss := e.cel.Check(parsed)
	if err := e.compileError(src, tree, iss); err != nil {
		return nil, nil, err
	}
	g := newGuard(checked.NativeRep())
	g.visit(checked.NativeRep().Expr())
	prog, err := e.cel.Program(checked, programOptions(g.loops)...)
	if err != nil {
		return nil, nil, planError(err)
	}
	return &Program{prog: prog, env: e, ast: checked.NativeRep(), src: src, refs: w.refs}, checked.OutputType(), nil
}

func checkSource(src string) *Error {
	switch {
	case strings.TrimSpace(src) == "":
		return &Error{Column: 1, Msg: "the expression is empty"}
	case len(src) > maxSource:
		return &Error{Column: 1, Msg: "the expression is longer than 16 KiB", Hint: "split it into several steps"}
	case !utf8.ValidString(src):
		return &Error{Column: 1, Msg: "the expression is not UTF-8"}
	}
	return nil
}

// Refs returns the paths that the expression selects, rooted at variables and
// as far as they are known before evaluation: steps.triage.answer == "x" gives
// ["steps", "triage", "answer"]. Each path is there once, in order of the text.
func (p *Program) Refs() [][]string { return p.refs }
