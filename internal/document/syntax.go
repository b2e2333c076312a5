package document

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/errs"
)

// A saying tells in plain words what the YAML reader says in its own.
type saying struct {
	theirs, context string // parts of the message and of what it was doing
	ours, hint      string // %d is the line where what it was doing began
	atStart         bool   // show where it began, not where it was noticed
}

// sayings are tried in order.
func sayings() []saying {
	return []saying{
		{
			theirs: "mapping values are not allowed",
			ours:   "a key is not expected here",
			hint:   `put quotes around a text that contains ": "; the keys of a map start in one column`,
		},
		{
			theirs: "unexpected end of stream", context: "quoted scalar", atStart: true,
			ours: "the string that begins here has no closing quote",
		},
		{
			theirs: "document indicator", context: "quoted scalar", atStart: true,
			ours: "the string that begins here has no closing quote",
		},
		{
			theirs: "expected ',' or ']'",
			ours:   "expected a comma, or the ] of the list that begins on line %d",
		},
		{
			theirs: "expected ',' or '}'",
			ours:   "expected a comma, or the } of the map that begins on line %d",
		},
		{
			theirs: "did not find expected key",
			ours:   "expected a key of the map that begins on line %d",
			hint:   "the keys of a map start in one column",
		},
		{
			theirs: "expected '-' indicator",
			ours:   "expected an item of the list that begins on line %d",
			hint:   "the dashes of a list stand in one column",
		},
		{
			theirs: "expected comment or line break",
			ours:   "a text after | or > begins on the next line",
		},
		{theirs: "tab character", ours: "a tab stands where only spaces may", hint: "indent with spaces"},
		{
			theirs: "cannot start any token",
			ours:   "a text without quotes cannot begin so",
			hint:   "put quotes around it",
		},
		{
			theirs: "could not find expected ':'", atStart: true,
			ours: "this line is neither a key nor part of a text",
			hint: `write "key: value"`,
		},
		{
			theirs: "unknown escape character",
			ours:   `this \ begins nothing that is known`,
			hint:   `write \\ for a backslash, or put the text in single quotes`,
		},
		{
			theirs: "unknown anchor",
			ours:   "aliases (*) are not allowed",
			hint:   "put quotes around a text that begins with *",
		},
		{
			context: "scanning an alias",
			ours:    "aliases (*) are not allowed",
			hint:    "put quotes around a text that begins with *",
		},
		{
			context: "scanning an anchor",
			ours:    "anchors (&) are not allowed",
			hint:    "put quotes around a text that begins with &",
		},
		{
			context: "tag",
			ours:    "tags (!) are not allowed",
			hint:    "put quotes around a text that begins with !",
		},
	}
}

// syntax says what the YAML reader could not read.
func (s *source) syntax(err error) errs.Issue {
	i := errs.Issue{File: s.file, Msg: "this is not YAML: " + err.Error()}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return i
	}
	i.Line, i.Column, i.Msg = le.Mark.Line, le.Mark.Column, "this is not YAML: "+le.Message
	for _, say := range sayings() {
		if !strings.Contains(le.Message, say.theirs) || !strings.Contains(le.ContextMsg, say.context) {
			continue
		}
		i.Msg, i.Hint = say.ours, say.hint
		if strings.Contains(say.ours, "%d") {
			i.Msg = fmt.Sprintf(say.ours, le.ContextMark.Line)
		}
		if say.atStart {
			i.Line, i.Column = le.ContextMark.Line, le.ContextMark.Column
		}
		break
	}
	if at := s.offset(max(1, i.Line), max(1, i.Column)); at < len(s.text) && s.text[at] == '\t' {
		i.Msg, i.Hint = "a tab stands where only spaces may", "indent with spaces"
	}
	return i
}
