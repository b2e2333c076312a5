package expr

import (
	"errors"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

func collectionFunctions() []function {
	tMap := cel.MapType(tDyn, tDyn)
	return []function{
		one("first", with(tListA), cel.OptionalType(tA), func(a []ref.Val) ref.Val {
			if l, ok := a[0].(traits.Lister); ok && sizeOf(l) > 0 {
				return types.OptionalOf(l.Get(types.Int(0)))
			}
			return types.OptionalNone
		}),
		one("distinct", with(tListA), tListA, distinct),
		one("flatten", with(cel.ListType(tDyn)), cel.ListType(tDyn), func(a []ref.Val) ref.Val {
			out, err := flatten(nil, a[0], 0)
			if err != nil {
				return types.WrapErr(err)
			}
			return valueList(out)
		}),
		one("keys", with(cel.MapType(tA, tDyn)), tListA, func(a []ref.Val) ref.Val {
			if m, ok := a[0].(traits.Mapper); ok {
				return valueList(sortedKeys(m))
			}
			return valueList(nil)
		}),
		one("values", with(cel.MapType(tDyn, tA)), tListA, values),
		{"get", []overload{
			{"get_path", false, with(tDyn, tString), tDyn, func(a []ref.Val) ref.Val { return get(a[0], str(a[1]), types.NullValue) }},
			{"get_default", false, with(tDyn, tString, tDyn), tDyn, func(a []ref.Val) ref.Val { return get(a[0], str(a[1]), a[2]) }},
		}},
		one("merge", with(tMap, tMap), tMap, merge),
		{"compact", []overload{
			{"compact_list", false, with(tListA), tListA, compact},
			{"compact_map", false, with(tMap), tMap, compact},
		}},
	}
}

func tooMany() ref.Val { return types.WrapErr(errTooMany) }

var errTooMany = errors.New("the result has more than 250,000 elements")

// flatten appends the elements of lists in lists, however deep.
func flatten(out []ref.Val, v ref.Val, depth int) ([]ref.Val, error) {
	l, ok := v.(traits.Lister)
	if !ok {
		return append(out, v), nil
	}
	if depth > maxDepth {
		return nil, errTooDeep
	}
	n := sizeOf(l)
	if n > maxItems {
		return nil, errTooMany
	}
	for i := range n {
		var err error
		if out, err = flatten(out, l.Get(types.Int(i)), depth+1); err != nil {
			return nil, err
		}
		if len(out) > maxItems {
			return nil, errTooMany
		}
	}
	return out, nil
}

func values(a []ref.Val) ref.Val {
	m, ok := a[0].(traits.Mapper)
	if !ok {
		return types.MaybeNoSuchOverloadErr(a[0])
	}
	keys := sortedKeys(m)
	out := make([]ref.Val, len(keys))
	for i, k := range keys {
		out[i] = m.Get(k)
	}
	return valueList(out)
}

// get follows a path such as a.b[0]["x.y"] as far as the value has it. What is
// missing, null, or not of the shape that the path wants, gives the default.
func get(v ref.Val, path string, byDefault ref.Val) ref.Val {
	steps, err := parsePath(path)
	if err != nil {
		return types.WrapErr(err)
	}
	for _, s := range steps {
		next, ok := step(v, s)
		if !ok {
			return byDefault
		}
		v = next
	}
	if v == types.NullValue {
		return byDefault
	}
	return v
}

func step(v ref.Val, key ref.Val) (ref.Val, bool) {
	switch c := v.(type) {
	case traits.Mapper:
		if i, ok := key.(types.Int); ok { // a map may have the key "0"
			key = types.String(strconv.FormatInt(int64(i), 10))
		}
		return c.Find(key)
	case traits.Lister:
		i, ok := key.(types.Int)
		if !ok || i < 0 || int(i) >= sizeOf(c) {
			return nil, false
		}
		return c.Get(i), true
	default:
		return nil, false
	}
}

var errPath = errors.New(`get() needs a path such as a.b[0].c or a["x.y"]`)

// parsePath cuts a path into text and numbers.
func parsePath(path string) ([]ref.Val, error) {
	var steps []ref.Val
	for rest := path; rest != ""; {
		if quoted, ok := strings.CutPrefix(rest, `["`); ok {
			key, after, ok := strings.Cut(quoted, `"]`)
			if !ok {
				return nil, errPath
			}
			steps, rest = append(steps, types.String(key)), after
			continue
		}
		if rest[0] == '[' {
			inside, after, ok := strings.Cut(rest[1:], "]")
			i, err := strconv.ParseUint(inside, 10, 31)
			if !ok || err != nil {
				return nil, errPath
			}
			steps, rest = append(steps, types.Int(i)), after
			continue
		}
		if len(steps) > 0 {
			if rest[0] != '.' {
				return nil, errPath
			}
			rest = rest[1:]
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, errPath
		}
		steps, rest = append(steps, types.String(rest[:end])), rest[end:]
	}
	return steps, nil
}

// merge has the entries of both; the second wins.
func merge(a []ref.Val) ref.Val {
	out := map[ref.Val]ref.Val{}
	for _, v := range a {
		m, ok := v.(traits.Mapper)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		if sizeOf(m)+len(out) > maxItems {
			return tooMany()
		}
		for it := m.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			out[k] = m.Get(k)
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(out)
}

// compact drops null, "", [] and {}; only at the top.
func compact(a []ref.Val) ref.Val {
	switch c := a[0].(type) {
	case traits.Lister:
		n := sizeOf(c)
		if n > maxItems || n < 0 {
			return tooMany()
		}
		out := make([]ref.Val, 0, n)
		for i := range n {
			if v := c.Get(types.Int(i)); !isEmpty(v) {
				out = append(out, v)
			}
		}
		return valueList(out)
	case traits.Mapper:
		out := map[ref.Val]ref.Val{}
		for it := c.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			if v := c.Get(k); !isEmpty(v) {
				out[k] = v
			}
		}
		return types.DefaultTypeAdapter.NativeToValue(out)
	default:
		return types.MaybeNoSuchOverloadErr(a[0])
	}
}

func isEmpty(v ref.Val) bool {
	switch v := v.(type) {
	case types.Null:
		return true
	case types.String:
		return v == ""
	case *types.Optional:
		return !v.HasValue()
	case traits.Sizer:
		return sizeOf(v) == 0
	default:
		return false
	}
}
