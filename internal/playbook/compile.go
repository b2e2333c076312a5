package playbook

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// A Playbook is a compiled playbook document. It never changes; many runs
// share it.
type Playbook struct {
	Name    string
	Title   string
	Version string // of the document

	steps, finally []*step
	byName         map[string]*step
	slots          int // of the root frame

	inputs      []Input
	triggers    []Trigger
	output      *tree
	concurrency *concurrency
	noVars      map[string]any // every variable, null
	tests       []test
}

// An Input is a value that a run is given.
type Input struct {
	Name        string `json:"name"`
	Type        string `json:"type,omitempty"` // string, int, number, bool, list, object; empty: any
	Required    bool   `json:"required,omitempty"`
	Default     any    `json:"default,omitempty"`
	Enum        []any  `json:"enum,omitempty"`
	Description string `json:"description,omitempty"`
}

// Inputs returns the inputs that the playbook declares, by name.
func (p *Playbook) Inputs() []Input { return p.inputs }

// compiler collects what is wrong with one playbook.
type compiler struct {
	doc    document.Document
	in     document.Set
	cat    Catalog
	spec   Spec
	issues errs.Issues

	all      []*step
	byID     map[string]*step
	unnamed  map[kind]int
	slots    map[*step]int // next slot of a region
	varNames map[string]bool
	vars     []expr.Var
	envs     map[string]*expr.Env
}

// Compile checks all that a playbook document says and makes it ready to run.
// in is the set of documents that it may refer to. Errors are [errs.Issues].
func Compile(d document.Document, in document.Set, cat Catalog) (*Playbook, error) {
	c := &compiler{
		doc: d, in: in, cat: cat,
		byID: map[string]*step{}, unnamed: map[kind]int{}, slots: map[*step]int{},
		varNames: map[string]bool{}, envs: map[string]*expr.Env{},
	}
	if err := d.Decode(&c.spec); err != nil {
		return nil, err
	}
	p := &Playbook{Name: d.Name, Title: d.Title, Version: d.Version, byName: map[string]*step{}}
	p.steps = c.declare(c.spec.Steps, "steps", nil, 0, 1)
	p.finally = c.declare(c.spec.Finally, "finally", nil, 1, 1)
	p.slots = c.slots[nil]
	if len(c.issues) > 0 {
		return nil, c.sorted() // names and kinds first: the rest would only repeat them
	}
	if len(p.steps) == 0 {
		c.issue("steps", "a playbook has at least one step")
	}
	c.declareVars()
	for _, s := range c.all {
		c.step(s)
	}
	c.document(p)
	c.noCycle()
	c.tests(p)
	if len(c.issues) > 0 {
		return nil, c.sorted()
	}
	for _, s := range c.all {
		p.byName[s.name] = s
		s.spec = nil
	}
	return p, nil
}

// document compiles what is not a step.
func (c *compiler) document(p *Playbook) {
	p.inputs = c.inputs()
	p.triggers = c.triggers()
	if c.spec.Output != nil {
		p.output = c.tree("output", c.spec.Output, atEnd)
	}
	if k := c.spec.Concurrency; k != nil {
		p.concurrency = &concurrency{max: k.Max, drop: k.WhenFull == "drop"}
		if k.Key != "" {
			p.concurrency.key = c.startText("concurrency.key", k.Key)
		}
	}
	p.noVars = map[string]any{}
	for name := range c.varNames {
		p.noVars[name] = nil
	}
}

