package alert

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// A Source is a compiled document of kind source. It never changes, and many
// goroutines may use it.
type Source struct {
	Name    string // of the document, and the last part of /hooks/NAME
	Title   string
	Product ProductSpec
	Verify  Verify
	MaxSize int64 // bytes of a body
	Policy  Policy

	batch       node // nil: the body or its elements
	let         []field
	accept      []condition
	rules       []rule
	severity    severity
	fields      []field
	extra       node // map.observables
	fingerprint []node
	by          []string // kinds of entity that correlate
	tests       []testCase
}

// A field is a value and its place: of the finding, or of a let.
type field struct {
	path []string // from the finding, or the name of the let
	node node
}

// A condition is an expression that says yes or no.
type condition struct {
	at    string
	run   *expr.Program
	lets  uint64
	first *prefilter
}

func (c *condition) holds(e *evaluation) (bool, error) {
	if c.first.rulesOut(e) {
		return false, nil
	}
	e.need(c.lets)
	return c.run.Bool(e.vars)
}

// Unless a document says otherwise.
const (
	defaultMaxSize = 1 << 20
	defaultWindow  = 24 * time.Hour
	defaultWithin  = 4 * time.Hour
	maxMaxSize     = 64 << 20
)

// SourceKind is the kind of document that describes a source. The tests of a
// document find their event files in events, which may be nil.
func SourceKind(events fs.FS) document.Kind {
	var compiled memory
	return document.Kind{
		Name: "source", Title: "Alert source",
		Doc:  "Takes what a tool sends to /hooks/NAME and makes alerts of it.",
		Spec: SourceSpec{},
		Compile: func(d document.Document, _ document.Set) (any, error) {
			return compiled.source(d, events)
		},
		Test: func(compiled any, _ document.Set) []document.TestResult {
			s, ok := compiled.(*Source)
			if !ok {
				panic("internal error: Test of a source that was not compiled")
			}
			return s.test()
		},
	}
}

// A memory keeps compiled sources, since each plan compiles the whole set and
// most of it is as it was. What a document means depends on its text alone.
type memory struct {
	mu   sync.Mutex
	kept map[string]*Source // by version and place; guarded by mu
}

// maxKept bounds what stays in memory; beyond it all is compiled anew.
const maxKept = 500

func (m *memory) source(d document.Document, events fs.FS) (*Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprintf("%s %s:%d", d.Version, d.File, d.Line)
	if s := m.kept[key]; s != nil {
		return s, nil
	}
	s, err := CompileSource(d, events)
	if err != nil {
		return nil, err
	}
	if m.kept == nil || len(m.kept) >= maxKept {
		m.kept = map[string]*Source{}
	}
	m.kept[key] = s
	return s, nil
}

