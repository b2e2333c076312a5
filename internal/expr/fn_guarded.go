package expr

import (
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// guardedText are those functions of CEL's extension on text that can make
// much of little: as theirs, with a limit.
func guardedText() []function {
	tList := cel.ListType(tString)
	return []function{
		{"replace", []overload{
			{"string_replace_string_string", true, with(tString, tString, tString), tString, func(a []ref.Val) ref.Val {
				return replace(str(a[0]), str(a[1]), str(a[2]), -1)
			}},
			{"string_replace_string_string_int", true, with(tString, tString, tString, tInt), tString, func(a []ref.Val) ref.Val {
				return replace(str(a[0]), str(a[1]), str(a[2]), integer(a[3]))
			}},
		}},
		{"split", []overload{
			{"string_split_string", true, with(tString, tString), tList, func(a []ref.Val) ref.Val {
				return split(str(a[0]), str(a[1]), -1)
			}},
			{"string_split_string_int", true, with(tString, tString, tInt), tList, func(a []ref.Val) ref.Val {
				return split(str(a[0]), str(a[1]), integer(a[2]))
			}},
		}},
		{"join", []overload{
			{"list_join", true, with(tList), tString, func(a []ref.Val) ref.Val { return joinText(a[0], "") }},
			{"list_join_string", true, with(tList, tString), tString, func(a []ref.Val) ref.Val { return joinText(a[0], str(a[1])) }},
		}},
	}
}

func replace(s, old, with string, limit int64) ref.Val {
	n := int64(strings.Count(s, old))
	if limit >= 0 {
		n = min(n, limit)
	}
	if n*int64(len(with)) > maxResult {
		return tooLarge()
	}
	return textResult(strings.Replace(s, old, with, int(n)))
}

func split(s, sep string, limit int64) ref.Val {
	n := strings.Count(s, sep) + 1
	if sep == "" {
		n = utf8.RuneCountInString(s)
	}
	if limit >= 0 {
		n = int(min(int64(n), limit))
	}
	if n > maxItems {
		return tooMany()
	}
	return textList(strings.SplitN(s, sep, n))
}

func joinText(v ref.Val, sep string) ref.Val {
	l, ok := v.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	var b strings.Builder
	for i := range sizeOf(l) {
		s, ok := l.Get(types.Int(i)).(types.String)
		if !ok {
			return fail("join() needs a list of text; write list.map(x, string(x)).join()")
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(string(s))
		if b.Len() > maxResult {
			return tooLarge()
		}
	}
	return types.String(b.String())
}
