package document

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A layout is a tree with its comments, ready to be written: what the author
// laid out that has no meaning to the program.
type layout struct {
	head []note // of the document: separated from its first key by an empty line
	root *entry // holds the keys; has no key itself
}

// An entry is a key with its value, or an item of a list.
type entry struct {
	key   *yaml.Node // nil for items
	value *yaml.Node
	up    *entry
	kids  []*entry
	at    int // offset of the key, or of the value of an item
	val   int // offset of the value
	line  int // of at
	col   int // column of the key or of the dash
	blank bool

	head []note // lines above
	tail string // comment behind
	foot []note // lines below the last of kids, or where kids could be
	long bool   // the value spans lines in the source

	noted bool // a comment stands inside the value
	width int  // characters of the value on one line
}

// A note is a comment on a line of its own.
type note struct {
	text  string
	blank bool // an empty line above
}

// layout arranges every document of a file.
func (s *source) layout(nodes []*yaml.Node) [][]byte {
	sc := s.scanComments(nodes)
	out := make([][]byte, len(nodes))
	for i, n := range nodes {
		end := len(s.text)
		if i+1 < len(nodes) {
			end = s.offset(nodes[i+1].Line, 1)
		}
		upto, _ := slices.BinarySearchFunc(sc.comments, end, func(c comment, at int) int { return c.at - at })
		a := arranger{sc: sc, pos: cursor{src: s}}
		out[i] = a.arrange(n.Content[0], sc.comments[:upto]).write()
		sc.comments = sc.comments[upto:]
	}
	return out
}

// An arranger attaches comments to entries.
type arranger struct {
	sc    *scan
	pos   cursor
	flat  []*entry // in the order of the source
	root  *entry
	head  []note
	after *entry // the entry that the last comment on a line of its own followed
	level *entry // the holder of the collection that it went to
}

func (a *arranger) arrange(n *yaml.Node, comments []comment) *layout {
	a.root = &entry{value: n, at: -1, val: a.pos.offset(n.Line, n.Column)}
	a.build(a.root)
	for _, c := range comments {
		next := sort.Search(len(a.flat), func(i int) bool { return a.flat[i].at > c.at })
		switch {
		case next == 0:
			a.head = append(a.head, note{c.text, c.blank})
		case c.own:
			a.own(c, next)
		default:
			a.behind(c, a.flat[next-1])
		}
	}
	a.splitHead()
	a.hoist(a.root)
	a.root.measure()
	a.order()
	return &layout{a.head, a.root}
}

// build makes the entries of a collection.
func (a *arranger) build(e *entry) {
	n := e.value
	if n.Kind == yaml.ScalarNode && !isEmpty(n) {
		e.long = a.isLong(e)
	}
	for i := 0; i < len(n.Content); i++ {
		kid := &entry{value: n.Content[i], up: e, col: n.Column}
		first := kid.value
		if n.Kind == yaml.MappingNode {
			kid.key, first, kid.col = n.Content[i], n.Content[i], n.Content[i].Column
			i++
			kid.value = n.Content[i]
		}
		kid.line, kid.at = first.Line, a.pos.offset(first.Line, first.Column)
		kid.val = a.pos.offset(kid.value.Line, kid.value.Column)
		sameLine := len(a.flat) > 0 && a.flat[len(a.flat)-1].line == kid.line
		kid.blank = !sameLine && a.sc.src.blankAbove(kid.line)
		e.kids, a.flat = append(e.kids, kid), append(a.flat, kid)
		a.build(kid)
	}
}

// isLong reports whether a plain or quoted string spans lines.
func (a *arranger) isLong(e *entry) bool {
	n := e.value
	if n.Style == 0 {
		return !strings.HasPrefix(a.sc.src.text[e.val:], n.Value)
	}
	end, quoted := a.sc.ends[n]
	return quoted && a.sc.src.lineAt(end-1) != n.Line
}

// own places a comment on a line of its own: above the next entry, unless it
// is indented like the collection that ends there.
func (a *arranger) own(c comment, next int) {
	p := a.flat[next-1]
	var n *entry
	if next < len(a.flat) {
		n = a.flat[next]
	}
	nt := note{c.text, c.blank}
	switch holder := a.flowAround(p, c.at); {
	case holder != nil && n.within(holder):
		n.head = append(n.head, nt)
	case holder != nil && len(holder.kids) > 0:
		holder.foot = append(holder.foot, nt)
	case holder != nil:
		holder.head = append(holder.head, nt)
	case n.within(p):
		n.head = append(n.head, nt)
	case len(p.kids) == 0 && !isEmpty(p.value) && p.val > c.at:
		p.head = append(p.head, nt) // between a key and its value
	default:
		a.dedent(c, a.closed(p, c.at), n)
	}
}

