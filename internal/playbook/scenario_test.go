package playbook

import (
	"bytes"
	"encoding/json"
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
	"beffroi.dev/internal/expr"
)

var update = flag.Bool("update", false, "write what the tests get as what they want")

// start is when all scenarios begin.
var start = time.Date(2026, time.November, 22, 8, 0, 0, 0, time.UTC)

// TestScenarios plays testdata/scenario/*.txt: a playbook and a list of
// events. Under each event stand the commands that it must give.
func TestScenarios(t *testing.T) {
	forEachFile(t, "testdata/scenario/*.txt", func(t *testing.T, a *txtar.Archive) {
		var got bytes.Buffer
		for i := range a.Files {
			f := &a.Files[i]
			if f.Name == "events" {
				s := newScenario(t, a, &got)
				for line := range strings.Lines(string(f.Data)) {
					s.line(strings.TrimRight(line, "\n"))
				}
				s.end()
				f.Data = bytes.Clone(got.Bytes())
			}
		}
	})
}

// forEachFile calls check, which may change the archive, and compares the
// archive with the file.
func forEachFile(t *testing.T, pattern string, check func(t *testing.T, a *txtar.Archive)) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files for %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(before)
			check(t, a)
			after := txtar.Format(a)
			if *update {
				if err := os.WriteFile(file, after, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// catalog has the operations that tests call.
type catalog map[string]Operation

func (c catalog) Operation(name string) (Operation, bool) { op, ok := c[name]; return op, ok }
func (c catalog) Names() []string                         { return sortedKeys(c) }

var testCatalog = catalog{
	"http":        {Connection: true, Args: map[string]Arg{"method": {}, "url": {Required: true}, "headers": {}, "body": {}, "expect": {}}},
	"edr.contain": {Args: map[string]Arg{"host": {Required: true}}},
	"edr.lift":    {},
	"intel.ip":    {},
	"jira.create": {},
	"mail.send":   {},
}

// testSet is what test playbooks may refer to.
func testSet(t testing.TB, more ...document.Document) document.Set {
	t.Helper()
	set := document.Set{}
	for _, d := range parse(t, "set.yaml", "kind: connection\nname: vt\n---\nkind: team\nname: blue\n---\nkind: person\nname: ada\n") {
		set[d.ID] = d
	}
	for _, d := range more {
		set[d.ID] = d
	}
	return set
}

func parse(t testing.TB, file, src string) []document.Document {
	t.Helper()
	docs, err := document.Parse(file, []byte(src))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return docs
}

// compile compiles the first playbook of a file; it may play the others.
func compile(t testing.TB, src string) *Playbook {
	t.Helper()
	docs := parse(t, "playbook.yaml", src)
	p, err := Compile(docs[0], testSet(t, docs...), testCatalog)
	if err != nil {
		t.Fatalf("compile:\n%v", err)
	}
	return p
}

// scenario feeds the lines of an events file to a run, and writes them again
// with what came of them.
type scenario struct {
	t   *testing.T
	p   *Playbook
	out *bytes.Buffer
	run Run
	at  time.Time
}

func newScenario(t *testing.T, a *txtar.Archive, out *bytes.Buffer) *scenario {
	s := &scenario{t: t, out: out, at: start}
	init := Init{Run: "run/7", Trace: true}
	for _, f := range a.Files {
		switch f.Name {
		case "playbook.yaml":
			s.p = compile(t, string(f.Data))
		case "init.json":
			v, err := expr.FromJSON(f.Data)
			m, ok := v.(map[string]any)
			if err != nil || !ok {
				t.Fatalf("%v %v", v, err)
			}
			init.Alert, _ = m["alert"].(map[string]any)
			init.Case, _ = m["case"].(map[string]any)
			init.Inputs, _ = m["inputs"].(map[string]any)
			init.Trigger, _ = m["trigger"].(map[string]any)
			init.Requester, _ = m["requester"].(string)
		}
	}
	var cmds []Command
	s.run, cmds = Start(s.p, init, s.at)
	s.write("start", cmds, nil)
	return s
}

// line reads "+10s ACTION KIND rest": the time since the event before, and
// what happened. Lines that begin with spaces are what came of it last time.
func (s *scenario) line(line string) {
	if strings.HasPrefix(line, "#") {
		fmt.Fprintln(s.out, line)
		return
	}
	if line == "" || line == "start" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "=") {
		return
	}
	rest := line
	if after, found := strings.CutPrefix(line, "+"); found {
		span, more, _ := strings.Cut(after, " ")
		d, err := time.ParseDuration(span)
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		s.at, rest = s.at.Add(d), more
	}
	e := s.event(rest)
	e.At = s.at
	var cmds []Command
	var err error
	s.run, cmds, err = Step(s.p, s.run, e)
	s.write(line, cmds, err)
	checkRun(s.t, s.run)
}

func (s *scenario) event(text string) Event {
	words := strings.SplitN(text, " ", 3)
	switch words[0] {
	case "cancel":
		return Event{Kind: Cancelled, By: "person/ada"}
	case "retry":
		return Event{Kind: Retried, By: "person/ada", Step: strings.Join(words[1:], "")}
	}
	e := Event{Action: words[0], Kind: EventKind(words[1])}
	var v any
	if len(words) == 3 && e.Kind != Answered {
		var err error
		if v, err = expr.FromJSON([]byte(words[2])); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
	switch e.Kind {
	case Answered:
		parts := strings.SplitN(words[2], " ", 3)
		e.Answer = parts[0]
		if len(parts) > 1 {
			e.By = parts[1]
		}
		if len(parts) > 2 {
			e.Reason = parts[2]
		}
	case Errored:
		e.Error = &Error{}
		if err := json.Unmarshal([]byte(words[2]), e.Error); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	case Ended:
		m, _ := v.(map[string]any)
		status, _ := m["status"].(string)
		e.Result, e.Run, e.Status = m["output"], "run/8", Status(status)
		if msg, ok := m["error"].(string); ok {
			e.Error = &Error{Kind: HTTP, Message: msg}
		}
	default:
		e.Result = v
	}
	return e
}

func (s *scenario) write(line string, cmds []Command, err error) {
	fmt.Fprintln(s.out, line)
	for _, c := range cmds {
		fmt.Fprintln(s.out, "    "+s.text(c))
	}
	if err != nil {
		fmt.Fprintln(s.out, "    refused:", err)
	}
}

// text is a command as scenarios show it; times are since the start.
func (s *scenario) text(c Command) string {
	since := func(t time.Time) string { return Span(t.Sub(start)).String() }
	switch c := c.(type) {
	case Call:
		text := fmt.Sprintf("call %s %s %s key=%s", c.Action, c.Op, compact(c.With), c.Key)
		if c.Attempt > 1 {
			text += fmt.Sprintf(" attempt=%d", c.Attempt)
		}
		if c.Timeout > 0 {
			text += " timeout=" + Span(c.Timeout).String()
		}
		if c.Connection != "" {
			text += " connection=" + c.Connection
		}
		return text
	case Ask:
		return fmt.Sprintf("ask %s %s", c.Action, compact(c.Question))
	case Wait:
		return fmt.Sprintf("wait %s until %s", c.Action, since(c.Until))
	case Await:
		text := fmt.Sprintf("await %s %s %s", c.Action, c.Event, compact(c.Match))
		if !c.Until.IsZero() {
			text += " until " + since(c.Until)
		}
		return text
	case Play:
		return fmt.Sprintf("play %s %s %s key=%s", c.Action, c.Playbook, compact(c.Inputs), c.Key)
	case Withdraw:
		return "withdraw " + c.Action
	case Finish:
		text := "finish " + string(c.Status)
		if c.Output != nil {
			text += " output=" + compact(c.Output)
		}
		if c.Error != nil {
			text += fmt.Sprintf(" error=%s: %s", c.Error.Kind, c.Error)
		}
		if c.Message != "" {
			text += fmt.Sprintf(" message=%q", c.Message)
		}
		return text
	}
	return fmt.Sprintf("%T", c)
}

// end writes how the run stands and what its trace says.
func (s *scenario) end() {
	fmt.Fprintln(s.out, "=", s.run.Status())
	for _, a := range s.run.Open() {
		fmt.Fprintln(s.out, "= open", a.Action, "of", a.Step)
	}
	trace, _ := s.run.Trace()
	for _, e := range trace {
		fmt.Fprintf(s.out, "= %s %s %s", e.Path, e.Kind, e.Status)
		if e.Condition != "" {
			fmt.Fprintf(s.out, " (%s → %s)", e.Condition, compact(e.Value))
		}
		if e.Branch != "" {
			fmt.Fprintf(s.out, " %s", e.Branch)
		}
		if e.Output != nil {
			fmt.Fprintf(s.out, " %s", compact(e.Output))
		}
		if e.Error != nil {
			fmt.Fprintf(s.out, " %s: %s", e.Error.Kind, e.Error)
		}
		fmt.Fprintln(s.out)
	}
}

// checkRun verifies what must hold after every event.
func checkRun(t testing.TB, r Run) {
	t.Helper()
	open := len(r.Open())
	if _, ended := r.Finish(); ended != (open == 0) {
		t.Fatalf("the run is %s with %d open actions", r.Status(), open)
	}
}
