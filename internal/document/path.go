package document

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/errs"
)

// Issue says what is wrong at a path of the document, such as
// steps[1].with.url. Where the path does not exist, the place is that of its
// nearest ancestor.
func (d Document) Issue(path, format string, args ...any) errs.Issue {
	i := errs.Issue{File: d.File, Line: d.Line, Field: path, Msg: fmt.Sprintf(format, args...)}
	if d.root != nil {
		at := d.find(path)
		n := at.pos()
		if at.node.Kind != yaml.ScalarNode && at.node.Style&yaml.FlowStyle == 0 {
			n = at.at
		}
		i.Line, i.Column = n.Line, n.Column
	}
	return i
}

// find returns the node at a path, or its nearest ancestor.
func (d Document) find(path string) place {
	p := place{d.root, d.root, ""}
	for rest := path; rest != ""; {
		next, after, ok := step(p, rest)
		if !ok {
			break
		}
		p, rest = next, after
	}
	return p
}

// step goes one key or one index down. A key may hold dots: the longest key
// that fits is taken.
func step(p place, path string) (next place, rest string, ok bool) {
	if strings.HasPrefix(path, "[") {
		inside, after, found := cutBracket(path)
		if !found {
			return p, "", false
		}
		if key, err := strconv.Unquote(inside); err == nil {
			path = key + "\x00" // taken whole below
			next, _, ok = child(p, path, "\x00")
			return next, strings.TrimPrefix(after, "."), ok
		}
		i, err := strconv.Atoi(inside)
		if err != nil || p.node.Kind != yaml.SequenceNode || i < 0 || i >= len(p.node.Content) {
			return p, "", false
		}
		n := p.node.Content[i]
		return place{n, n, ""}, strings.TrimPrefix(after, "."), true
	}
	return child(p, path, ".[")
}

// cutBracket splits `[x]rest`, where x may be a quoted string with brackets.
func cutBracket(path string) (inside, rest string, ok bool) {
	if q, err := strconv.QuotedPrefix(path[1:]); err == nil && strings.HasPrefix(path[1+len(q):], "]") {
		return q, path[len(q)+2:], true
	}
	inside, rest, ok = strings.Cut(path[1:], "]")
	return inside, rest, ok
}

// child finds the longest key that path begins with, followed by its end or
// by one of the bytes of ends.
func child(p place, path, ends string) (next place, rest string, ok bool) {
	best := -1
	for i := 0; p.node.Kind == yaml.MappingNode && i < len(p.node.Content); i += 2 {
		k := p.node.Content[i]
		after, has := strings.CutPrefix(path, k.Value)
		if !has || len(k.Value) <= best || after != "" && !strings.Contains(ends, after[:1]) {
			continue
		}
		best, ok = len(k.Value), true
		next, rest = place{p.node.Content[i+1], k, ""}, strings.TrimPrefix(after, ".")
	}
	return next, rest, ok
}

// joinPath puts the path of a part after the path of the whole.
func joinPath(base, path string) string {
	if base == "" || path == "" || strings.HasPrefix(path, "[") {
		return base + path
	}
	return base + "." + path
}

// IssueAt is [Document.Issue] for one character inside a string: col counts
// the characters of the value from 1, 0 is the string as a whole.
func (d Document) IssueAt(path string, col int, hint, msg string) errs.Issue {
	i := d.Issue(path, "%s", msg)
	i.Hint = hint
	if d.root == nil || col <= 0 {
		return i
	}
	if n := d.find(path).node; n.Kind == yaml.ScalarNode && !isEmpty(n) {
		i.Line, i.Column = d.src.inside(n, col-1)
	}
	return i
}