// sorted returns the issues in the order of the document.
func (c *compiler) sorted() errs.Issues {
	slices.SortStableFunc(c.issues, func(a, b errs.Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.issues
}

func (c *compiler) issue(path, format string, args ...any) {
	c.issues = append(c.issues, c.doc.Issue(path, format, args...))
}

func (c *compiler) hinted(path, hint, format string, args ...any) {
	i := c.doc.Issue(path, format, args...)
	i.Hint = hint
	c.issues = append(c.issues, i)
}

var nameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Words that CEL keeps for itself: keywords cannot even stand after a dot,
// reserved words cannot stand alone.
var (
	keywords = []string{"false", "in", "null", "true"}
	reserved = []string{
		"as", "break", "const", "continue", "else", "for", "function", "if", "import",
		"let", "loop", "namespace", "package", "return", "var", "void", "while",
	}
)

// checkName reports what is wrong with a name that expressions will use.
func (c *compiler) checkName(path, what, name string) {
	switch {
	case !nameRE.MatchString(name):
		hint := "use letters, digits and _, starting with a letter"
		if fixed := strings.ReplaceAll(name, "-", "_"); nameRE.MatchString(fixed) {
			hint = fmt.Sprintf("write %q: in an expression - means minus", fixed)
		}
		c.hinted(path, hint, "%q cannot be the name of %s", clip(name), what)
	case slices.Contains(keywords, name):
		c.issue(path, "%q cannot be the name of %s: expressions use the word for something else", name, what)
	}
}

// inputs checks the declared inputs and returns them by name.
func (c *compiler) inputs() []Input {
	var list []Input
	for _, name := range sortedKeys(c.spec.Inputs) {
		s := c.spec.Inputs[name]
		path := pathKey("inputs", name)
		c.checkName(path, "an input", name)
		in := Input{
			Name: name, Type: s.Type, Required: s.Required,
			Default: s.Default, Enum: s.Enum, Description: s.Description,
		}
		for i, v := range in.Enum {
			if why := in.typeError(v); why != "" {
				c.issue(fmt.Sprintf("%s.enum[%d]", path, i), "%s", why)
			}
		}
		if in.Default != nil {
			if why := in.wrong(in.Default); why != "" {
				c.issue(path+".default", "%s", why)
			}
			if in.Required {
				c.hinted(path, "remove one of the two", "an input with a default is never missing, so it cannot be required")
			}
		}
		list = append(list, in)
	}
	return list
}

// CheckInputs returns the inputs of a run: those given, with the defaults of
// the others. Errors are [errs.Issues].
func (p *Playbook) CheckInputs(given map[string]any) (map[string]any, error) {
	var issues errs.Issues
	names := make([]string, len(p.inputs))
	out := make(map[string]any, len(p.inputs))
	for i, in := range p.inputs {
		names[i] = in.Name
		v := given[in.Name]
		if v == nil {
			v = in.Default
		}
		switch why := in.wrong(v); {
		case v == nil && in.Required:
			issues = append(issues, errs.Issue{Field: "inputs." + in.Name, Msg: "the input is required", Hint: in.Description})
		case v != nil && why != "":
			issues = append(issues, errs.Issue{Field: "inputs." + in.Name, Msg: why})
		}
		out[in.Name] = v
	}
	for _, name := range sortedKeys(given) {
		if !slices.Contains(names, name) {
			issues = append(issues, errs.Issue{
				Field: "inputs." + clip(name), Msg: p.Name + " has no such input", Hint: errs.Suggest(name, names),
			})
		}
	}
	return out, issues.Err()
}

// wrong says why a value cannot be this input, or "".
func (in Input) wrong(v any) string {
	if why := in.typeError(v); why != "" {
		return why
	}
	if len(in.Enum) > 0 && !slices.ContainsFunc(in.Enum, func(e any) bool { return equal(e, v) }) {
		return "the value is not one of " + compact(in.Enum)
	}
	return ""
}

func (in Input) typeError(v any) string {
	match := true
	switch in.Type {
	case "string":
		_, match = v.(string)
	case "int":
		_, match = v.(int64)
	case "number":
		_, match = v.(float64)
		if _, whole := v.(int64); whole {
			match = true
		}
	case "bool":
		_, match = v.(bool)
	case "list":
		_, match = v.([]any)
	case "object":
		_, match = v.(map[string]any)
	}
	if match {
		return ""
	}
	return fmt.Sprintf("expected %s, got %s", in.Type, typeOf(v))
}

// typeOf names the type of a JSON value for people.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

// errIssue adds an error with its hint.
func (c *compiler) errIssue(path string, err error) {
	var e *errs.Error
	if errors.As(err, &e) {
		c.hinted(path, e.Hint, "%s", e.Msg)
		return
	}
	c.issue(path, "%s", err)
}
