package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
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

// ownCost tells CEL what our functions cost; what it knows itself is nil.
type ownCost struct{}

// CallCost implements cost.ActualCostEstimator. A unit is about ten bytes, or
// one node.
func (ownCost) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	if !isOwn[function] {
		return nil
	}
	units := uint64(1)
	if isMatcher(function) {
		units += uint64(len(str(args[0])))
	}
	for _, a := range args {
		units += weight(a)
	}
	if function != sized && function != inOrder {
		units += weight(result)
	}
	return &units
}

// isOwn holds the names of functions for which CEL has no cost. Read only.
var isOwn = func() map[string]bool {
	m := map[string]bool{"base64.decode": true, "base64.encode": true}
	for _, f := range slices.Concat(ownFunctions(), guardedRegex(), internalFunctions()) {
		m[f.name] = true
	}
	return m
}()

func weight(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / 10
	case types.Bytes:
		return uint64(len(v)) / 10
	case traits.Lister, traits.Mapper:
		g := gauge{left: maxResult}
		if err := g.value(v, 0); err == errTooLarge { //nolint:errorlint // never wrapped
			return maxResult / 10
		}
		return uint64(maxResult-g.left) / 10
	default:
		return 0
	}
}
