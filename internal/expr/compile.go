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
			Hint: boolHint(out.TypeName()),
		}
	}
	return p, nil
}

// compile parses, checks paths, checks types, guards and plans, in this order.
func (e *Env) compile(src string) (p *Program, out *cel.Type, err *Error) {
	if err := checkSource(src); err != nil {
		return nil, nil, err
	}
	// CEL evaluates constant parts while it plans, and not all of its failures
	// there are errors.
	defer func() {
		if recover() != nil {
			p, out, err = nil, nil, &Error{Column: 1, Msg: "the expression cannot be compiled"}
		}
	}()
	parsed, iss := e.cel.Parse(src)
	if err := e.compileError(src, nil, iss); err != nil {
		return nil, nil, err
	}
	tree := parsed.NativeRep()
	w := newWalker(e, src, tree)
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	checked, iss := e.check(parsed)
	if err := e.compileError(src, tree, iss); err != nil {
		return nil, nil, err
	}
	tree = checked.NativeRep()
	g := newGuard(tree)
	if err := g.run(); err != nil {
		return nil, nil, err
	}
	prog, planErr := e.cel.Program(checked, programOptions(g.loops)...)
	if planErr != nil {
		return nil, nil, planError(src, tree, planErr)
	}
	return &Program{prog: prog, env: e, ast: tree, src: src, refs: w.refs}, checked.OutputType(), nil
}

// check checks types. What JSON makes no difference of is let through.
func (e *Env) check(parsed *cel.Ast) (*cel.Ast, *cel.Issues) {
	for {
		checked, iss := e.cel.Check(parsed)
		if iss.Err() == nil || !relax(parsed.NativeRep(), iss.Errors()[0]) {
			return checked, iss
		}
	}
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
