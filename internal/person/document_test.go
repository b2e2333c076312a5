package person_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/person"
)

var update = flag.Bool("update", false, "write what was found into testdata")

func kinds() document.Kinds {
	return document.Kinds{"person": person.PersonKind(), "team": person.TeamKind()}
}

// plan compiles documents and fails the test on any issue.
func plan(t testing.TB, src string) document.Set {
	t.Helper()
	docs, err := document.Parse("people.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if p := kinds().Plan(nil, docs, nil); !p.OK() {
		t.Fatal(p.Issues)
	}
	set := document.Set{}
	for _, d := range docs {
		set[d.ID] = d
	}
	return set
}

// TestChecks compares the issues of the documents in testdata/check with those
// in the file "issues" beside them.
func TestChecks(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var docs []document.Document
			var want *txtar.File
			for i, f := range ar.Files {
				if f.Name == "issues" {
					want = &ar.Files[i]
					continue
				}
				parsed, err := document.Parse(f.Name, f.Data)
				if err != nil {
					t.Fatal(err)
				}
				docs = append(docs, parsed...)
			}
			p := kinds().Plan(nil, docs, nil)
			var got strings.Builder
			for _, i := range p.Issues {
				fmt.Fprintln(&got, i)
			}
			if *update {
				want.Data = []byte(got.String())
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
				t.Errorf("issues (-want +got):\n%s", diff)
			}
		})
	}
}

// TestShape: what the reader of documents finds is told once, with its path.
func TestShape(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"{kind: person, name: eve}", "email"},
		{"{kind: person, name: eve, email: eve@example.org, emial: x}", "emial"},
		{"{kind: person, name: eve, email: eve@example.org, active: maybe}", "active"},
		{"{kind: team, name: t}", "members"},
		{"{kind: team, name: t, members: []}", "members"},
		{"{kind: team, name: t, members: [eve], on_call: {members: [eve], every: 5m, start: 2026-01-05, zone: UTC}}", "on_call.every"},
		{"{kind: team, name: t, members: [eve], on_call: {members: [eve], every: 7d, zone: UTC}}", "on_call.start"},
	} {
		docs, err := document.Parse("x.yaml", []byte(tt.src+"\n---\n{kind: person, name: eve, email: eve@example.org}"))
		if err != nil {
			t.Fatal(err)
		}
		if docs[0].Kind == "person" {
			docs = docs[:1]
		}
		p := kinds().Plan(nil, docs, nil)
		if len(p.Issues) != 1 || p.Issues[0].Field != tt.want || p.Issues[0].Line != 1 {
			t.Errorf("%s: %v, want one issue at %s", tt.src, p.Issues, tt.want)
		}
	}
}

func TestCompiled(t *testing.T) {
	set := plan(t, `
kind: person
name: ada
title: " Ada Lovelace"
email: ada@example.org
slack: U0123ABCD
manager: person/bob
time_zone: Europe/Paris
language: en-GB
---
kind: person
name: bob
email: bob@example.org
active: false
guest: true
---
kind: team
name: blue
title: Blue team
members: [ada, person/bob]
lead: person/ada
channel: "#blue"
on_call: {members: [bob, ada], every: 7d, start: 2026-01-05T09:00, zone: Europe/Paris}
---
kind: team
name: red
members: [ada]
on_call: [ada]
`)
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]any{
		"person/ada": person.Person{
			Name: "ada", Title: "Ada Lovelace", Email: "ada@example.org", Slack: "U0123ABCD", Active: true,
			Manager: "bob", TimeZone: "Europe/Paris", Language: "en-GB",
		},
		"person/bob": person.Person{Name: "bob", Email: "bob@example.org", Guest: true},
		"team/blue": person.Team{
			Name: "blue", Title: "Blue team", Members: []string{"ada", "bob"}, Lead: "ada", Channel: "#blue",
			OnCall: person.OnCall{Members: []string{"bob", "ada"}, Every: 7 * 24 * time.Hour, Start: time.Date(2026, 1, 5, 9, 0, 0, 0, paris)},
		},
		"team/red": person.Team{Name: "red", Members: []string{"ada"}, OnCall: person.OnCall{Members: []string{"ada"}}},
	} {
		docID, err := document.ParseID(id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kinds()[docID.Kind].Compile(set[docID], set)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
}

func TestSchema(t *testing.T) {
	for _, kind := range []string{"person", "team"} {
		got, err := kinds().Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"email", "time_zone"} {
			if kind == "person" && !bytes.Contains(got, []byte(`"`+key+`"`)) {
				t.Errorf("the schema of a person lacks %s:\n%s", key, got)
			}
		}
		for _, key := range []string{"members", "on_call", "every", "zone"} {
			if kind == "team" && !bytes.Contains(got, []byte(`"`+key+`"`)) {
				t.Errorf("the schema of a team lacks %s:\n%s", key, got)
			}
		}
	}
}

func TestNormalEmail(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"ada@example.org", "ada@example.org"},
		{" Ada.Lovelace+x@Example.ORG\n", "ada.lovelace+x@example.org"},
		{"o'neil@xn--bcher-kva.example", "o'neil@xn--bcher-kva.example"},
		{"", ""},
		{"ada", ""},
		{"ada@localhost", ""},
		{"@example.org", ""},
		{"ada@@example.org", ""},
		{"ada@example..org", ""},
		{"ada@-example.org", ""},
		{"a da@example.org", ""},
		{"ada@example.org, eve@example.org", ""},
		{"Ada <ada@example.org>", ""},
		{`"ada"@example.org`, ""},
		{".ada@example.org", ""},
		{"a..da@example.org", ""},
		{"bo\u212aer@example.org", ""}, // the Kelvin sign is a k in lower case
		{"аda@example.org", ""},        // the first letter is Cyrillic
		{"ada@bücher.example", ""},
		{"ada\x00@example.org", ""},
		{strings.Repeat("a", 65) + "@example.org", ""},
		{"a@" + strings.Repeat("a.", 130) + "org", ""},
	} {
		got, ok := person.NormalEmail(tt.in)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q becomes %q, %v; want %q", tt.in, got, ok, tt.want)
		}
	}
}

func FuzzNormalEmail(f *testing.F) {
	f.Add("Ada@Example.org")
	f.Add("\u212a@x.y")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := person.NormalEmail(s)
		if !ok {
			return
		}
		if again, ok := person.NormalEmail(got); !ok || again != got {
			t.Errorf("%q becomes %q becomes %q", s, got, again)
		}
		for _, r := range s {
			if r >= 0x7f {
				t.Errorf("%q holds %q", s, r)
			}
		}
		if !strings.EqualFold(strings.TrimSpace(s), got) {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

// BenchmarkPlan3000People is one plan of a company of three thousand.
func BenchmarkPlan3000People(b *testing.B) {
	var src strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&src, "kind: person\nname: p%d\ntitle: Person Number %d\nemail: p%d@example.org\ntime_zone: Europe/Paris\n", i, i, i)
		if i > 0 {
			fmt.Fprintf(&src, "manager: p%d\n", i/8)
		}
		src.WriteString("---\n")
	}
	docs, err := document.Parse("people.yaml", []byte(src.String()))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if p := kinds().Plan(nil, docs, nil); len(p.Issues) > 0 {
			b.Fatal(p.Issues)
		}
	}
}
