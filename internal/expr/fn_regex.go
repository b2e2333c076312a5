package expr

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// A matcher is a function whose second argument is a regular expression of the
// RE2 kind, which takes time linear in the text. A literal one is compiled
// with the program.
type matcher struct {
	name string
	id   string
	more []*cel.Type // arguments after text and expression
	out  *cel.Type
	impl func(re *regexp.Regexp, s string, more []ref.Val) ref.Val
}

func regexFunctions() []function { return matcherFunctions(ownMatchers()) }

func guardedRegex() []function {
	fs := matcherFunctions(celMatchers())
	m := celMatchers()[0]
	return append(fs, function{m.name, []overload{{"matches_string", true, with(tString, tString), tBool, m.call}}})
}

func matcherFunctions(ms []matcher) []function {
	fs := make([]function, len(ms))
	for i, m := range ms {
		fs[i] = function{m.name, []overload{{m.id, false, append(with(tString, tString), m.more...), m.out, m.call}}}
	}
	return fs
}

func ownMatchers() []matcher {
	return []matcher{
		{"re_match", "own_re_match", nil, tBool, reMatch},
		{"re_find", "own_re_find", nil, tString, func(re *regexp.Regexp, s string, _ []ref.Val) ref.Val {
			return types.String(group(re.FindStringSubmatch(s)))
		}},
		{"re_find_all", "own_re_find_all", nil, cel.ListType(tString), reFindAll},
		{"re_replace", "own_re_replace", with(tString), tString, reReplace},
	}
}

// celMatchers are those of CEL and of its extension; matches comes first.
func celMatchers() []matcher {
	return []matcher{
		{"matches", "matches_text", nil, tBool, reMatch},
		{
			"regex.extract", "regex_extract_string_string", nil, cel.OptionalType(tString),
			func(re *regexp.Regexp, s string, _ []ref.Val) ref.Val {
				if found := group(re.FindStringSubmatch(s)); found != "" {
					return types.OptionalOf(types.String(found))
				}
				return types.OptionalNone
			},
		},
		{"regex.extractAll", "regex_extractAll_string_string", nil, cel.ListType(tString), reFindAll},
		{
			"regex.replace", "regex_replace_string_string_string", with(tString), tString,
			func(re *regexp.Regexp, s string, more []ref.Val) ref.Val {
				return expandAll(re, s, dollars(str(more[0])), -1)
			},
		},
		{
			"regex.replace", "regex_replace_string_string_string_int", with(tString, tInt), tString,
			func(re *regexp.Regexp, s string, more []ref.Val) ref.Val {
				return expandAll(re, s, dollars(str(more[0])), integer(more[1]))
			},
		},
	}
}

func (m matcher) call(args []ref.Val) ref.Val {
	re, err := compileRegex(str(args[1]))
	var wrong *syntax.Error
	if errors.As(err, &wrong) { // do not quote what may come from outside
		return fail("the regular expression is wrong: %s", wrong.Code)
	}
	if err != nil {
		return types.WrapErr(err)
	}
	return m.run(re, args)
}

func (m matcher) run(re *boundedRegex, args []ref.Val) ref.Val {
	s := str(args[0])
	if re.size*len(s) > maxRegexWork {
		return fail("the text of %d bytes is too long for this regular expression", len(s))
	}
	return m.impl(re.Regexp, s, args[2:])
}

// compiledRegexes has literal regular expressions compiled once.
func compiledRegexes() []*interpreter.RegexOptimization {
	var out []*interpreter.RegexOptimization
	for _, m := range append(ownMatchers(), celMatchers()...) {
		ids := []string{m.id}
		if m.name == "matches" {
			ids = append(ids, "matches_string")
		}
		for _, id := range ids {
			out = append(out, &interpreter.RegexOptimization{
				Function: m.name, OverloadID: id, RegexIndex: 1,
				Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
					re, err := compileRegex(pattern)
					if err != nil {
						return nil, err
					}
					return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(),
						func(args ...ref.Val) ref.Val {
							if _, ok := args[0].(types.String); !ok || len(args) != 2+len(m.more) {
								return types.MaybeNoSuchOverloadErr(args[0])
							}
							return m.run(re, args)
						}), nil
				},
			})
		}
	}
	return out
}

// isMatcher says whether the second argument of the function is an expression.
func isMatcher(name string) bool {
	for _, m := range append(ownMatchers(), celMatchers()...) {
		if m.name == name {
			return true
		}
	}
	return false
}

// boundedRegex knows the number of its instructions, about.
type boundedRegex struct {
	*regexp.Regexp
	size int
}

func compileRegex(pattern string) (*boundedRegex, error) {
	if len(pattern) > maxRegex {
		return nil, fmt.Errorf("the regular expression is longer than %d bytes", maxRegex)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the regular expression is wrong: %w", err)
	}
	size := regexSize(tree)
	if size > maxRegexNodes {
		return nil, fmt.Errorf("the regular expression repeats too much: more than %d instructions", maxRegexNodes)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("the regular expression is wrong: %w", err)
	}
	return &boundedRegex{re, size}, nil
}

// regexSize counts what repetition unfolds to, without unfolding it.
func regexSize(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += regexSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return min(n, 1<<30)
}

func reMatch(re *regexp.Regexp, s string, _ []ref.Val) ref.Val { return types.Bool(re.MatchString(s)) }

// group returns the first group, or all when there is none.
func group(match []string) string {
	if len(match) == 0 {
		return ""
	}
	return match[min(1, len(match)-1)]
}

func reFindAll(re *regexp.Regexp, s string, _ []ref.Val) ref.Val {
	matches := re.FindAllStringSubmatch(s, maxItems+1)
	if len(matches) > maxItems {
		return tooMany()
	}
	found := []string{}
	for _, m := range matches {
		if g := group(m); g != "" {
			found = append(found, g)
		}
	}
	return textList(found)
}

func reReplace(re *regexp.Regexp, s string, more []ref.Val) ref.Val {
	return expandAll(re, s, str(more[0]), -1)
}

// expandAll replaces up to limit matches (all when it is negative) by what the
// template makes of them.
func expandAll(re *regexp.Regexp, s, template string, limit int64) ref.Val {
	matches := re.FindAllStringSubmatchIndex(s, maxItems+1)
	if len(matches) > maxItems {
		return tooMany()
	}
	var out []byte
	last := 0
	for i, m := range matches {
		if limit >= 0 && int64(i) >= limit {
			break
		}
		out = append(out, s[last:m[0]]...)
		out = re.ExpandString(out, template, s, m)
		last = m[1]
		if len(out) > maxResult {
			return tooLarge()
		}
	}
	return textResult(string(append(out, s[last:]...)))
}

// dollars turns the \1 of CEL's extension into Go's ${1}.
func dollars(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			b.WriteString("$$")
		case c == '\\' && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9':
			i++
			b.WriteString("${" + s[i:i+1] + "}")
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
