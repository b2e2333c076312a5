package expr

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// A Template is text with expressions inside.
type Template struct {
	parts []part
}

// part is text, or an expression when prog is set.
type part struct {
	text string
	prog *Program
	at   int // runes before the expression
}

// Template compiles "text ${{ expression }} text". A string that is one
// expression and nothing else keeps the type of its result. "$${{" is the
// literal "${{". Errors are *Error; columns count in the whole string.
func (e *Env) Template(src string) (*Template, error) {
	t, err := e.template(src)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (e *Env) template(src string) (*Template, *Error) {
	if len(src) > maxTemplate {
		return nil, &Error{Column: 1, Msg: "the text is longer than 1 MiB"}
	}
	parts, err := cut(src)
	if err != nil {
		return nil, err
	}
	t := &Template{parts: parts}
	for i := range parts {
		p := &parts[i]
		if p.at < 0 {
			continue
		}
		prog, _, err := e.compile(p.text)
		if err != nil {
			return nil, err.shift(p.at)
		}
		p.prog = prog
	}
	return t, nil
}

// cut divides src into text and expressions; text has at = -1.
func cut(src string) ([]part, *Error) {
	var parts []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String(), at: -1})
			text.Reset()
		}
	}
	for pos := 0; ; {
		open := strings.Index(src[pos:], "${{")
		if open < 0 {
			text.WriteString(src[pos:])
			flush()
			return parts, nil
		}
		open += pos
		if open > 0 && src[open-1] == '$' && open-1 >= pos {
			text.WriteString(src[pos : open-1])
			text.WriteString("${{")
			pos = open + 3
			continue
		}
		text.WriteString(src[pos:open])
		flush()
		end, err := closing(src, open+3)
		if err != nil {
			return nil, err
		}
		if len(parts) >= 2*maxParts {
			return nil, &Error{Column: runes(src[:open]) + 1, Msg: "the text has more than 1000 expressions"}
		}
		parts = append(parts, part{text: src[open+3 : end], at: runes(src[:open+3])})
		pos = end + 2
	}
}

func runes(s string) int { return utf8.RuneCountInString(s) }

// closing returns where the "}}" is that ends the expression begun at start. It
// passes over braces of maps and over what stands in quotes and comments.
func closing(src string, start int) (int, *Error) {
	depth := 0
	for i := start; i < len(src); {
		switch c := src[i]; c {
		case '"', '\'':
			n, ok := quoted(src, i)
			if !ok {
				return 0, &Error{
					Column: runes(src[:i]) + 1, Msg: "the quoted text never ends",
					Hint: "close it with " + string(c),
				}
			}
			i = n
			continue
		case '/':
			if strings.HasPrefix(src[i:], "//") {
				i = commentEnd(src, i)
				continue
			}
		case '{':
			depth++
		case '}':
			if depth == 0 && strings.HasPrefix(src[i:], "}}") {
				return i, nil
			}
			depth = max(0, depth-1)
		}
		i++
	}
	return 0, &Error{
		Column: runes(src[:start]) - 2, Msg: "${{ is never closed",
		Hint: `close it with }}, or write $${{ for the literal text`,
	}
}

// commentEnd returns where the comment at i ends: at the end of the line, or
// before the "}}". Quotes in it are no quotes.
func commentEnd(src string, i int) int {
	end := len(src)
	for _, stop := range []string{"\n", "}}"} {
		if n := strings.Index(src[i:], stop); n >= 0 {
			end = min(end, i+n)
		}
	}
	return end
}

// quoted returns the end of the CEL string that begins at i.
func quoted(src string, i int) (int, bool) {
	q := src[i : i+1]
	if strings.HasPrefix(src[i:], q+q+q) {
		q = q + q + q
	}
	raw := isRaw(src[:i])
	for j := i + len(q); j < len(src); j++ {
		if src[j] == '\\' && !raw {
			j++
			continue
		}
		if strings.HasPrefix(src[j:], q) {
			return j + len(q), true
		}
	}
	return 0, false
}

// isRaw says whether the string after before has the prefix r of raw strings.
func isRaw(before string) bool {
	n := len(before)
	for n > 0 && strings.IndexByte("rRbB", before[n-1]) >= 0 {
		n--
	}
	if n > 0 && isWord(before[n-1]) {
		return false
	}
	return strings.ContainsAny(before[n:], "rR")
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// Eval evaluates the template: text, or what its only expression gives. Errors
// are *Error.
func (t *Template) Eval(vars map[string]any) (any, error) {
	if len(t.parts) == 1 && t.parts[0].prog != nil {
		return t.parts[0].eval(vars)
	}
	return t.Text(vars)
}

// Text evaluates the template as text. Null is empty; lists and maps are
// written as JSON with their keys in order. Errors are *Error.
func (t *Template) Text(vars map[string]any) (string, error) {
	if len(t.parts) == 1 && t.parts[0].prog == nil {
		return t.parts[0].text, nil
	}
	var b strings.Builder
	for i := range t.parts {
		p := &t.parts[i]
		s := p.text
		if p.prog != nil {
			v, err := p.eval(vars)
			if err != nil {
				return "", err
			}
			s = text(v)
		}
		if b.Len()+len(s) > maxResult {
			return "", &Error{Column: max(1, p.at+1), Msg: errTooLarge.Error()}
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (p *part) eval(vars map[string]any) (any, error) {
	v, err := p.prog.Eval(vars)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, e.shift(p.at)
		}
		return nil, err
	}
	return v, nil
}
