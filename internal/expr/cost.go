package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// programOptions bound the work of one evaluation.
//
// Without a macro that loops each node runs at most once, and each function
// bounds its own work and result: nothing needs counting, and a condition on an
// alert costs half a microsecond. With one, CEL counts units of work (about a
// microsecond more for the same condition) and stops at maxCost. There is no
// limit by the clock: the same values must give the same result.
func programOptions(loops bool) []cel.ProgramOption {
	opts := []cel.ProgramOption{
		cel.OptimizeRegex(compiledRegexes()...),
		cel.EvalOptions(cel.OptOptimize),
	}
	if loops {
		opts = append(opts, cel.CostTracking(ownCost{}), cel.CostLimit(maxCost))
	}
	return opts
}

// ownCost tells CEL what it does not know of cost; what it does know is nil.
type ownCost struct{}

// CallCost implements cost.ActualCostEstimator. A unit is about ten bytes, or
// one node. CEL knows functions by their overloads; where only the values tell
// which one is meant, overload is empty.
func (ownCost) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	units := uint64(1)
	switch {
	case isOwn[function]:
		if isMatcher(function) {
			units += uint64(len(str(args[0])))
		}
		for _, a := range args {
			if deep[function] {
				units += weight(a)
			} else {
				units += shallowWeight(a)
			}
		}
		if function != sized && function != inOrder {
			units += shallowWeight(result)
		}
	case function == operators.Equals || function == operators.NotEquals || function == operators.In:
		units += weight(args[0]) + weight(args[1])
	case overload == "":
		for _, a := range args {
			units += shallowWeight(a)
		}
		units += shallowWeight(result)
	default:
		return nil
	}
	return &units
}

// isOwn holds the names of functions of which CEL knows no cost, or another
// one. Read only.
var isOwn = func() map[string]bool {
	m := map[string]bool{"base64.decode": true, "base64.encode": true}
	for _, f := range slices.Concat(ownFunctions(), guardedRegex(), setFunctions(), internalFunctions()) {
		m[f.name] = true
	}
	return m
}()

// deep holds the names of those functions that look at all of their arguments.
// Read only.
var deep = func() map[string]bool {
	m := map[string]bool{"to_json": true, "flatten": true, sized: true}
	for _, f := range setFunctions() {
		m[f.name] = true
	}
	return m
}()

// weight goes down to the leaves.
func weight(v ref.Val) uint64 {
	switch v.(type) {
	case traits.Lister, traits.Mapper:
		g := gauge{left: maxResult}
		if err := g.value(v, 0); err == errTooLarge { //nolint:errorlint // never wrapped
			return maxResult / 10
		}
		return uint64(maxResult-g.left) / 10
	default:
		return shallowWeight(v)
	}
}

// shallowWeight looks at the value itself only.
func shallowWeight(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / 10
	case types.Bytes:
		return uint64(len(v)) / 10
	case traits.Sizer:
		return uint64(max(0, sizeOf(v))) / 10
	default:
		return 0
	}
}
