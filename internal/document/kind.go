package document

import (
	"maps"
	"slices"

	"beffroi.dev/internal/errs"
)

// A Kind is one kind of document: what it may hold and when it is right.
type Kind struct {
	Name  string
	Title string
	Doc   string
	Spec  any // the zero value of the struct that Decode is given, for the schema

	// Compile checks everything that a document says, expressions and
	// references included, and returns what the owner works with. in is the
	// whole set as it would be after the apply. Errors are [errs.Issues].
	Compile func(d Document, in Set) (any, error)

	// Test runs the tests that a document carries. It may be nil.
	Test func(compiled any, in Set) []TestResult
}

// A TestResult is the outcome of one test inside a document.
type TestResult struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Message string `json:"message,omitempty"` // what differed
	Line    int    `json:"line,omitempty"`
}

// Kinds are all kinds that a program knows, by name.
type Kinds map[string]Kind

// A Set is the documents that are in force together.
type Set map[ID]Document

// sorted returns the ids of a set in order, so that a plan is always the same.
func (s Set) sorted() []ID { return slices.SortedFunc(maps.Keys(s), ID.Compare) }

// What a [Change] does.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
	Same   = "same"
)

// A Change is what an apply would do to one document.
type Change struct {
	ID
	Op   string `json:"op"`
	From string `json:"from,omitempty"` // the version before
	To   string `json:"to,omitempty"`   // the version after
	Diff string `json:"diff,omitempty"` // unified
}

// A Plan is what would happen, and all that speaks against it.
type Plan struct {
	Changes  []Change            // sorted by id
	Issues   errs.Issues         // in the order of the documents
	Tests    map[ID][]TestResult // of the documents that change
	Compiled map[ID]any          // of the whole set after the change
}

// OK reports whether the plan may be applied: no issue and no failed test.
func (p Plan) OK() bool {
	for _, rs := range p.Tests {
		for _, r := range rs {
			if !r.Passed {
				return false
			}
		}
	}
	return len(p.Issues) == 0
}

// Plan says what it would mean to put desired in force and to remove some
// documents; what is in neither stays. It compiles the whole set that would
// result, since a change of one document can break another, and runs the tests
// of those that change.
func (ks Kinds) Plan(current Set, desired []Document, remove []ID) Plan {
	p := Plan{Tests: make(map[ID][]TestResult), Compiled: make(map[ID]any)}
	after := maps.Clone(current)
	if after == nil {
		after = make(Set)
	}
	p.remove(current, after, remove)
	p.add(ks, current, after, desired)
	slices.SortFunc(p.Changes, func(a, b Change) int { return a.Compare(b.ID) })
	p.compile(ks, after)
	for _, c := range p.Changes {
		compiled, ok := p.Compiled[c.ID]
		if k := ks[c.Kind]; ok && k.Test != nil && (c.Op == Create || c.Op == Update) {
			p.Tests[c.ID] = k.Test(compiled, after)
		}
	}
	return p
}

func (p *Plan) remove(current, after Set, remove []ID) {
	for _, id := range remove {
		old, ok := current[id]
		if !ok {
			p.Issues = append(p.Issues, errs.Issue{
				Msg:  "cannot remove " + id.String() + ": there is no such document",
				Hint: suggestName(id, current),
			})
			continue
		}
		if _, still := after[id]; !still {
			continue // named twice
		}
		delete(after, id)
		p.Changes = append(p.Changes, Change{
			ID: id, Op: Delete, From: old.Version,
			Diff: Diff(old.Text, nil, id.String(), "/dev/null"),
		})
	}
}

func suggestName(id ID, in Set) string {
	var names []string
	for other := range in {
		if other.Kind == id.Kind {
			names = append(names, other.Name)
		}
	}
	return errs.Suggest(id.Name, names)
}

func (p *Plan) add(ks Kinds, current, after Set, desired []Document) {
	first := make(map[ID]Document, len(desired))
	for _, d := range desired {
		if _, known := ks[d.Kind]; !known {
			i := d.Issue("kind", "unknown kind %q", d.Kind)
			i.Hint = errs.Suggest(d.Kind, slices.Sorted(maps.Keys(ks)))
			p.Issues = append(p.Issues, i)
			continue
		}
		if other, twice := first[d.ID]; twice {
			p.Issues = append(p.Issues, d.Issue("name", "%s is defined twice; first at %s:%d", d.ID, other.File, other.Line))
			continue
		}
		first[d.ID] = d
		old, had := current[d.ID]
		if _, has := after[d.ID]; had && !has {
			p.Issues = append(p.Issues, d.Issue("name", "%s is both defined and to be removed", d.ID))
			continue
		}
		after[d.ID] = d
		c := Change{ID: d.ID, Op: Update, From: old.Version, To: d.Version}
		switch {
		case !had:
			c.Op, c.Diff = Create, Diff(nil, d.Text, "/dev/null", d.String())
		case old.Version == d.Version:
			c.Op = Same
		default:
			c.Diff = Diff(old.Text, d.Text, d.String(), d.String())
		}
		p.Changes = append(p.Changes, c)
	}
}

// compile compiles every document of a known kind. A stored document of a kind
// that this program no longer knows stays as it is, until it is removed.
func (p *Plan) compile(ks Kinds, after Set) {
	for _, id := range after.sorted() {
		k, known := ks[id.Kind]
		if !known {
			continue
		}
		d := after[id]
		compiled, err := k.Compile(d, after)
		if err == nil {
			p.Compiled[id] = compiled
			continue
		}
		issues, ok := err.(errs.Issues) //nolint:errorlint // a wrapped error is one sentence about the document
		if !ok {
			issues = errs.Issues{d.Issue("", "%s", err)}
		}
		for _, i := range issues {
			if i.File == "" {
				i.File = d.File
			}
			p.Issues = append(p.Issues, i)
		}
	}
}
