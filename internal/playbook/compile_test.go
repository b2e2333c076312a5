package playbook

import (
	"errors"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/errs"
)

// TestCompileRefuses compiles testdata/compile/*.txt and compares the issues.
func TestCompileRefuses(t *testing.T) {
	forEachFile(t, "testdata/compile/*.txt", func(t *testing.T, a *txtar.Archive) {
		for i := range a.Files {
			f := &a.Files[i]
			if i+1 == len(a.Files) || a.Files[i+1].Name != "issues" {
				continue
			}
			docs := parse(t, f.Name, string(f.Data))
			_, err := Compile(docs[0], testSet(t, docs...), testCatalog)
			var issues errs.Issues
			if err != nil && !errors.As(err, &issues) {
				t.Fatalf("not issues: %v", err)
			}
			var got strings.Builder
			for _, i := range issues {
				got.WriteString(i.String() + "\n")
			}
			a.Files[i+1].Data = []byte(got.String())
		}
	})
}
