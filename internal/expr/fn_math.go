package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// mathFunctions let the functions of CEL's extension for doubles take integers
// too: what is 47.5 in one alert is 47 in the next.
func mathFunctions() []function {
	var fs []function
	for _, name := range []string{"math.ceil", "math.floor", "math.round", "math.trunc"} {
		fs = append(fs, function{name, []overload{{"own_" + name, false, with(tInt), tDouble, func(a []ref.Val) ref.Val {
			return types.Double(integer(a[0]))
		}}}})
	}
	for name, result := range map[string]types.Bool{"math.isNaN": false, "math.isInf": false, "math.isFinite": true} {
		fs = append(fs, function{name, []overload{{"own_" + name, false, with(tInt), tBool, func([]ref.Val) ref.Val {
			return result
		}}}})
	}
	return fs
}
