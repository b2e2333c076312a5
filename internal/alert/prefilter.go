package alert

import (
	"slices"
	"strings"
)

// A prefilter is the beginning of a condition, `name == "x" && …` or
// `name in ["x", "y"] && …`. Of many rules most end there, so it goes without
// CEL. It may only say no: a condition that it lets through is evaluated whole.
type prefilter struct {
	name plain
	is   []string
}

// rules out says that the condition cannot hold.
func (p *prefilter) rulesOut(e *evaluation) bool {
	if p == nil {
		return false
	}
	s, ok := p.name.eval(e).(string)
	if !ok {
		return false // let CEL say what is wrong
	}
	return !slices.Contains(p.is, s)
}

// newPrefilter reads the beginning of a condition; nil when it has none.
func newPrefilter(src string, variable func(string) bool) *prefilter {
	src = strings.TrimSpace(src)
	end := strings.IndexAny(src, " \t\n")
	if end < 0 || !conjunction(src) {
		return nil
	}
	path, ok := plainPath(src[:end], variable)
	if !ok {
		return nil
	}
	rest := strings.TrimSpace(src[end:])
	if after, found := strings.CutPrefix(rest, "=="); found {
		word, rest, ok := cutQuoted(strings.TrimSpace(after))
		if ok && endsTerm(rest) {
			return &prefilter{path, []string{word}}
		}
		return nil
	}
	after, found := strings.CutPrefix(rest, "in [")
	if !found {
		return nil
	}
	p := prefilter{name: path}
	for {
		word, rest, ok := cutQuoted(strings.TrimSpace(after))
		if !ok {
			return nil
		}
		p.is = append(p.is, word)
		rest = strings.TrimSpace(rest)
		if end, found := strings.CutPrefix(rest, "]"); found {
			if endsTerm(end) {
				return &p
			}
			return nil
		}
		if after, found = strings.CutPrefix(rest, ","); !found {
			return nil
		}
	}
}

// cutQuoted cuts a text in double quotes without escapes from the front.
func cutQuoted(s string) (word, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	word, rest, ok = strings.Cut(s[1:], `"`)
	return word, rest, ok && !strings.ContainsAny(word, "\\\n")
}

func endsTerm(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || strings.HasPrefix(rest, "&&")
}

// conjunction says that the terms of a condition are joined by && alone, so
// that the first being false makes it false.
func conjunction(src string) bool {
	if strings.Contains(src, `"""`) || strings.Contains(src, "'''") {
		return false
	}
	depth := 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '"', '\'':
			n := strings.IndexByte(src[i+1:], c)
			if n < 0 || strings.Contains(src[i+1:i+1+n], `\`) {
				return false
			}
			i += n + 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '|':
			if depth == 0 {
				return false
			}
		case '?':
			if depth == 0 && src[i-1] != '.' {
				return false
			}
		case '/':
			return false // perhaps a comment
		}
	}
	return true
}
