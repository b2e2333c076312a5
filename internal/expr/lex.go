package expr

import (
	"strings"
	"unicode"
)

// A token of an expression, as a reader sees it. CEL has its own lexer; this
// one also knows what people bring from other languages, so that an error can
// name it.
type token struct {
	kind tokenKind
	text string
	at   int // runes before it
}

type tokenKind int

const (
	wordToken tokenKind = iota
	numberToken
	stringToken
	openString // a string that never ends
	signToken
)

// signs of more than one character, the longest first. Those that CEL does not
// have are here to be recognised.
var signs = []string{
	"${{", "===", "!==", "<=>", "==", "!=", "<=", ">=", "&&", "||", "=~", "!~", "=>", "->", "<>", "??", "?:", "?.", ".?", "[?",
	"++", "--", "+=", "-=", "*=", "/=", "{{", "}}", "**", "::", ":=", "//",
}

func lex(src string) []token {
	var out []token
	rs := []rune(src)
	for i := 0; i < len(rs); {
		c := rs[i]
		if unicode.IsSpace(c) {
			i++
			continue
		}
		t := token{at: i}
		switch {
		case c == '"' || c == '\'':
			t.kind, i = lexString(rs, i, false)
		case isPrefix(rs, i):
			raw := false
			for ; rs[i] != '"' && rs[i] != '\''; i++ {
				raw = raw || rs[i] == 'r' || rs[i] == 'R'
			}
			t.kind, i = lexString(rs, i, raw)
		case c == '_' || unicode.IsLetter(c):
			for i < len(rs) && (rs[i] == '_' || unicode.IsLetter(rs[i]) || unicode.IsDigit(rs[i])) {
				i++
			}
			t.kind = wordToken
		case unicode.IsDigit(c):
			for i < len(rs) && (rs[i] == '.' || unicode.IsLetter(rs[i]) || unicode.IsDigit(rs[i])) {
				i++
			}
			t.kind = numberToken
		default:
			t.kind, i = signToken, i+signLength(rs[i:])
			if string(rs[t.at:i]) == "//" { // a comment
				for i < len(rs) && rs[i] != '\n' {
					i++
				}
				continue
			}
		}
		t.text = string(rs[t.at:i])
		out = append(out, t)
	}
	return out
}

func signLength(rs []rune) int {
	head := string(rs[:min(3, len(rs))])
	for _, s := range signs {
		if strings.HasPrefix(head, s) {
			return len(s)
		}
	}
	return 1
}

// isPrefix says whether a string with the prefix r or b begins at i.
func isPrefix(rs []rune, i int) bool {
	for n := 0; n < 2 && i < len(rs) && strings.ContainsRune("rRbB", rs[i]); n++ {
		i++
		if i < len(rs) && (rs[i] == '"' || rs[i] == '\'') {
			return true
		}
	}
	return false
}

// lexString returns the index after the string whose quote is at i.
func lexString(rs []rune, i int, raw bool) (tokenKind, int) {
	q, n := rs[i], 1
	if i+2 < len(rs) && rs[i+1] == q && rs[i+2] == q {
		n = 3
	}
	for j := i + n; j < len(rs); j++ {
		switch {
		case rs[j] == '\\' && !raw:
			j++
		case rs[j] == '\n' && n == 1:
			return openString, j
		case rs[j] == q && (n == 1 || j+2 < len(rs) && rs[j+1] == q && rs[j+2] == q):
			return stringToken, j + n
		}
	}
	return openString, len(rs)
}

// endsOperand says whether a value may end with the token.
func (t token) endsOperand() bool {
	switch t.kind {
	case wordToken:
		return t.text != "in"
	case numberToken, stringToken:
		return true
	case signToken:
		return t.text == ")" || t.text == "]" || t.text == "}"
	default:
		return false
	}
}
