package cli

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
)

type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type proposal struct {
	Files   []file   `json:"files"`
	Remove  []string `json:"remove,omitempty"`
	Message string   `json:"message,omitempty"`
	Base    string   `json:"base,omitempty"`
}

type planned struct {
	Base    string                           `json:"base"`
	OK      bool                             `json:"ok"`
	Changes []document.Change                `json:"changes"`
	Issues  errs.Issues                      `json:"issues"`
	Tests   map[string][]document.TestResult `json:"tests"`
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

var _ flag.Value = (*list)(nil)

// read collects the YAML files under the given files and directories.
func read(paths []string) ([]file, error) {
	var out []file
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != path && strings.HasPrefix(d.Name(), "."):
				return filepath.SkipDir
			case d.IsDir(), name != path && (strings.HasPrefix(d.Name(), ".") || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name))):
				return nil
			}
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			out = append(out, file{Name: name, Text: string(b)})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
	}
	if len(out) == 0 {
		return nil, errs.E(errs.Invalid, "there is no .yaml file in %s", strings.Join(paths, ", "))
	}
	return out, nil
}

func (e *env) proposal(args []string) (proposal, error) {
	var files, remove list
	var p proposal
	e.flags.Var(&files, "f", "a file, or a directory of .yaml files; may be given several times")
	e.flags.Var(&remove, "remove", "a document to remove, KIND/NAME; may be given several times")
	e.flags.StringVar(&p.Message, "m", "", "why: stands in the record")
	e.flags.StringVar(&p.Message, "message", "", "the same as -m")
	rest, err := e.parse(args, 0, 99)
	if err != nil {
		return p, err
	}
	if files = append(files, rest...); len(files) == 0 && len(remove) == 0 {
		e.help()
		return p, errUsage
	}
	p.Remove = remove
	if len(files) > 0 {
		p.Files, err = read(files)
	}
	return p, err
}

func runPlan(e *env, args []string) error {
	p, err := e.proposal(args)
	if err != nil {
		return err
	}
	var out planned
	if printed, err := e.call("POST", "/documents/plan", p, &out); err != nil || printed {
		return err
	}
	e.printPlan(out, true)
	if !out.OK {
		return errs.E(errs.Invalid, "this cannot be applied")
	}
	return nil
}

func (e *env) printPlan(p planned, diffs bool) {
	counts := map[string]int{}
	for _, c := range p.Changes {
		counts[c.Op]++
		if c.Op == document.Same {
			continue
		}
		fmt.Fprintf(e.stdout, "%s %s %s\n", c.Op, c.ID, short(c.To))
		if diffs && c.Op == document.Update {
			fmt.Fprint(e.stdout, c.Diff)
		}
	}
	passed, failed := 0, 0
	for _, id := range sortedKeys(p.Tests) {
		for _, t := range p.Tests[id] {
			if t.Passed {
				passed++
				continue
			}
			failed++
			fmt.Fprintf(e.stdout, "test fails: %s: %s: %s\n", id, t.Name, t.Message)
		}
	}
	for _, i := range p.Issues {
		fmt.Fprintln(e.stderr, i)
	}
	fmt.Fprintf(e.stdout, "%d to create, %d to update, %d to delete, %d the same; %d tests passed, %d failed\n",
		counts[document.Create], counts[document.Update], counts[document.Delete], counts[document.Same], passed, failed)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func runApply(e *env, args []string) error {
	p, err := e.proposal(args)
	if err != nil {
		return err
	}
	var out planned
	if printed, err := e.call("POST", "/documents/apply", p, &out); err != nil || printed {
		return err
	}
	e.printPlan(out, false)
	return nil
}

// docPath turns KIND/NAME into the path of the API.
func docPath(s string) (string, error) {
	id, err := document.ParseID(s)
	if err != nil {
		return "", err
	}
	return "/documents/" + url.PathEscape(id.Kind) + "/" + url.PathEscape(id.Name), nil
}

func runRollback(e *env, args []string) error {
	to := e.flags.String("to", "", "first digits of the version; the one before unless said")
	why := e.flags.String("m", "", "why: stands in the record")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	path, err := docPath(pos[0])
	if err != nil {
		return err
	}
	var out planned
	if printed, err := e.call("POST", path+"/rollback", map[string]string{"to": *to, "message": *why}, &out); err != nil || printed {
		return err
	}
	for _, c := range out.Changes {
		if c.Op == document.Same {
			fmt.Fprintf(e.stdout, "%s is at %s already\n", c.ID, short(c.To))
			continue
		}
		fmt.Fprintf(e.stdout, "%s is back at %s (was %s)\n", c.ID, short(c.To), short(c.From))
	}
	return nil
}

func runHistory(e *env, args []string) error {
	pos, err := e.parse(args, 0, 1)
	if err != nil {
		return err
	}
	if len(pos) == 0 {
		return e.documents("")
	}
	if !strings.Contains(pos[0], "/") {
		return e.documents(pos[0])
	}
	path, err := docPath(pos[0])
	if err != nil {
		return err
	}
	var out struct{ Items []documentstore.Version }
	if printed, err := e.call("GET", path+"/history", nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"RECORD", "TIME", "VERSION", "WHO", "WHY"}}
	for _, v := range out.Items {
		version, why := short(v.Version), v.Message
		if version == "" {
			version = "(removed)"
		}
		if v.Rollback {
			why = strings.TrimSpace("rollback: " + why)
		}
		rows = append(rows, []string{fmt.Sprint(v.Seq), when(v.Time), version, v.Actor, clip(why, 80)})
	}
	e.table(rows)
	return nil
}

