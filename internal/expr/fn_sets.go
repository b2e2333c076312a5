package expr

import (
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// setFunctions are those of CEL's extensions on lists as sets. CEL's own
// compare each element with each; these look elements up.
func setFunctions() []function {
	two := with(tListA, tListA)
	set := func(name, id string, member bool, impl func([]ref.Val) ref.Val) function {
		return function{name, []overload{{id, member, two, tBool, impl}}}
	}
	return []function{
		{"distinct", []overload{{"list_distinct", true, with(tListA), tListA, distinct}}},
		set("sets.contains", "list_sets_contains_list", false, hasAll),
		set("sets.equivalent", "list_sets_equivalent_list", false, hasExactly),
		set("sets.intersects", "list_sets_intersects_list", false, hasAny),
		set("hasAll", "list_hasAll_list", true, hasAll),
		set("hasOnly", "list_hasOnly_list", true, func(a []ref.Val) ref.Val { return hasAll([]ref.Val{a[1], a[0]}) }),
		set("hasAny", "list_hasAny_list", true, hasAny),
		set("hasExactly", "list_hasExactly_list", true, hasExactly),
	}
}

// elements calls f with the identity of each element until f returns false.
func elements(v ref.Val, f func(id string, v ref.Val) bool) error {
	l, ok := v.(traits.Lister)
	if !ok {
		return errTooMany // unreachable: CEL calls with lists only
	}
	n := sizeOf(l)
	if n < 0 || n > maxItems {
		return errTooMany
	}
	for i := range n {
		el := l.Get(types.Int(i))
		id, err := identity(el)
		if err != nil {
			return err
		}
		if !f(id, el) {
			return nil
		}
	}
	return nil
}

// identity returns a text that is the same for equal values: 4 and 4.0 are.
func identity(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return `"` + string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	}
	b, err := toJSONText(v)
	if err != nil {
		return "", err
	}
	switch v.(type) {
	case types.Bytes, types.Timestamp, types.Duration:
		return v.Type().TypeName() + string(b), nil
	}
	return string(b), nil
}

func set(v ref.Val) (map[string]bool, error) {
	m := map[string]bool{}
	err := elements(v, func(id string, _ ref.Val) bool { m[id] = true; return true })
	return m, err
}

func hasAll(a []ref.Val) ref.Val {
	all, err := set(a[0])
	if err != nil {
		return types.WrapErr(err)
	}
	found := true
	if err := elements(a[1], func(id string, _ ref.Val) bool { found = all[id]; return found }); err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(found)
}

func hasAny(a []ref.Val) ref.Val {
	all, err := set(a[0])
	if err != nil {
		return types.WrapErr(err)
	}
	found := false
	if err := elements(a[1], func(id string, _ ref.Val) bool { found = all[id]; return !found }); err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(found)
}

func hasExactly(a []ref.Val) ref.Val {
	if r := hasAll(a); r != types.True {
		return r
	}
	return hasAll([]ref.Val{a[1], a[0]})
}

// distinct keeps the first of equal elements.
func distinct(a []ref.Val) ref.Val {
	seen := map[string]bool{}
	out := []ref.Val{}
	err := elements(a[0], func(id string, v ref.Val) bool {
		if !seen[id] {
			seen[id] = true
			out = append(out, v)
		}
		return true
	})
	if err != nil {
		return types.WrapErr(err)
	}
	return valueList(out)
}
