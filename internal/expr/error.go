package expr

import (
	"strconv"
	"strings"
)

// An Error is one thing wrong with an expression or with a value that it met.
// It quotes names from the document, never values from outside.
type Error struct {
	Column int    // from 1, in runes of the expression or of the whole template; 0 when unknown
	Msg    string // one sentence without a full stop
	Hint   string // what to write instead; may be empty
	Path   string // where inside a Tree: with.headers.X; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	if e.Column > 0 {
		b.WriteString("column ")
		b.WriteString(strconv.Itoa(e.Column))
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// shift returns the error as seen from a text in which the expression begins
// after that many runes.
func (e *Error) shift(runes int) *Error {
	c := *e
	if c.Column > 0 {
		c.Column += runes
	}
	return &c
}
