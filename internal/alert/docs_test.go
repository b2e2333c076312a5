package alert_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/document"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestDocs compiles every document of docs/sources.md, whole or a part of one,
// and runs its tests.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	set := document.Set{}
	for _, src := range []string{"kind: team\nname: blue\n", "kind: person\nname: ada\n"} {
		d := parse(t, src)
		set[d.ID] = d
	}
	kinds := map[string]document.Kind{"source": alert.SourceKind(nil), "objective": alert.ObjectiveKind()}
	tests := 0
	for _, b := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
		src := b[1]
		if !strings.HasPrefix(src, "kind:") {
			src = header + src
		}
		d := parse(t, src)
		kind := kinds[d.Kind]
		compiled, err := kind.Compile(d, set)
		if err != nil {
			t.Errorf("%s\n%v", src, err)
			continue
		}
		for _, r := range kind.Test(compiled, set) {
			if tests++; !r.Passed {
				t.Errorf("%s: %s", r.Name, r.Message)
			}
		}
	}
	if tests < 6 {
		t.Errorf("only %d tests", tests)
	}
}

func parse(t *testing.T, src string) document.Document {
	t.Helper()
	docs, err := document.Parse("docs/sources.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return docs[0]
}