func (e *env) documents(kind string) error {
	var out struct {
		Items []struct{ Kind, Name, Title, Version string }
	}
	if printed, err := e.call("GET", "/documents?kind="+url.QueryEscape(kind), nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"DOCUMENT", "VERSION", "TITLE"}}
	for _, d := range out.Items {
		rows = append(rows, []string{d.Kind + "/" + d.Name, short(d.Version), clip(d.Title, 60)})
	}
	e.table(rows)
	return nil
}

func runDiff(e *env, args []string) error {
	from := e.flags.String("from", "", "version; the one before unless said")
	to := e.flags.String("to", "", "version; the one in force unless said")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	path, err := docPath(pos[0])
	if err != nil {
		return err
	}
	var out struct{ From, To, Diff string }
	q := url.Values{"from": {*from}, "to": {*to}}
	if printed, err := e.call("GET", path+"/diff?"+q.Encode(), nil, &out); err != nil || printed {
		return err
	}
	fmt.Fprint(e.stdout, out.Diff)
	return nil
}

func runShow(e *env, args []string) error {
	version := e.flags.String("version", "", "first digits of an older version")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	path, err := docPath(pos[0])
	if err != nil {
		return err
	}
	var out struct{ Text string }
	if printed, err := e.call("GET", path+"?version="+url.QueryEscape(*version), nil, &out); err != nil || printed {
		return err
	}
	fmt.Fprint(e.stdout, out.Text)
	return nil
}

func runFmt(e *env, args []string) error {
	check := e.flags.Bool("check", false, "write nothing; fail when a file is not in its canonical form")
	pos, err := e.parse(args, 1, 9999)
	if err != nil {
		return err
	}
	files, err := read(pos)
	if err != nil {
		return err
	}
	wrong := 0
	for _, f := range files {
		if _, err := document.Parse(f.Name, []byte(f.Text)); err != nil {
			return err
		}
		b, err := document.Format([]byte(f.Text))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if bytes.Equal(b, []byte(f.Text)) {
			continue
		}
		fmt.Fprintln(e.stdout, f.Name)
		wrong++
		if *check {
			continue
		}
		if err := os.WriteFile(f.Name, b, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	if *check && wrong > 0 {
		return errs.Hint(errs.Invalid, "beffroi fmt writes them so", "%d files are not in their canonical form", wrong)
	}
	return nil
}

func runSchema(e *env, args []string) error {
	pos, err := e.parse(args, 0, 1)
	if err != nil {
		return err
	}
	kinds := app.Kinds()
	if len(pos) == 0 {
		for _, name := range sortedKeys(kinds) {
			fmt.Fprintf(e.stdout, "%-12s %s\n", name, kinds[name].Doc)
		}
		return nil
	}
	b, err := kinds.Schema(pos[0])
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, strings.TrimSpace(string(b)))
	return nil
}
