package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// TestErrors shows what an author is told. Each scenario holds a file as
// somebody wrote it.
func TestErrors(t *testing.T) {
	scenarios(t, "errors", func(t *testing.T, in map[string]string) string {
		t.Helper()
		docs, err := document.Parse("in.yaml", []byte(in["in.yaml"]))
		for _, d := range docs {
			err = errors.Join(err, d.Decode(new(recipe)))
		}
		if err == nil {
			return "ok\n"
		}
		return err.Error() + "\n"
	})
}

// TestFormat shows the canonical form.
func TestFormat(t *testing.T) {
	scenarios(t, "format", func(t *testing.T, in map[string]string) string {
		t.Helper()
		out, err := document.Format([]byte(in["in.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.Format(out)
		if err != nil || string(again) != string(out) {
			t.Errorf("formatted again (%v):\n%s", err, again)
		}
		return string(out)
	})
}

// TestPlan shows what a plan says. Files below current/ are in force, those
// below desired/ are asked for, the section remove names what shall go.
func TestPlan(t *testing.T) {
	scenarios(t, "plan", func(t *testing.T, in map[string]string) string {
		t.Helper()
		fsys := make(fstest.MapFS)
		for name, text := range in {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		current := make(document.Set)
		for _, d := range readAll(t, fsys, "current") {
			stored, err := document.FromText(d.String(), d.Text)
			if err != nil {
				t.Fatal(err)
			}
			current[d.ID] = stored
		}
		var remove []document.ID
		for s := range strings.FieldsSeq(in["remove"]) {
			id, err := document.ParseID(s)
			if err != nil {
				t.Fatal(err)
			}
			remove = append(remove, id)
		}
		return showPlan(kinds().Plan(current, readAll(t, fsys, "desired"), remove))
	})
}

func readAll(t *testing.T, fsys fstest.MapFS, root string) []document.Document {
	t.Helper()
	if _, err := fsys.Stat(root); err != nil {
		return nil
	}
	docs, err := document.ReadFS(fsys, root)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func showPlan(p document.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ok: %v\n", p.OK())
	for _, i := range p.Issues {
		fmt.Fprintf(&b, "issue: %s\n", i)
	}
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s\n", c.Op, c.ID)
		for line := range strings.Lines(c.Diff) {
			b.WriteString("    " + line)
		}
		for _, r := range p.Tests[c.ID] {
			fmt.Fprintf(&b, "  test %s: %v %s\n", r.Name, r.Passed, r.Message)
		}
	}
	fmt.Fprintf(&b, "compiled: %d\n", len(p.Compiled))
	return b.String()
}

// TestSchema shows the schema that an editor is given.
func TestSchema(t *testing.T) {
	scenarios(t, "schema", func(t *testing.T, in map[string]string) string {
		t.Helper()
		b, err := kinds().Schema(strings.TrimSpace(in["kind"]))
		if err != nil {
			return err.Error() + "\n"
		}
		return string(b) + "\n"
	})
}

func TestDecode(t *testing.T) {
	docs, err := document.Parse("a.yaml", []byte(`kind: recipe
name: soup
title: 1.10
description: no
steps:
  - do: yes
    with: { n: 1, big: -9007199254740993, f: 1.10, on: on, no: "no", t: true, x: 0x1F, o: 0o17, d: 2026-01-02, e: , l: [~, null, 1e3, .5, 1_000] }
    then:
      - do: |
          cut
          cook
rest: 1h30m
serves: 4
small: -7
weight: 2
public: true
sauce: { name: null }
notes: { a.b: 1, c: ~ }
heat: { from: 10, to: 20 }
by: 007
year: 1999
extra:
`))
	if err != nil {
		t.Fatal(err)
	}
	var got recipe
	if err := docs[0].Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := recipe{
		Rest: 90 * time.Minute, Serves: 4, Small: -7, Weight: 2, Public: true, Sauce: &sauce{Name: "null"},
		Notes: map[string]string{"a.b": "1", "c": "~"}, Heat: heat{10, 20}, Author: Author{By: "007", Year: 1999},
		Steps: []step{{
			Do: "yes",
			With: map[string]any{
				"n": int64(1), "big": int64(-9007199254740993), "f": 1.1, "on": "on", "no": "no", "t": true, "x": int64(31), "o": int64(15),
				"d": "2026-01-02", "e": nil, "l": []any{nil, nil, 1000.0, 0.5, "1_000"},
			},
			Then: []step{{Do: "cut\ncook\n"}},
		}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(heat{})); d != "" {
		t.Error(d)
	}
	if d := docs[0]; d.Title != "1.10" || d.String() != "recipe/soup" || d.Line != 1 || len(d.Version) != 64 {
		t.Errorf("got %q %s line %d version %q", d.Title, d.ID, d.Line, d.Version)
	}
}

func TestStoredTextIsTheSameDocument(t *testing.T) {
	docs, err := document.Parse("a.yaml", []byte("# note\nname:   x\nkind: task # a\n---\nkind: task\nname: y\n"))
	if err != nil || len(docs) != 2 {
		t.Fatal(docs, err)
	}
	for _, d := range docs {
		again, err := document.FromText("task/x", d.Text)
		if err != nil || again.Version != d.Version || again.ID != d.ID || string(again.Text) != string(d.Text) {
			t.Errorf("got %v %v, want %v", again, err, d)
		}
	}
	if _, err := document.FromText("two", []byte("kind: a\nname: b\n---\nkind: a\nname: c\n")); err == nil {
		t.Error("two documents were taken for one")
	}
}

func TestParseID(t *testing.T) {
	for _, ok := range []string{"playbook/siem-alert", "a/0"} {
		if id, err := document.ParseID(ok); err != nil || id.String() != ok {
			t.Errorf("ParseID(%q) = %v, %v", ok, id, err)
		}
	}
	for _, bad := range []string{"", "a", "a/", "/b", "a/b/c", "A/b", "a/-b", "a/" + strings.Repeat("b", 64), "a/ü"} {
		if id, err := document.ParseID(bad); errs.KindOf(err) != errs.Invalid {
			t.Errorf("ParseID(%q) = %v, %v", bad, id, err)
		}
	}
}

func TestIDsSort(t *testing.T) {
	a, b, c := document.ID{Kind: "a", Name: "z"}, document.ID{Kind: "b", Name: "a"}, document.ID{Kind: "b", Name: "b"}
	if a.Compare(b) >= 0 || c.Compare(b) <= 0 || b.Compare(b) != 0 {
		t.Error("not by kind, then by name")
	}
}

// TestSchemaOfTwins has two types of one name, and one that refers to nothing.
func TestSchemaOfTwins(t *testing.T) {
	type sauce struct {
		Hot bool `yaml:"hot"`
	}
	type twins struct {
		Mine   sauce     `yaml:"mine"`
		Theirs *recipe   `yaml:"theirs"`
		Mixed  list[int] `yaml:"mixed"`
		None   struct{}  `yaml:"none"`
	}
	b, err := document.Kinds{"a": {Spec: twins{}}}.Schema("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"#/$defs/sauce"`, `"#/$defs/sauce2"`, `"#/$defs/listint"`, `"#/$defs/object"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	if _, err := (document.Kinds{"a": {Spec: struct{ L lost }{}}}).Schema("a"); err == nil {
		t.Error("a reference to nothing was taken")
	}
}

type list[T any] struct{ Of []T }

type lost struct{}

func (lost) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"$ref": "#/$defs/nobody"}}}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "2h30m": 150 * time.Minute, "7d": 168 * time.Hour,
		"2w": 336 * time.Hour, "0": 0, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond, "36500d": 876000 * time.Hour,
	} {
		if got, err := document.ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "5", "m", "-5m", "5 m", "1y", "5M", "1e3s", "9999999w", "１s", "5m "} {
		if got, err := document.ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q) = %v", s, got)
		}
	}
}