// CompileSource checks a document of kind source. Errors are [errs.Issues].
func CompileSource(d document.Document, events fs.FS) (*Source, error) {
	var spec SourceSpec
	if err := d.Decode(&spec); err != nil {
		return nil, err
	}
	c := compiler{doc: d, spec: spec, vars: map[string]bool{"event": true, "body": true, "now": true}}
	s := c.source()
	c.tests(s, events)
	if err := c.issues.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// A compiler collects what is wrong with one document.
type compiler struct {
	doc    document.Document
	spec   SourceSpec
	env    *expr.Env
	vars   map[string]bool // that expressions may use
	lets   []string        // in the order of the bits
	issues errs.Issues
}

func (c *compiler) issue(path, hint, format string, args ...any) {
	i := c.doc.Issue(path, format, args...)
	i.Hint = hint
	c.issues = append(c.issues, i)
}

// wrong reports an error of an expression at its place in the document.
func (c *compiler) wrong(path string, err error) {
	e, ok := err.(*expr.Error) //nolint:errorlint // the expression's own error, never wrapped
	if !ok {
		c.issue(path, "", "%s", err)
		return
	}
	c.issues = append(c.issues, c.doc.IssueAt(path, e.Column, e.Hint, e.Msg))
}

func (c *compiler) source() *Source {
	s := &Source{
		Name: c.doc.Name, Title: c.doc.Title, Product: c.spec.Product,
		Verify:  c.spec.Verify.check(c.issue),
		MaxSize: c.maxSize(),
		Policy:  Policy{Window: c.spec.Window, Within: defaultWithin},
		by:      []string{KindIP, KindHost, KindUser, KindHash},
	}
	if s.Title == "" {
		s.Title = s.Product.Name
	}
	if s.Policy.Window == 0 {
		s.Policy.Window = defaultWindow
	}
	if by := c.spec.Correlate; by != nil {
		s.by = by.By
		if by.Within != 0 {
			s.Policy.Within = by.Within
		}
		for i, kind := range by.By {
			if !slices.Contains(entityKinds, kind) {
				c.issue(index("correlate.by", i), oneOf(kind, entityKinds), "there is no kind of entity %q", kind)
			}
		}
	}
	c.environment(s)
	c.conditions(s)
	c.mapping(s)
	return s
}

// environment declares the variables and compiles what names them.
func (c *compiler) environment(s *Source) {
	vars := []expr.Var{{Name: "event", Type: expr.Dyn()}, {Name: "body", Type: expr.Dyn()}, {Name: "now", Type: expr.Timestamp()}}
	env, err := expr.NewEnv(vars...)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	c.env = env
	if c.spec.Batch != nil {
		s.batch = c.tree(where{at: "batch"}, alternatives(), c.spec.Batch)
	}
	for _, name := range sortedKeys(c.spec.Let) {
		if c.vars[name] || len(c.lets) == maxLets {
			c.issue("let."+name, "choose another name", "%q is already a variable, or there are more than %d", name, maxLets)
			return
		}
		vars = append(vars, expr.Var{Name: name, Type: expr.Dyn()})
		c.lets = append(c.lets, name)
	}
	if env, err = expr.NewEnv(vars...); err != nil {
		c.issue("let", "a name has letters, digits and _", "%s", err)
		return
	}
	c.env = env
	for _, name := range c.lets {
		c.vars[name] = true
	}
	for _, name := range c.lets {
		n := c.tree(where{at: "let." + name}, alternatives(), c.spec.Let[name])
		s.let = append(s.let, field{path: []string{name}, node: n})
	}
	c.cycles(s)
}

// cycles reports a name that needs itself.
func (c *compiler) cycles(s *Source) {
	needs := make([]uint64, len(s.let))
	for i, l := range s.let {
		needs[i] = lets(l.node)
	}
	for range needs {
		for i := range needs {
			for j := range needs {
				if needs[i]>>j&1 == 1 {
					needs[i] |= needs[j]
				}
			}
		}
	}
	for i, l := range s.let {
		if needs[i]>>i&1 == 1 {
			c.issue("let."+l.path[0], "define it without itself", "%q needs itself", l.path[0])
		}
	}
}

// lets returns the names that a value uses.
func lets(n node) uint64 {
	switch n := n.(type) {
	case plain:
		return n.lets
	case program:
		return n.lets
	case template:
		return n.lets
	case first:
		return letsOf(n)
	case items:
		return letsOf(n)
	case *branch:
		return letsOf(n.nodes)
	}
	return 0
}

func letsOf(nodes []node) uint64 {
	var sum uint64
	for _, n := range nodes {
		sum |= lets(n)
	}
	return sum
}

// bits returns the names among paths that expressions use.
func (c *compiler) bits(refs [][]string) uint64 {
	var sum uint64
	for _, ref := range refs {
		if i := slices.Index(c.lets, ref[0]); i >= 0 {
			sum |= 1 << i
		}
	}
	return sum
}

func (c *compiler) conditions(s *Source) {
	for i, src := range c.spec.Accept {
		s.accept = append(s.accept, c.condition(index("accept", i), src))
	}
	seen := map[string]bool{}
	for i, r := range c.spec.Rules {
		at := index("rules", i)
		if seen[r.ID] {
			c.issue(at+".id", "", "the rule %q is there twice", r.ID)
		}
		seen[r.ID] = true
		s.rules = append(s.rules, c.rule(at, r))
	}
}

func (c *compiler) condition(at, src string) condition {
	p, err := c.env.CompileBool(src)
	if err != nil {
		c.wrong(at, err)
		return condition{}
	}
	first := newPrefilter(src, func(root string) bool { return c.vars[root] && root != "now" })
	if first != nil {
		first.name.lets = c.bits([][]string{{first.name.root}})
	}
	return condition{at, p, c.bits(p.Refs()), first}
}

// expression compiles a CEL expression; a plain path goes without CEL.
func (c *compiler) expression(at, src string) node {
	if p, ok := plainPath(src, func(root string) bool { return c.vars[root] && root != "now" }); ok {
		p.lets = c.bits([][]string{{p.root}})
		return p
	}
	if text, ok := quoted(src); ok {
		return literal{text}
	}
	p, err := c.env.Compile(src)
	if err != nil {
		c.wrong(at, err)
		return literal{}
	}
	return program{at, p, c.bits(p.Refs())}
}

// words returns every word of a text as a path: among them are the names that
// its expressions use.
func words(src string) [][]string {
	var out [][]string
	for _, w := range strings.FieldsFunc(src, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		out = append(out, []string{w})
	}
	return out
}

// quoted reads an expression that is nothing but text in quotes.
func quoted(src string) (string, bool) {
	src = strings.TrimSpace(src)
	if len(src) < 2 || src[0] != '"' && src[0] != '\'' || src[0] != src[len(src)-1] {
		return "", false
	}
	text := src[1 : len(src)-1]
	return text, !strings.ContainsAny(text, src[:1]+"\\\n")
}

// text compiles text with expressions inside.
func (c *compiler) text(at, src string) node {
	if !strings.Contains(src, "${{") {
		return literal{src}
	}
	t, err := c.env.Template(src)
	if err != nil {
		c.wrong(at, err)
		return literal{}
	}
	return template{at, t, c.bits(words(src))}
}

func (c *compiler) maxSize() int64 {
	if c.spec.MaxSize == nil {
		return defaultMaxSize
	}
	n, ok := parseSize(c.spec.MaxSize)
	if !ok || n < 1 || n > maxMaxSize {
		c.issue("max_size", "write bytes, or text such as 256KiB or 4MiB", "the size must be between 1 byte and 64MiB")
	}
	return n
}

func parseSize(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case string:
		for unit, size := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
			if digits, ok := strings.CutSuffix(v, unit); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
				return n * size, err == nil
			}
		}
	}
	return 0, false
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
