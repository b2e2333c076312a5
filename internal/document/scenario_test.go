package document_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what came out to the scenario files")

// scenarios runs each file of a folder. run gets its sections by name and
// returns what the section "want" should be.
func scenarios(t *testing.T, folder string, run func(t *testing.T, in map[string]string) string) {
	files, err := filepath.Glob("testdata/" + folder + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := make(map[string]string)
			want := -1
			for i, f := range a.Files {
				in[f.Name] = string(f.Data)
				if f.Name == "want" {
					want = i
				}
			}
			if want < 0 {
				a.Files = append(a.Files, txtar.File{Name: "want"})
				want = len(a.Files) - 1
			}
			got := run(t, in)
			if *update {
				a.Files[want].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(a.Files[want].Data, []byte(got)) {
				t.Error(cmp.Diff(string(a.Files[want].Data), got))
			}
		})
	}
}
