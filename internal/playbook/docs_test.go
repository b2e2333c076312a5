package playbook

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"beffroi.dev/internal/document"
)

// TestDocs compiles every example of docs/playbooks.md, whole playbooks and
// parts of one, and runs the tests in them.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/playbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	set := document.Set{}
	add := func(src string) document.Document {
		d := parse(t, "docs/playbooks.md", src)[0]
		set[d.ID] = d
		return d
	}
	for _, src := range []string{
		"kind: connection\nname: directory\n", "kind: team\nname: blue\n", "kind: team\nname: soc\n", "kind: person\nname: ada\n",
	} {
		add(src)
	}
	cat := catalog{
		"virustotal.get-ip-report": {Args: map[string]Arg{"ip": {Required: true}}},
		"crowdstrike.perform-action-v2": {
			Args: map[string]Arg{"action_name": {Required: true}, "ids": {Required: true}},
		},
		"jira.create-issue": {Args: map[string]Arg{"summary": {Required: true}}},
		"http":              testCatalog["http"],
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 10 {
		t.Fatalf("only %d examples", len(blocks))
	}
	tests := 0
	for _, b := range blocks {
		src := example(b[1])
		p, err := Compile(add(src), set, cat)
		if err != nil {
			t.Errorf("%s\n%v", src, err)
			continue
		}
		for _, r := range p.Test() {
			if tests++; !r.Passed {
				t.Errorf("%s: %s", r.Name, r.Message)
			}
		}
	}
	if tests < 3 {
		t.Errorf("only %d tests", tests)
	}
}

// example makes a playbook of a part of one.
func example(src string) string {
	const head = "kind: playbook\nname: example\n"
	switch {
	case strings.HasPrefix(src, "kind:"):
		return src
	case strings.HasPrefix(src, "- "):
		return head + "inputs: { system: {}, reason: {} }\nsteps:\n" + src
	case strings.Contains(src, "\nsteps:"):
		return head + src
	}
	return head + "steps: [ { set: { x: 1 } } ]\n" + src
}
