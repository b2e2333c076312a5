package document

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// scalarForm returns how a scalar is written at column at: on one line, or as
// the header of a block and its lines, to be written at the given indentation.
func scalarForm(n *yaml.Node, long bool, at, indent int) (text, block string) {
	v := n.Value
	lines := strings.Contains(strings.TrimSuffix(v, "\n"), "\n")
	switch {
	case n.Style&yaml.LiteralStyle != 0 || lines && n.Style&yaml.DoubleQuotedStyle == 0 && n.Style&yaml.FoldedStyle == 0:
		text, block = literal(v)
	case n.Style&yaml.FoldedStyle != 0:
		if text, block = folded(v, indent); text == "" {
			text, block = literal(v)
		}
	case long && at+utf8.RuneCountInString(v) > maxWidth:
		text, block = folded(v, indent)
	}
	if text == "" {
		text = flowText(n)
	}
	return text, block
}

// literal returns v as a block in which every line stands as it is, "" if v
// cannot be written so.
func literal(v string) (header, block string) {
	body, header := chomp(v)
	last := body[strings.LastIndexByte(body, '\n')+1:]
	if strings.Trim(last, " \t") == "" || !isText(body) { // an empty line at the end could be layout
		return "", ""
	}
	start := strings.TrimLeft(body, "\n")
	if start[0] == ' ' || start[0] == '\t' {
		header = "2" + header
	}
	return "|" + header, body + "\n"
}

// chomp splits off the last line end, and says how a block header tells of it.
func chomp(v string) (body, header string) {
	if body, ok := strings.CutSuffix(v, "\n"); ok {
		return body, ""
	}
	return v, "-"
}

// folded returns v as a block whose lines are filled up to the maximal width,
// "" if v cannot be written so.
func folded(v string, indent int) (header, block string) {
	body, header := chomp(v)
	if body == "" || !isText(body) || strings.HasPrefix(body, "\n") || strings.HasSuffix(body, "\n") || strings.Contains(body, "\t") {
		return "", ""
	}
	var b strings.Builder
	for i, line := range strings.Split(body, "\n") {
		if strings.HasPrefix(line, " ") || strings.HasSuffix(line, " ") {
			return "", ""
		}
		if i > 0 && line != "" {
			b.WriteByte('\n')
		}
		fill(&b, line, maxWidth-indent)
	}
	return ">" + header, b.String()
}

// fill writes the words of a line as lines of at most width characters. Words
// are split at single spaces only, which folding gives back.
func fill(b *strings.Builder, line string, width int) {
	col := 0
	words := strings.Split(line, " ")
	for i := 0; i < len(words); {
		var word strings.Builder
		word.WriteString(words[i])
		for i++; i < len(words) && (words[i] == "" || words[i-1] == ""); i++ {
			word.WriteString(" " + words[i]) // several spaces stay together
		}
		n := utf8.RuneCountInString(word.String())
		switch {
		case col == 0:
		case col+1+n > width:
			b.WriteByte('\n')
			col = 0
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word.String())
		col += n
	}
	b.WriteByte('\n')
}

// flowText returns a node on one line.
func flowText(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, flowText(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			return "{}"
		}
		for i := 0; i < len(n.Content); i += 2 {
			part := keyText(n.Content[i]) + ":"
			if v := flowText(n.Content[i+1]); v != "" {
				part += " " + v
			}
			parts = append(parts, part)
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	default:
		return oneLine(n)
	}
}

func keyText(k *yaml.Node) string { return oneLine(k) }

// oneLine returns a scalar as it was written if that can be on one line, else
// in double quotes.
func oneLine(n *yaml.Node) string {
	v := n.Value
	switch {
	case n.Style == 0 && (v == "" || isPlain(v)):
		return v
	case n.Style&(yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 && isText(v) && !strings.Contains(v, "\n"):
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	default:
		return doubleQuoted(v)
	}
}

// isPlain reports whether v, which was written without quotes, means itself on
// one line. Text never moves into a flow collection, so that commas and
// brackets need no care.
func isPlain(v string) bool {
	if !isText(v) || strings.ContainsAny(v, "\n\t") || strings.Contains(v, ": ") || strings.Contains(v, " #") ||
		strings.HasPrefix(v, "---") || strings.HasPrefix(v, "...") || strings.HasSuffix(v, ":") ||
		strings.HasPrefix(v, " ") || strings.HasSuffix(v, " ") {
		return false
	}
	if strings.IndexByte("-?:", v[0]) >= 0 {
		return len(v) > 1 && v[1] != ' '
	}
	return strings.IndexByte("!&*|>%@`\"'#,[]{}", v[0]) < 0
}

// isText reports whether v can stand in a file without escapes.
func isText(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && isHidden(r) })
}

func doubleQuoted(v string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range v {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !isHidden(r):
			b.WriteRune(r)
		case r <= 0xFF:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isHidden reports whether a character must not stand in a file as it is: line
// ends of other times, controls, and marks that turn the reading direction, so
// that a reviewer sees another text than the program.
func isHidden(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r < ' ', r >= 0x7F && r < 0xA0, r == 0x2028, r == 0x2029, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF,
		r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
