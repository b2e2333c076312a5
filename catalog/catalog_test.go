package catalog_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"beffroi.dev/catalog"
	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/expr"
)

// testTime is when the events arrive.
var testTime = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// spec is what these rules of the house need of a document.
type spec struct {
	alert.SourceSpec
	doc document.Document
}

func sources(t *testing.T) []spec {
	t.Helper()
	var out []spec
	for _, d := range documents(t, catalog.Sources()) {
		s := spec{doc: d}
		if err := d.Decode(&s.SourceSpec); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func documents(t *testing.T, dir fs.FS) []document.Document {
	t.Helper()
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []document.Document
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		docs, err := document.Parse(name, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			if d.Name+".yaml" != name {
				t.Errorf("%s holds %s", name, d.ID)
			}
			if canonical, err := document.Format(b); err != nil || string(canonical) != string(b) {
				t.Errorf("%s is not in canonical form (%v)\n%s", name, err, document.Diff(b, canonical))
			}
		}
		out = append(out, docs...)
	}
	return out
}

func compile(t *testing.T, d document.Document) *alert.Source {
	t.Helper()
	s, err := alert.CompileSource(d, catalog.Sources())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheTestsOfEverySourcePass(t *testing.T) {
	for _, s := range sources(t) {
		t.Run(s.doc.Name, func(t *testing.T) {
			compiled := compile(t, s.doc)
			for _, r := range alert.SourceKind(catalog.Sources()).Test(compiled, nil) {
				if !r.Passed {
					t.Errorf("%s:%d: %s\n%s", s.doc.File, r.Line, r.Name, r.Message)
				}
			}
		})
	}
}

func TestNoRuleShipsThatNeverFiresOnItsOwnProductsEvent(t *testing.T) {
	for _, s := range sources(t) {
		fires := map[string]bool{}
		var positive, negative bool
		for _, test := range s.Tests {
			fires[test.Expect.Rule] = fires[test.Expect.Rule] || test.Expect.Alerts > 0
			positive = positive || test.Expect.Alerts > 0
			negative = negative || test.Expect.Alerts == 0
		}
		if !positive || !negative {
			t.Errorf("%s needs a test that gives alerts, and one that gives none", s.doc.ID)
		}
		for _, r := range s.Rules {
			if !fires[r.ID] {
				t.Errorf("%s: no test shows that the rule %s fires", s.doc.ID, r.ID)
			}
		}
	}
}

func TestEverySourceSaysWhatItIs(t *testing.T) {
	for _, s := range sources(t) {
		if s.doc.Title == "" || len(s.Rules) > 0 && slices.ContainsFunc(s.Rules, func(r alert.RuleSpec) bool {
			return r.Severity != "" && (r.Desc == "" || r.Confidence == "")
		}) {
			t.Errorf("%s lacks a title, or a rule lacks desc or confidence", s.doc.ID)
		}
		if s.Verify.Scheme == alert.SchemeNone {
			t.Errorf("%s takes calls from strangers", s.doc.ID)
		}
	}
}

func TestTheGuideListsEverySource(t *testing.T) {
	guide, err := os.ReadFile("../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	all := sources(t)
	for _, s := range all {
		rules := " "
		if n := len(s.Rules); n > 0 {
			rules = fmt.Sprintf(" %d ", n)
		}
		row := fmt.Sprintf("| [%s](../catalog/sources/%s.yaml) | `/hooks/%s` | `%s` |%s|",
			s.doc.Title, s.doc.Name, s.doc.Name, s.Verify.Scheme, rules)
		if !strings.Contains(string(guide), row+"\n") {
			t.Errorf("docs/sources.md lacks\n%s", row)
		}
	}
	if count := fmt.Sprintf("%d products", len(all)); !strings.Contains(string(guide), count) {
		t.Errorf("docs/sources.md does not say %q", count)
	}
}

func TestEveryEventFileIsUsedAndHasAnOrigin(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, test := range s.Tests {
			if file, ok := test.Event.(string); ok {
				used[file] = true
			}
			for _, file := range test.Events {
				used[file] = true
			}
		}
	}
	notice, err := fs.ReadFile(catalog.Sources(), "NOTICE.md")
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(catalog.Sources(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".json" {
			return err
		}
		if !used[name] {
			t.Errorf("%s is used by no test", name)
		}
		if !strings.Contains(string(notice), "| "+name+" | ") {
			t.Errorf("NOTICE.md does not say where %s comes from", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestObjectives(t *testing.T) {
	set := document.Set{}
	for _, d := range documents(t, catalog.Objectives()) {
		set[d.ID] = d
	}
	team, err := document.Parse("team.yaml", []byte("kind: team\nname: blue\n"))
	if err != nil {
		t.Fatal(err)
	}
	set[team[0].ID] = team[0]
	for _, d := range documents(t, catalog.Objectives()) {
		o, err := alert.CompileObjective(d, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range alert.ObjectiveKind().Test(o, set) {
			if !r.Passed {
				t.Errorf("%s: %s: %s", d.ID, r.Name, r.Message)
			}
		}
	}
}

// TestTheDemoTellsItsStory replays the alerts of the demo one minute apart and
// keeps what the view would keep.
func TestTheDemoTellsItsStory(t *testing.T) {
	alerts, err := catalog.DemoAlerts()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*alert.Source{}
	for _, s := range sources(t) {
		byName[s.doc.Name] = compile(t, s.doc)
	}
	products, outcomes := map[string]bool{}, map[alert.Outcome]int{}
	state := map[string]*alert.Known{}
	at := testTime
	n := 0
	for _, a := range alerts {
		s := byName[a.Source]
		if s == nil {
			t.Fatalf("no source %q", a.Source)
		}
		products[s.Product.VendorName+" "+s.Product.Name] = true
		findings, _, err := s.Map(readEvent(t, a.Event), at)
		if err != nil || len(findings) == 0 {
			t.Fatalf("%s gives %d alerts: %v", a.Event, len(findings), err)
		}
		for _, f := range findings {
			n++
			d := alert.Decide(s.Policy, f, find(state, f), at)
			outcomes[d.Outcome]++
			t.Logf("%-28s %-8s %-7s %s  %v", a.Source, alert.SeverityName(f.SeverityID), d.Outcome, f.Title, d.Entities)
			if d.Case == "" {
				d.Case = "case/" + f.Fingerprint
			}
			for _, key := range append(slices.Clone(f.Entities), f.Fingerprint) {
				state[key] = &alert.Known{Case: d.Case, State: alert.Open, Last: at, Alert: "alert/" + key}
			}
		}
		at = at.Add(time.Minute)
	}
	if len(products) < 8 || n < 20 || outcomes[alert.Repeats] < 2 || outcomes[alert.Joins] < 2 {
		t.Errorf("%d alerts of %d products, outcomes %v", n, len(products), outcomes)
	}
}

func find(state map[string]*alert.Known, f alert.Finding) alert.Found {
	found := alert.Found{Same: state[f.Fingerprint]}
	for _, e := range f.Entities {
		if k := state[e]; k != nil {
			known := *k
			known.Entity = e
			found.Sharing = append(found.Sharing, known)
		}
	}
	return found
}

func readEvent(t *testing.T, file string) any {
	t.Helper()
	b, err := fs.ReadFile(catalog.Sources(), file)
	if err != nil {
		t.Fatal(err)
	}
	v, err := expr.FromJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
