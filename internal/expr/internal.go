package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// inOrder is the function that the compiler puts around what a macro walks.
// No author can type its name.
const inOrder = "@in_order"

func internalFunctions() []function {
	a := cel.TypeParamType("A")
	return []function{
		{inOrder, []cel.FunctionOpt{
			cel.Overload("in_order", []*cel.Type{a}, a, cel.UnaryBinding(func(v ref.Val) ref.Val {
				if m, ok := v.(traits.Mapper); ok {
					return newSortedMap(m)
				}
				return v
			})),
		}},
	}
}
