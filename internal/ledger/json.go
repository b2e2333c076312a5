package ledger

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep data may be nested.
const maxDepth = 256

// A scanner checks compact JSON (RFC 8259 without white space between tokens).
// Strings must be valid UTF-8. It builds nothing.
type scanner struct {
	b []byte
	i int
}

var errCompactJSON = errors.New("not compact JSON")

// checkObject says whether b is one compact JSON object and nothing else.
func checkObject(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return errors.New("not a JSON object")
	}
	s := scanner{b: b}
	if err := s.value(0); err != nil {
		return err
	}
	if s.i != len(b) {
		return s.fail("text after the object")
	}
	return nil
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", errCompactJSON, what, s.i)
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return s.fail("nested too deep")
	}
	switch s.peek() {
	case '{':
		return s.members(depth)
	case '[':
		return s.elements(depth)
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) members(depth int) error {
	s.i++
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("expected a key")
		}
		if err := s.text(); err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fail("expected a colon")
		}
		s.i++
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.fail("expected a comma or the end of the object")
		}
	}
}

func (s *scanner) elements(depth int) error {
	s.i++
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.fail("expected a comma or the end of the array")
		}
	}
}

func (s *scanner) word(w string) error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.fail("unknown word")
	}
	s.i += len(w)
	return nil
}

// number checks -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?.
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.i++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	if s.i == from {
		return s.fail("expected a value")
	}
	return nil
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// text checks a string, from its opening quotation mark to its closing one.
func (s *scanner) text() error {
	b := s.b
	for i := s.i + 1; i < len(b); {
		c := b[i]
		if plain[c] {
			i++
			continue
		}
		switch {
		case c == '"':
			s.i = i + 1
			return nil
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				s.i = i
				return s.fail("bad escape")
			}
			i += n
		case c < ' ':
			s.i = i
			return s.fail("control character in a string")
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				s.i = i
				return s.fail("bytes that are not UTF-8")
			}
			i += n
		}
	}
	s.i = len(b)
	return s.fail("string without end")
}

// escapeLen is the length of the escape that b begins with, or 0.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if hex := c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'; !hex {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}