func TestReadFS(t *testing.T) {
	fsys := fstest.MapFS{
		"docs/b.yml":         {Data: []byte("kind: task\nname: b\n")},
		"docs/a.yaml":        {Data: []byte("\uFEFFkind: task\r\nname: a\r\n")},
		"docs/c/d.yaml":      {Data: []byte("# nothing yet\n")},
		"docs/.git/e.yaml":   {Data: []byte("{")},
		"docs/.hidden.yaml":  {Data: []byte("{")},
		"docs/readme.md":     {Data: []byte("{")},
		"bad/one.yaml":       {Data: []byte("kind: task\n")},
		"bad/two.yaml":       {Data: []byte("name: \xff\n")},
		"other/ignored.yaml": {Data: []byte("{")},
	}
	docs, err := document.ReadFS(fsys, "docs")
	if err != nil || len(docs) != 2 || docs[0].Name != "a" || docs[1].Name != "b" || docs[1].File != "docs/b.yml" {
		t.Errorf("got %v, %v", docs, err)
	}
	if string(docs[0].Text) != "kind: task\nname: a\n" {
		t.Errorf("got %q", docs[0].Text)
	}
	_, err = document.ReadFS(fsys, "bad")
	want := `bad/one.yaml:1:1: name: the key "name" is required
bad/two.yaml:1:7: this is not valid UTF-8; save the file as UTF-8`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := document.ReadFS(fsys, "none"); err == nil || errs.KindOf(err) != "" {
		t.Errorf("got %v", err)
	}
}

