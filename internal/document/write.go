package document

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxWidth is the column up to which flow collections stay on one line and
// folded strings are filled.
const maxWidth = 100

// A writer writes a layout in canonical form.
type writer struct {
	b     bytes.Buffer
	fresh bool // nothing was written yet in this collection: no empty line
}

func (l *layout) write() []byte {
	w := &writer{fresh: true}
	w.notes(l.head, 0)
	if len(l.head) > 0 && len(l.root.kids) > 0 {
		w.b.WriteByte('\n')
	}
	if root := l.root.value; len(root.Content) > 0 {
		w.entries(l.root, 0)
	} else if !isEmpty(root) {
		w.b.WriteString("{}\n")
	}
	return w.b.Bytes()
}

func (w *writer) blank(wanted bool) {
	if wanted && !w.fresh {
		w.b.WriteByte('\n')
	}
	w.fresh = false
}

func (w *writer) indent(n int) {
	for range n {
		w.b.WriteByte(' ')
	}
}

func (w *writer) notes(notes []note, indent int) {
	for _, n := range notes {
		w.blank(n.blank)
		w.indent(indent)
		w.b.WriteString(n.text)
		w.b.WriteByte('\n')
	}
}

// entries writes what a holder holds as a block. The first line of an item's
// collection is written behind its dash.
func (w *writer) entries(holder *entry, indent int) {
	w.fresh = true
	for i, e := range holder.kids {
		behindDash := i == 0 && holder.key == nil && holder.up != nil
		if !behindDash {
			w.above(e, indent)
			w.indent(indent)
		}
		w.fresh = false
		w.entry(e, indent)
	}
	w.fresh = false
	w.notes(holder.foot, indent)
}

// above writes the comments above an entry. Those behind the dash of an item
// that is written as a block, and of the parts that share its line, join them.
func (w *writer) above(e *entry, indent int) {
	w.notes(e.head, indent)
	blank := e.blank
	for at := indent + 2; e.key == nil && e.asBlock(at); at += 2 {
		if e.tail != "" {
			w.notes([]note{{e.tail, blank}}, indent)
			blank = false
		}
		e = e.kids[0]
	}
	w.blank(blank)
}

func (w *writer) entry(e *entry, indent int) {
	prefix := "-"
	if e.key != nil {
		prefix = keyText(e.key) + ":"
	}
	w.b.WriteString(prefix)
	switch at := indent + utf8.RuneCountInString(prefix) + 1; {
	case e.asBlock(at) && e.key == nil:
		w.b.WriteByte(' ')
		w.entries(e, indent+2)
	case e.asBlock(at):
		w.behind(e)
		w.entries(e, indent+2)
	case len(e.value.Content) > 0:
		w.b.WriteByte(' ')
		w.b.WriteString(flowText(e.value))
		w.behind(e)
	default:
		w.scalar(e, indent, at)
	}
}

// behind ends the line of an entry.
func (w *writer) behind(e *entry) {
	if e.tail != "" {
		w.b.WriteByte(' ')
		w.b.WriteString(e.tail)
	}
	w.b.WriteByte('\n')
}

// asBlock reports whether the value, whose first character would stand at
// column at, is written as a block: it was, or has comments, or is too long.
func (e *entry) asBlock(at int) bool {
	if len(e.kids) == 0 {
		return false
	}
	return e.value.Style&yaml.FlowStyle == 0 || e.noted || at+e.width > maxWidth
}

// scalar writes a string, number or empty collection behind its key.
func (w *writer) scalar(e *entry, indent, at int) {
	n := e.value
	if isEmpty(n) {
		w.behind(e)
		w.fresh = true
		w.notes(e.foot, indent+2)
		w.fresh = false
		return
	}
	w.b.WriteByte(' ')
	text := flowText(n)
	block := ""
	if n.Kind == yaml.ScalarNode {
		text, block = scalarForm(n, e.long, at, indent+2)
	}
	w.b.WriteString(text)
	w.behind(e)
	w.lines(block, indent+2)
}

// lines writes the lines of a block scalar. Empty lines stay empty.
func (w *writer) lines(block string, indent int) {
	for line := range strings.Lines(block) {
		if line != "\n" {
			w.indent(indent)
		}
		w.b.WriteString(line)
	}
}
