package expr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// A Var is a variable that expressions may use.
type Var struct {
	Name string
	Type *Type
}

// An Env compiles expressions over its variables. It is immutable.
type Env struct {
	cel   *cel.Env
	types map[string]*Type
	objs  *objects
}

// NewEnv returns an environment with these variables, the functions of CEL and
// our own.
func NewEnv(vars ...Var) (*Env, error) {
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	e := &Env{types: make(map[string]*Type, len(vars)), objs: &objects{
		Provider: base.CELTypeProvider(), names: map[*Type]string{}, byName: map[string]*Type{},
	}}
	opts := make([]cel.EnvOption, 0, len(vars)+1)
	opts = append(opts, cel.CustomTypeProvider(e.objs))
	for _, v := range vars {
		if !nameRE.MatchString(v.Name) || slices.Contains(reserved, v.Name) {
			return nil, fmt.Errorf("declare variable %q: not a name that an expression can use", v.Name)
		}
		if _, twice := e.types[v.Name]; twice {
			return nil, fmt.Errorf("declare variable %q: declared twice", v.Name)
		}
		e.types[v.Name] = v.Type
		e.objs.add(v.Name, v.Type)
		opts = append(opts, cel.Variable(v.Name, e.objs.cel(v.Type)))
	}
	if e.cel, err = base.Extend(opts...); err != nil {
		return nil, fmt.Errorf("declare variables: %w", err)
	}
	return e, nil
}

// names returns the names of all variables in order.
func (e *Env) names() []string { return slices.Sorted(maps.Keys(e.types)) }

var nameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reserved words of the language definition.
var reserved = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in",
	"let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
}

// baseEnv has everything but variables. It is made once: its declarations are
// never written after.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{ExcludeFunctions: replaced()})),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxNesting),
		cel.RegexProgramSizeLimit(maxRegexNodes),
		ext.Strings(),
		ext.Lists(ext.ListsMaxRangeSize(maxRange)),
		ext.Math(),
		ext.Encoders(ext.EncodersVersion(0)), // later versions read YAML, and JSON of another kind
		ext.Bindings(),
		ext.Sets(),
		ext.TwoVarComprehensions(),
		ext.Regex(),
		cel.Macros(macros()...),
	}
	opts = append(opts, operatorFunctions()...)
	for _, f := range append(guardedFunctions(), ownFunctions()...) {
		opts = append(opts, f.option())
	}
	// CEL shares this error among all evaluations, and the first writes its
	// place into it. Give it one now, so that none does.
	types.LabelErrNode(-1, types.NoSuchOverloadErr())
	base, err := cel.NewCustomEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("build the expression language: %w", err)
	}
	return base, nil
})
