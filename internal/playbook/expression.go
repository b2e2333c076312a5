package playbook

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"beffroi.dev/internal/expr"
)

// A program is one expression, with what it reads.
type program struct {
	*expr.Program
	*needs
	src string
}

// A tree is a JSON value with expressions in its strings, with what they read.
type tree struct {
	*expr.Tree
	*needs
}

// A text is a string with expressions inside. When it has none, needs is nil
// and static holds it.
type text struct {
	*expr.Template
	*needs
	static string
}

// source is an expression of the document.
type source struct {
	path string
	text string
	at   int // runes of the value at path that come before it
}

// bare takes the ${{ }} off an expression: where an expression is expected,
// both forms are right.
func bare(path, src string) source {
	s := strings.TrimSpace(src)
	if strings.HasPrefix(s, "${{") && strings.HasSuffix(s, "}}") && strings.Count(s, "${{") == 1 {
		inner := strings.TrimSpace(s[3 : len(s)-2])
		return source{path, inner, utf8.RuneCountInString(src[:strings.Index(src, inner)])}
	}
	return source{path, src, 0}
}

// condition compiles an expression that is true or false.
func (c *compiler) condition(path, src string, v view) *program {
	s := bare(path, src)
	p, err := c.env(v).CompileBool(s.text)
	return c.program(s, p, err, v)
}

// value compiles an expression with any result.
func (c *compiler) value(path, src string, v view) *program {
	s := bare(path, src)
	p, err := c.env(v).Compile(s.text)
	return c.program(s, p, err, v)
}

func (c *compiler) program(s source, p *expr.Program, err error, v view) *program {
	if err != nil {
		c.exprIssue(s.path, s.at, err)
		return nil
	}
	return &program{Program: p, src: strings.TrimSpace(s.text), needs: c.needsOf(s, p.Refs(), v)}
}

// tree compiles a JSON value.
func (c *compiler) tree(path string, value any, v view) *tree {
	t, err := c.env(v).Tree(value)
	if err != nil {
		c.exprIssue(path, 0, err)
		return nil
	}
	n := &needs{}
	c.treeNeeds(n, path, value, v)
	return &tree{Tree: t, needs: n}
}

func (c *compiler) treeNeeds(n *needs, path string, value any, v view) {
	switch x := value.(type) {
	case string:
		c.textNeeds(n, path, x, v)
	case []any:
		for i := range x {
			c.treeNeeds(n, pathIndex(path, i), x[i], v)
		}
	case map[string]any:
		for _, k := range sortedKeys(x) {
			c.treeNeeds(n, pathKey(path, k), x[k], v)
		}
	}
}

// text compiles a string. An empty one gives nil.
func (c *compiler) text(path, src string, v view) *text {
	if src == "" {
		return nil
	}
	t, err := c.env(v).Template(src)
	if err != nil {
		c.exprIssue(path, 0, err)
		return nil
	}
	if !strings.Contains(src, "${{") {
		return &text{static: src, Template: t}
	}
	n := &needs{}
	c.textNeeds(n, path, src, v)
	return &text{Template: t, needs: n}
}

// textNeeds reads the paths of the expressions in a string that is known to
// compile. The end of each is the first }} before which an expression stands.
func (c *compiler) textNeeds(n *needs, path, src string, v view) {
	for pos := 0; ; {
		open := strings.Index(src[pos:], "${{")
		if open < 0 {
			return
		}
		open += pos
		literal := open > pos && src[open-1] == '$'
		pos = open + 3
		if literal {
			continue
		}
		for end := pos; ; end += 2 {
			at := strings.Index(src[end:], "}}")
			if at < 0 {
				panic("internal error: the expression was closed a moment ago")
			}
			end += at
			if p, err := c.env(v).Compile(src[pos:end]); err == nil {
				s := source{path, src[pos:end], utf8.RuneCountInString(src[:pos])}
				n.merge(c.needsOf(s, p.Refs(), v))
				pos = end + 2
				break
			}
		}
	}
}

func (n *needs) merge(m *needs) {
	n.alert = n.alert || m.alert
	n.kase = n.kase || m.kase
	n.inputs = n.inputs || m.inputs
	n.vars = n.vars || m.vars
	n.run = n.run || m.run
	n.trigger = n.trigger || m.trigger
	n.now = n.now || m.now
	n.index = n.index || m.index
	n.err = n.err || m.err
	n.steps = append(n.steps, m.steps...)
	n.items = append(n.items, m.items...)
}

// exprIssue adds what the compiler of expressions found.
func (c *compiler) exprIssue(path string, before int, err error) {
	var e *expr.Error
	if !errors.As(err, &e) {
		c.issue(path, "%s", err)
		return
	}
	if e.Path != "" {
		if e.Path[0] != '[' {
			path += "."
		}
		path += e.Path
	}
	col := e.Column
	if col > 0 {
		col += before
	}
	c.issues = append(c.issues, c.doc.IssueAt(path, col, e.Hint, e.Msg))
}

// refuse adds an issue at the place of a word in an expression.
func (c *compiler) refuse(s source, word, hint, msg string) {
	col := 0
	if at := strings.Index(s.text, word); at >= 0 {
		col = s.at + utf8.RuneCountInString(s.text[:at]) + 1
	}
	c.issues = append(c.issues, c.doc.IssueAt(s.path, col, hint, msg))
}

var answerCompared = regexp.MustCompile(`\bsteps\.([A-Za-z_0-9]+)\.answer\s*[!=]=\s*("[^"\\]*"|'[^'\\]*')`)

// checkCompared reports answers that an expression compares with and that the
// question does not have: such a condition would never hold.
func (c *compiler) checkCompared(s source) {
	for _, m := range answerCompared.FindAllStringSubmatch(s.text, -1) {
		asked := c.byID[m[1]]
		if asked == nil || asked.kind != kindAsk {
			continue
		}
		answer := m[2][1 : len(m[2])-1]
		if values := asked.answers(); !slices.Contains(values, answer) {
			c.refuse(s, m[2], suggestOrList(answer, values), asked.name+" has no answer "+m[2])
		}
	}
}
