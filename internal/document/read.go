package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/errs"
)

// Limits of one file. They bound what a reader has to do for a stranger.
const (
	maxFile  = 1 << 20
	maxDepth = 100
	maxKey   = 200 // characters; YAML itself gives up at 1024
)

// A source is the text of one file, made uniform: UTF-8 without a byte order
// mark, lines that end in LF.
type source struct {
	file  string
	text  string
	lines []int // offset of the first byte of each line
}

// newSource checks and makes uniform what a file holds.
func newSource(file string, src []byte) (*source, errs.Issues) {
	if len(src) > maxFile {
		return nil, errs.Issues{{
			File: file, Msg: fmt.Sprintf("the file has %d bytes, %d are allowed", len(src), maxFile),
			Hint: "split it into several files",
		}}
	}
	src = bytes.TrimPrefix(src, []byte("\uFEFF"))
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(src))
	s := &source{file: file, text: text, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s, s.checkText()
}

// checkText refuses what is invisible or is not text. The YAML of old takes
// U+0085, U+2028 and U+2029 for line ends; here a line end is a line end.
func (s *source) checkText() errs.Issues {
	line, start := 1, 0
	for i, r := range s.text {
		bad := ""
		switch {
		case r == '\n':
			line, start = line+1, i+1
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s.text[i:]); n == 1 {
				bad = "this is not valid UTF-8"
			}
		case isHidden(r):
			bad = fmt.Sprintf("the invisible character U+%04X is not allowed here", r)
		}
		if bad != "" {
			hint := `in a string in double quotes it can be written as \` + fmt.Sprintf("u%04X", r)
			if r == utf8.RuneError {
				hint = "save the file as UTF-8"
			}
			return errs.Issues{{File: s.file, Line: line, Column: utf8.RuneCountInString(s.text[start:i]) + 1, Msg: bad, Hint: hint}}
		}
	}
	return nil
}

// offset returns where a line and a column, both from 1 and the column in
// characters, stand in the text.
func (s *source) offset(line, column int) int {
	c := cursor{src: s}
	return c.offset(line, column)
}

// A cursor finds offsets one after another, without going back to the start of
// a long line for each.
type cursor struct {
	src              *source
	line, column, at int // the last one found
}

func (c *cursor) offset(line, column int) int {
	text := c.src.text
	if line > len(c.src.lines) {
		return len(text)
	}
	if line != c.line || column < c.column {
		c.line, c.column, c.at = line, 1, c.src.lines[line-1]
	}
	for ; c.column < column && c.at < len(text) && text[c.at] != '\n'; c.column++ {
		_, n := utf8.DecodeRuneInString(text[c.at:])
		c.at += n
	}
	return c.at
}

// load reads the YAML documents of a file as trees, at least one. It is empty
// when all are.
func (s *source) load() (docs []*yaml.Node, issues errs.Issues) {
	loader, err := yaml.NewLoader(strings.NewReader(s.text), yaml.WithStreamNodes(), yaml.WithPlugin(depthLimit{}))
	if err != nil {
		panic("internal error: yaml loader: " + err.Error())
	}
	for {
		n := new(yaml.Node)
		switch err := loader.Load(n); {
		case errors.Is(err, io.EOF):
			return withoutEmpty(docs), nil
		case err != nil:
			return nil, errs.Issues{s.syntax(err)}
		case n.Kind == yaml.DocumentNode:
			docs = append(docs, n)
		case n.Stream != nil && (n.Stream.Version != nil || len(n.Stream.TagDirectives) > 0):
			line := s.lineAt(strings.Index("\n"+s.text, "\n%"))
			return nil, errs.Issues{{File: s.file, Line: line, Msg: "directives (%YAML, %TAG) are not allowed", Hint: "remove the line"}}
		}
	}
}

func withoutEmpty(docs []*yaml.Node) []*yaml.Node {
	full := slices.DeleteFunc(docs, func(n *yaml.Node) bool { return isEmpty(n.Content[0]) })
	if len(full) == 0 {
		nothing := &yaml.Node{Kind: yaml.ScalarNode, Line: 1, Column: 1}
		full = append(full, &yaml.Node{Kind: yaml.DocumentNode, Line: 1, Column: 1, Content: []*yaml.Node{nothing}})
	}
	return full
}

// depthLimit stops the reader before deep nesting costs anything.
type depthLimit struct{}

func (depthLimit) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	return nil
}

func (depthLimit) CheckAlias(int, int) error { return nil }

// check refuses what makes YAML hard to trust: aliases that hide what a
// document says, tags, keys that stand twice.
func (s *source) check(n *yaml.Node, path string, issues *errs.Issues) {
	add := func(n *yaml.Node, path, hint, format string, args ...any) {
		*issues = append(*issues, errs.Issue{
			File: s.file, Line: n.Line, Column: n.Column, Field: path,
			Msg: fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	switch {
	case n.Kind == yaml.AliasNode:
		add(n, path, "write the value again where it is needed", "aliases (*%s) are not allowed", n.Value)
	case n.Anchor != "":
		add(n, path, "remove it", "anchors (&%s) are not allowed", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		add(n, path, "remove it; quotes make a text of any value", "tags (%s) are not allowed", n.Tag)
	}
	if n.Kind == yaml.SequenceNode {
		for i, c := range n.Content {
			s.check(c, pathIndex(path, i), issues)
		}
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		at := pathKey(path, k.Value)
		s.check(n.Content[i+1], at, issues)
		if first, twice := seen[k.Value]; twice && k.Kind == yaml.ScalarNode {
			add(k, at, "", "the key %q stands twice; first on line %d", k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		switch {
		case k.Kind != yaml.ScalarNode:
			add(k, path, "", "a key must be a plain word, got %s", shape(k))
		case k.Anchor != "" || k.Style&yaml.TaggedStyle != 0 || k.Tag == "!":
			add(k, at, "", "a key cannot have an anchor or a tag")
		case k.Value == "<<" && k.Style == 0:
			add(k, at, "write out the keys; or put quotes around the key", "merge keys (<<) are not allowed")
		case k.Value == "":
			add(k, path, "", "a key is empty")
		case utf8.RuneCountInString(k.Value) > maxKey || k.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			add(k, path, "", "a key has more than one line or more than %d characters", maxKey)
		}
	}
}

// pathKey and pathIndex extend the path of a field: steps[1].with["X-Y z"].
func pathKey(path, key string) string {
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return path + "[" + strconv.Quote(key) + "]"
		}
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func pathIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
