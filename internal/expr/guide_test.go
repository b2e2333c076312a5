package expr

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const guide = "../../docs/expressions.md"

var (
	exampleRow = regexp.MustCompile("(?m)^\\| `(.*)` \\| `(.*)` \\|$")
	jsonBlock  = regexp.MustCompile("(?s)```json\n(.*?)```")
	called     = regexp.MustCompile(`([\w.]+)\(`)
)

// TestGuideIsTrue evaluates every example of the user guide.
func TestGuideIsTrue(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	v, err := FromJSON(jsonBlock.FindSubmatch(text)[1])
	if err != nil {
		t.Fatal(err)
	}
	vars, _ := v.(map[string]any)
	vars["now"] = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	env, err := NewEnv(Var{"alert", OpenObject(nil)}, Var{"steps", OpenObject(nil)}, Var{"now", Timestamp()})
	if err != nil {
		t.Fatal(err)
	}
	rows := exampleRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 150 {
		t.Fatalf("only %d examples found", len(rows))
	}
	for _, row := range rows {
		src, result := strings.ReplaceAll(row[1], `\|`, "|"), strings.ReplaceAll(row[2], `\|`, "|")
		want, err := FromJSON([]byte(result))
		if err != nil {
			t.Errorf("%s: result %s: %v", src, result, err)
			continue
		}
		p, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := p.Eval(vars)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		// In the guide 3.0 is written 3.
		if diff := cmp.Diff(string(appendJSON(nil, want)), string(appendJSON(nil, got))); diff != "" {
			t.Errorf("%s (-guide +got):\n%s", src, diff)
		}
	}
}

// TestGuideIsComplete wants an example of every function and macro.
func TestGuideIsComplete(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, row := range exampleRow.FindAllStringSubmatch(string(text), -1) {
		for _, m := range called.FindAllStringSubmatch(row[1], -1) {
			shown[m[1]] = true
			shown[m[1][strings.LastIndexByte(m[1], '.')+1:]] = true
		}
	}
	base, err := baseEnv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range base.Functions() {
		if !strings.Contains(name, "@") && !strings.HasPrefix(name, "_") && !strings.HasSuffix(name, "_") && name != "in" {
			names = append(names, name)
		}
	}
	for _, m := range base.Macros() {
		names = append(names, m.Function())
	}
	for _, name := range names {
		if !shown[name] {
			t.Errorf("the guide has no example of %s()", name)
		}
	}
}
