package document

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The YAML reader moves comments about and loses some, so they are found here:
// a # outside of strings that follows a space or stands first on a line. The
// tree tells where strings and flow collections begin; a scan tells where they
// end.

// A comment is one # to the end of its line.
type comment struct {
	text   string
	at     int  // offset of the #
	column int  // from 1, of the first character on its line
	own    bool // nothing but the dashes of items stands before it
	blank  bool // the line above is empty
}

// A stop is a node whose text must not be searched for comments, or a flow
// collection, whose end is wanted.
type stop struct {
	at     int
	node   *yaml.Node
	indent int // spaces before the collection that a block scalar is in
}

// A scan is one walk through the text of a file.
type scan struct {
	src      *source
	cursor   cursor
	stops    []stop
	comments []comment
	ends     map[*yaml.Node]int // behind the closing quote or bracket
}

// scanComments finds the comments of the file and the ends of its nodes.
func (s *source) scanComments(nodes []*yaml.Node) *scan {
	sc := &scan{src: s, cursor: cursor{src: s}, ends: make(map[*yaml.Node]int)}
	for _, n := range nodes {
		sc.collect(n.Content[0], 0)
	}
	sc.run()
	return sc
}

func (sc *scan) collect(n *yaml.Node, indent int) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Style == 0 || n.Kind == yaml.AliasNode:
	case n.Kind == yaml.ScalarNode:
		sc.stops = append(sc.stops, stop{sc.cursor.offset(n.Line, n.Column), n, indent})
	case n.Style&yaml.FlowStyle != 0:
		at := sc.cursor.offset(n.Line, n.Column)
		if at < len(sc.src.text) && strings.IndexByte("[{", sc.src.text[at]) >= 0 { // not the map in [a: b]
			sc.stops = append(sc.stops, stop{at, n, indent})
		}
	}
	for i, c := range n.Content {
		switch {
		case n.Style&yaml.FlowStyle != 0:
			sc.collect(c, 0)
		case n.Kind == yaml.SequenceNode:
			sc.collect(c, n.Column-1)
		default:
			sc.collect(c, n.Content[i-i%2].Column-1)
		}
	}
}

func (sc *scan) run() {
	text := sc.src.text
	var flow []*yaml.Node
	next, token := 0, 0 // token: behind a token that a # may follow at once
	for i := 0; i < len(text); {
		if next < len(sc.stops) && sc.stops[next].at == i {
			st := sc.stops[next]
			next++
			switch {
			case st.node.Kind != yaml.ScalarNode:
				flow = append(flow, st.node)
				i++
			case st.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
				i = sc.skipBlock(st)
			default:
				i = skipQuoted(text, i)
				sc.ends[st.node] = i
			}
			token = i
			continue
		}
		switch c := text[i]; {
		case c == '#' && (i == token || strings.IndexByte(" \t\n", text[i-1]) >= 0):
			i = sc.add(i)
			continue
		case len(flow) > 0 && (c == ']' || c == '}'):
			sc.ends[flow[len(flow)-1]] = i + 1
			flow, token = flow[:len(flow)-1], i+1
		case len(flow) > 0 && c == ',':
			token = i + 1
		}
		i++
	}
}

// skipQuoted returns the offset behind the string whose opening quote is at i.
func skipQuoted(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] == quote && quote == '\'' && strings.HasPrefix(text[i+1:], "'"):
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// skipBlock returns the start of the line behind a literal or folded string.
// A comment after its | or > is kept.
func (sc *scan) skipBlock(st stop) int {
	text := sc.src.text
	head := text[st.at:]
	head, _, _ = strings.Cut(head, "\n")
	if at := strings.IndexByte(head, '#'); at > 0 {
		sc.add(st.at + at)
	}
	indicator, _, _ := strings.Cut(head, "#")
	indent := 0
	if d := strings.IndexAny(indicator, "123456789"); d >= 0 {
		indent = st.indent + int(indicator[d]-'0')
	}
	i := min(len(text), st.at+len(head)+1)
	if indent == 0 {
		indent = max(st.indent+1, blockIndent(text[i:]))
	}
	for i < len(text) {
		line, _, _ := strings.Cut(text[i:], "\n")
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		if spaces < indent && spaces < len(line) {
			break
		}
		i = min(len(text), i+len(line)+1)
	}
	return i
}

// blockIndent is how far the first line that is not empty is indented, or an
// empty line above it if that is longer.
func blockIndent(text string) int {
	indent := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		indent = max(indent, spaces)
		if spaces < len(line) {
			break
		}
	}
	return indent
}

// add notes the comment at i and returns the offset of the end of its line.
func (sc *scan) add(i int) int {
	s := sc.src
	end := i + strings.IndexByte(s.text[i:]+"\n", '\n')
	line := s.lineAt(i)
	before := s.text[s.lines[line-1]:i]
	sc.comments = append(sc.comments, comment{
		text: strings.TrimRight(s.text[i:end], " \t"), at: i,
		column: len(before) - len(strings.TrimLeft(before, " \t")) + 1,
		own:    onlyIndicators(before),
		blank:  s.blankAbove(line),
	})
	return end
}

// onlyIndicators reports whether a line so far only opens list items: "  - - ".
func onlyIndicators(s string) bool {
	for word := range strings.FieldsSeq(s) {
		if word != "-" && word != "?" {
			return false
		}
	}
	return true
}

// lineAt returns the line, from 1, that an offset is on.
func (s *source) lineAt(at int) int {
	i, found := slices.BinarySearch(s.lines, at)
	if found {
		return i + 1
	}
	return i
}

func (s *source) blankAbove(line int) bool {
	return line > 1 && strings.Trim(s.text[s.lines[line-2]:s.lines[line-1]], " \t\n") == ""
}
