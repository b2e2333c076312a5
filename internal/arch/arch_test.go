package arch

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "beffroi.dev/"

// floors lists every package once, lowest floor first. A package may import
// packages of lower floors only.
var floors = [][]string{
	{"internal/errs", "internal/secret", "catalog", "test/peers"},
	{"internal/expr", "internal/merkle"},
	{"internal/document"},
	{"internal/playbook", "internal/alert", "internal/ask", "internal/connector", "internal/person"},
	{"internal/ledger", "internal/blob", "internal/web"},
	{"internal/view"},
	{"internal/sequencer"},
	{"internal/alert/store", "internal/playbook/store", "internal/ask/store", "internal/document/store", "internal/person/store", "internal/secret/store", "internal/slack/store"},
	{"internal/intake", "internal/runner", "internal/connector/client", "internal/slack", "internal/slack/sim", "internal/timekeeper"},
	{"internal/console"},
	{"internal/app"},
	{"internal/cli"},
	{"internal/arch", "cmd/beffroi", "test/bench", "test/faults"},
}

// pure packages get their clock, randomness and bytes from the caller.
var pure = []string{
	"internal/errs", "internal/secret", "internal/expr", "internal/merkle", "internal/document",
	"internal/playbook", "internal/alert", "internal/ask", "internal/connector", "internal/person",
}

var impure = []string{"os", "os/exec", "net", "net/http", "database/sql", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "zombiezen.com/go/sqlite"}

// slogValue may import log/slog for the LogValuer interface alone, so that a
// secret prints as "redacted" wherever it is logged.
const slogValue = "internal/secret"

// forbidden dependencies, with the reason.
var forbidden = map[string]string{
	"github.com/google/cel-go":  "moved to cel.dev/cel-go",
	"github.com/robfig/cron/v3": "unmaintained",
	"gopkg.in/yaml.v3":          "unmaintained: use go.yaml.in/yaml/v4",
}

type pkg struct {
	ImportPath, Dir, Doc string
	GoFiles, Imports     []string
}

func load(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

func TestFloors(t *testing.T) {
	level := map[string]int{}
	for i, l := range floors {
		for _, p := range l {
			level[p] = i
		}
	}
	seen := map[string]bool{}
	for _, p := range load(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		seen[rel] = true
		at, ok := level[rel]
		if !ok {
			t.Errorf("%s is on no floor: add it to floors", rel)
		}
		for _, imp := range p.Imports {
			if in, ok := strings.CutPrefix(imp, module); ok && level[in] >= at {
				t.Errorf("%s (floor %d) imports %s (floor %d)", rel, at, in, level[in])
			}
			if slices.Contains(pure, rel) && slices.Contains(impure, imp) && (rel != slogValue || imp != "log/slog") {
				t.Errorf("pure package %s imports %s", rel, imp)
			}
			if why, ok := forbidden[imp]; ok {
				t.Errorf("%s imports %s: %s", rel, imp, why)
			}
		}
	}
	for p := range level {
		if !seen[p] {
			t.Errorf("floors names %s, which is gone", p)
		}
	}
}

func TestPureClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "AfterFunc", "Tick"}
	for _, p := range load(t) {
		if !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, s.Sel.Name) {
						t.Errorf("%s: pure code calls time.%s", fset.Position(s.Pos()), s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

func TestShape(t *testing.T) {
	for _, p := range load(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		for _, name := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), "\n"); n > 700 {
				t.Errorf("%s/%s has %d lines, over 700: split it by idea", p.ImportPath, name, n)
			}
		}
	}
}

// TestNothingStartsByItself finds init functions and os.Exit below main.
func TestNothingStartsByItself(t *testing.T) {
	for _, p := range load(t) {
		if strings.HasPrefix(p.ImportPath, module+"cmd/") || strings.HasPrefix(p.ImportPath, module+"test/") {
			continue
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					if n.Recv == nil && n.Name.Name == "init" {
						t.Errorf("%s: func init", fset.Position(n.Pos()))
					}
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "os" && n.Sel.Name == "Exit" {
						t.Errorf("%s: os.Exit below main", fset.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
}