// dedent finds the collection, of those that p is in, that the comment is
// indented like. Comments that follow never go deeper again.
func (a *arranger) dedent(c comment, p, n *entry) {
	holder, col := p, p.col+1
	if !isEmpty(p.value) && p != a.root {
		holder, col = p.up, p.col
	}
	if a.after == p {
		for holder != a.level {
			holder, col = holder.up, holder.col
		}
	}
	to := a.root
	if n != nil {
		to = n.up
	}
	for holder != to && (col > c.column || holder.value.Style&yaml.FlowStyle != 0) {
		holder, col = holder.up, holder.col
	}
	a.after, a.level = p, holder
	nt := note{c.text, c.blank}
	if n != nil && holder == to {
		n.head = append(n.head, nt)
	} else {
		holder.foot = append(holder.foot, nt)
	}
}

// behind places a comment at the end of a line: at the entry p that the line
// ends with, or at the one whose brackets close there.
func (a *arranger) behind(c comment, p *entry) {
	p = a.closed(p, c.at)
	if p == a.root {
		a.head = append(a.head, note{c.text, c.blank})
		return
	}
	if p.tail != "" {
		p.head = append(p.head, note{p.tail, false})
	}
	p.tail = c.text
}

// closed returns the outermost entry around p whose brackets close before an
// offset, or p.
func (a *arranger) closed(p *entry, at int) *entry {
	for e := p; e != nil; e = e.up {
		if end, flow := a.sc.ends[e.value]; flow && e.value.Kind != yaml.ScalarNode && end <= at {
			p = e
		}
	}
	return p
}

// flowAround returns the entry whose flow collection an offset is inside of.
func (a *arranger) flowAround(p *entry, at int) *entry {
	for e := p; e != nil; e = e.up {
		end, flow := a.sc.ends[e.value]
		if flow && e.value.Kind != yaml.ScalarNode && e.val < at && at < end {
			return e
		}
	}
	return nil
}

// within reports whether e stands below holder. A nil e stands nowhere.
func (e *entry) within(holder *entry) bool {
	for ; e != nil; e = e.up {
		if e.up == holder {
			return true
		}
	}
	return false
}

// splitHead keeps as head of the document what an empty line separates from
// the first key, and gives the rest to that key.
func (a *arranger) splitHead() {
	if len(a.root.kids) == 0 {
		return
	}
	first := a.root.kids[0]
	cut := 0
	for i, nt := range a.head {
		if i > 0 && nt.blank {
			cut = i
		}
	}
	if first.blank {
		cut = len(a.head)
	}
	first.head = append(slices.Clone(a.head[cut:]), first.head...)
	a.head = a.head[:cut]
}

// hoist moves what stands above the first part of an item above the item:
// there is no room between the dash and the part.
func (a *arranger) hoist(e *entry) {
	for _, kid := range e.kids {
		a.hoist(kid)
	}
	if e.key == nil && e != a.root && len(e.kids) > 0 {
		e.head = append(e.head, e.kids[0].head...)
		e.kids[0].head = nil
	}
}

// measure finds out whether the value can be written on one line, and its
// width then.
func (e *entry) measure() {
	e.noted = len(e.foot) > 0
	if len(e.value.Content) == 0 {
		if e.up != nil && e.up.value.Style&yaml.FlowStyle != 0 { // asked for nowhere else
			e.width = utf8.RuneCountInString(flowText(e.value))
		}
		return
	}
	e.width = len("[]") + len(", ")*(len(e.kids)-1)
	if e.value.Kind == yaml.MappingNode {
		e.width = len("{  }") + len(", ")*(len(e.kids)-1)
	}
	for _, kid := range e.kids {
		kid.measure()
		e.noted = e.noted || kid.noted || len(kid.head) > 0 || kid.tail != ""
		e.width += kid.width
		if kid.key != nil {
			e.width += utf8.RuneCountInString(keyText(kid.key)) + len(":") + min(1, kid.width)
		}
	}
}

// order puts the header keys first.
func (a *arranger) order() {
	if a.root.value.Kind != yaml.MappingNode {
		return
	}
	rank := func(e *entry) int {
		if i := slices.Index(headerKeys(), e.key.Value); i >= 0 {
			return i
		}
		return len(headerKeys())
	}
	slices.SortStableFunc(a.root.kids, func(x, y *entry) int { return rank(x) - rank(y) })
}
