package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A function is one of our own. docs/expressions.md has an example of each.
type function struct {
	name      string
	overloads []overload
}

// An overload is one form of a function. CEL calls it only with values of the
// types in args, so impl need not look again.
type overload struct {
	id     string
	member bool // x.f(y) instead of f(x, y)
	args   []*cel.Type
	result *cel.Type
	impl   func(args []ref.Val) ref.Val
}

func (f function) option() cel.EnvOption {
	opts := make([]cel.FunctionOpt, len(f.overloads))
	for i, o := range f.overloads {
		form := cel.Overload
		if o.member {
			form = cel.MemberOverload
		}
		opts[i] = form(o.id, o.args, o.result, cel.FunctionBinding(func(args ...ref.Val) ref.Val {
			return o.impl(args)
		}))
	}
	return cel.Function(f.name, opts...)
}

// ownFunctions are what we add to CEL.
func ownFunctions() []function {
	return slices.Concat(timeFunctions(), netFunctions(), textFunctions(), regexFunctions(),
		encodingFunctions(), collectionFunctions())
}

// guardedFunctions have the names and the meaning of CEL's, but bound work and
// result, which with CEL's own may grow as the product of two inputs.
func guardedFunctions() []function {
	return slices.Concat(guardedText(), guardedRegex(), setFunctions(), guardedTime(), mathFunctions(), internalFunctions())
}

// Short names of types, for the tables.
var (
	tDyn    = cel.DynType
	tString = cel.StringType
	tInt    = cel.IntType
	tDouble = cel.DoubleType
	tBool   = cel.BoolType
	tBytes  = cel.BytesType
	tTime   = cel.TimestampType
	tA      = cel.TypeParamType("A")
	tListA  = cel.ListType(tA)
)

func with(ts ...*cel.Type) []*cel.Type { return ts }

// one is a function with one form.
func one(name string, args []*cel.Type, result *cel.Type, impl func([]ref.Val) ref.Val) function {
	return function{name, []overload{{id: "own_" + name, args: args, result: result, impl: impl}}}
}

// onText is a function from text to text.
func onText(name string, f func(string) string) function {
	return one(name, with(tString), tString, func(a []ref.Val) ref.Val {
		return textResult(f(str(a[0])))
	})
}

func str(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// textOrBytes returns the bytes of either.
func textOrBytes(v ref.Val) []byte {
	if b, ok := v.(types.Bytes); ok {
		return b
	}
	return []byte(str(v))
}

func integer(v ref.Val) int64 {
	n, _ := v.(types.Int)
	return int64(n)
}

func textResult(s string) ref.Val {
	if len(s) > maxResult {
		return tooLarge()
	}
	return types.String(s)
}

func textList(ss []string) ref.Val {
	return types.DefaultTypeAdapter.NativeToValue(ss)
}

func valueList(vs []ref.Val) ref.Val {
	return types.DefaultTypeAdapter.NativeToValue(vs)
}

func fail(format string, args ...any) ref.Val { return types.NewErr(format, args...) }

func tooLarge() ref.Val { return types.WrapErr(errTooLarge) }