// TestIssuePlaces finds paths in a document, whatever stands in its keys.
func TestIssuePlaces(t *testing.T) {
	docs, err := document.Parse("a.yaml", []byte(`kind: recipe
name: soup

steps:
  - do: x
    with:
      headers: { X.Y: 1, "a b": 2 }
      X: [a, b]
      X.Y[0]: deep
`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                "1",
		"name":                            "2:7",
		"steps":                           "4:1",
		"steps[0]":                        "5:5",
		"steps[0].do":                     "5:9",
		"steps[0].nothing.below":          "5:5",
		"steps[7].do":                     "4:1",
		"steps[0].with.headers":           "7:16",
		"steps[0].with.headers.X.Y":       "7:23",
		`steps[0].with.headers["a b"]`:    "7:33",
		`steps[0].with["headers"]["X.Y"]`: "7:23",
		"steps[0].with.X[1]":              "8:14",
		"steps[0].with.X.Y[0]":            "9:15",
		"steps[":                          "4:1",
		"[0]":                             "1",
	} {
		i := docs[0].Issue(path, "wrong %d", 1)
		got := strings.TrimPrefix(strings.SplitN(i.String(), ": ", 2)[0], "a.yaml:")
		if got != want && got != want+":1" {
			t.Errorf("%q is at %s, want %s", path, got, want)
		}
		if i.Msg != "wrong 1" || i.Field != path {
			t.Errorf("got %+v", i)
		}
	}
}

// TestIssueAt finds one character of a string in the file: every value has an
// X, and the place must be that of the X.
func TestIssueAt(t *testing.T) {
	src := `kind: a
name: b
plain: some Xpr
folds: over
   several

   lines to Xpr
next:
  Xpr
single: 'it''s Xpr'
double: "\"\x41\u00e9\U0001F600 Xpr"
broken: "one \
   two
   Xpr"
literal: |

  first é

    Xpr
keep: |2+
   Xpr

folded: >-
  words and

  words é Xpr
flow: { a: [1, éé Xpr] }
`
	docs, err := document.Parse("a.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := docs[0].Decode(&values); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(src, "\n")
	for key, value := range values {
		text, path := fmt.Sprint(value), key
		if key == "flow" {
			text, path = "éé Xpr", "flow.a[1]"
		}
		before, _, found := strings.Cut(text, "X")
		if !found {
			continue
		}
		i := docs[0].IssueAt(path, len([]rune(before))+1, "do", "wrong")
		line := []rune(lines[i.Line-1])
		if i.Column > len(line) || line[i.Column-1] != 'X' || i.Hint != "do" || i.Msg != "wrong" {
			t.Errorf("%s: %s", key, i)
		}
	}
	if i := docs[0].IssueAt("plain", 0, "", "x"); i.Column != 8 {
		t.Errorf("column 0: %s", i)
	}
	for _, path := range []string{"plain", "literal", "folded", "double"} {
		if i := docs[0].IssueAt(path, 99999, "", "x"); i.Line == 0 || i.Column == 0 {
			t.Errorf("past the end: %s", i)
		}
	}
}

func TestDiff(t *testing.T) {
	want := `--- a
+++ b
@@ -1,6 +1,6 @@
 1
 2
 3
-4
+four
 5
 6
`
	if got := document.Diff([]byte("1\n2\n3\n4\n5\n6\n"), []byte("1\n2\n3\nfour\n5\n6\n"), "a", "b"); got != want {
		t.Error(cmp.Diff(want, got))
	}
	if got := document.Diff([]byte("x"), []byte("x")); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestLimits holds against input that is meant to cost.
func TestLimits(t *testing.T) {
	for name, src := range map[string]string{
		"a large file": strings.Repeat("# x\n", 1<<18) + "\n",
		"deep flow":    "kind: " + strings.Repeat("[", 200),
		"deep block":   "kind:\n  " + strings.Repeat("- ", 5000) + "x",
		"many aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
		"a long key":   strings.Repeat("k", 1000) + ": x\n",
		"self alias":   "a: &a [*a]\n",
	} {
		if _, err := document.Parse("x.yaml", []byte(src)); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	wide := "kind: task\nname: x\na: [" + strings.Repeat("{ b: c }, ", 20_000) + "]\n"
	if _, err := document.Parse("x.yaml", []byte(wide)); err != nil {
		t.Errorf("wide: %v", err)
	}
}
