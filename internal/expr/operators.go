package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// JSON does not tell 4 from 4.0, so one field may be an integer today and a
// fraction tomorrow. CEL refuses 4 + 0.5. We replace its operators of
// arithmetic by ones that also take an integer and a double, and give a double.

// replaced are the functions of CEL's library that we define anew.
func replaced() []*env.Function {
	fs := []*env.Function{env.NewFunction(overloads.Matches), env.NewFunction(operators.Negate)}
	for op := range arithmetic() {
		fs = append(fs, env.NewFunction(op))
	}
	return fs
}

type arith = func(l, r ref.Val) ref.Val

func arithmetic() map[string]arith {
	return map[string]arith{
		operators.Add: add,
		operators.Subtract: func(l, r ref.Val) ref.Val {
			if n, ok := l.(traits.Subtractor); ok {
				return n.Subtract(r)
			}
			return noOperands()
		},
		operators.Multiply: func(l, r ref.Val) ref.Val {
			if n, ok := l.(traits.Multiplier); ok {
				return n.Multiply(r)
			}
			return noOperands()
		},
		operators.Divide: func(l, r ref.Val) ref.Val {
			if n, ok := l.(traits.Divider); ok {
				return n.Divide(r)
			}
			return noOperands()
		},
		operators.Modulo: func(l, r ref.Val) ref.Val {
			if n, ok := l.(traits.Modder); ok {
				return n.Modulo(r)
			}
			return noOperands()
		},
	}
}

// noOperands is a new error: the one that CEL shares cannot carry its place.
func noOperands() ref.Val { return types.NewErr("no such overload") }

func operatorFunctions() []cel.EnvOption {
	var out []cel.EnvOption
	ops := arithmetic()
	for _, std := range stdlib.Functions() {
		var opts []cel.FunctionOpt
		op, isArithmetic := ops[std.Name()]
		switch {
		case isArithmetic:
			opts = append(opts, cel.SingletonBinaryBinding(mixed(op)))
		case std.Name() == operators.Negate:
			opts = append(opts, cel.SingletonUnaryBinding(negate))
		default:
			continue
		}
		if isArithmetic && std.Name() != operators.Modulo {
			opts = append(opts,
				cel.Overload("mixed_int_double"+std.Name(), []*cel.Type{cel.IntType, cel.DoubleType}, cel.DoubleType),
				cel.Overload("mixed_double_int"+std.Name(), []*cel.Type{cel.DoubleType, cel.IntType}, cel.DoubleType))
		}
		for _, o := range std.OverloadDecls() {
			opts = append(opts, cel.Overload(o.ID(), slices.Clone(o.ArgTypes()), o.ResultType()))
		}
		out = append(out, cel.Function(std.Name(), opts...))
	}
	return out
}

// mixed makes both numbers doubles when one is.
func mixed(op arith) arith {
	return func(l, r ref.Val) ref.Val {
		switch a := l.(type) {
		case types.Int:
			if _, ok := r.(types.Double); ok {
				return op(types.Double(a), r)
			}
		case types.Double:
			if b, ok := r.(types.Int); ok {
				return op(l, types.Double(b))
			}
		}
		return op(l, r)
	}
}

// add bounds the text that it makes.
func add(l, r ref.Val) ref.Val {
	switch a := l.(type) {
	case types.String:
		if b, ok := r.(types.String); ok && len(a)+len(b) > maxResult {
			return tooLarge()
		}
	case types.Bytes:
		if b, ok := r.(types.Bytes); ok && len(a)+len(b) > maxResult {
			return tooLarge()
		}
	}
	if n, ok := l.(traits.Adder); ok {
		return n.Add(r)
	}
	return noOperands()
}

func negate(v ref.Val) ref.Val {
	switch n := v.(type) {
	case types.Int:
		return n.Negate()
	case types.Double:
		return n.Negate()
	default:
		return noOperands()
	}
}
