package document

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// inside returns line and column of the i-th character, from 0, of a string,
// whatever its style: where a reader finds in the file what an expression's
// error points at.
func (s *source) inside(n *yaml.Node, i int) (line, column int) {
	if n.Style&yaml.LiteralStyle != 0 {
		return s.insideLiteral(n, i)
	}
	at := s.offset(n.Line, n.Column)
	switch {
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at++
	case n.Style&yaml.FoldedStyle != 0:
		at = s.skipSpace(min(len(s.text), s.lines[min(n.Line, len(s.lines)-1)]))
	}
	for i > 0 && at < len(s.text) {
		size, runes := s.next(n, at)
		if i < runes {
			break
		}
		at, i = at+size, i-runes
	}
	line = s.lineAt(at)
	return line, utf8.RuneCountInString(s.text[s.lines[line-1]:at]) + 1
}

// insideLiteral uses that each line of a literal ends with a line of the value.
func (s *source) insideLiteral(n *yaml.Node, i int) (line, column int) {
	line = n.Line
	for value := range strings.Lines(n.Value) {
		line++
		runes := utf8.RuneCountInString(value)
		if i >= runes {
			i -= runes
			continue
		}
		at := s.offset(line, 1)
		text, _, _ := strings.Cut(s.text[at:], "\n")
		indent := strings.TrimSuffix(text, strings.TrimSuffix(value, "\n"))
		return line, utf8.RuneCountInString(indent) + i + 1
	}
	return n.Line, n.Column
}

// next returns how many bytes of the source stand for how many characters of
// the value, at an offset inside a string that folds its lines.
func (s *source) next(n *yaml.Node, at int) (size, runes int) {
	text := s.text[at:]
	if blanks := len(text) - len(strings.TrimLeft(text, " \t")); strings.HasPrefix(text[blanks:], "\n") {
		end := s.skipSpace(at)
		breaks := strings.Count(s.text[at:end], "\n")
		return end - at, max(1, breaks-1)
	}
	if n.Style&yaml.SingleQuotedStyle != 0 && strings.HasPrefix(text, "''") {
		return 2, 1
	}
	if n.Style&yaml.DoubleQuotedStyle != 0 && len(text) > 1 && text[0] == '\\' {
		switch text[1] {
		case '\n':
			return s.skipSpace(at+1) - at, 0
		case 'x':
			return 4, 1
		case 'u':
			return 6, 1
		case 'U':
			return 10, 1
		default:
			return 2, 1
		}
	}
	_, size = utf8.DecodeRuneInString(text)
	return size, 1
}

func (s *source) skipSpace(at int) int {
	return len(s.text) - len(strings.TrimLeft(s.text[at:], " \t\n"))
}
