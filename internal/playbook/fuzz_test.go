package playbook

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// FuzzRun plays arbitrary events on generated playbooks and checks, after each
// of them, what the machine promises.
func FuzzRun(f *testing.F) {
	for i := range 40 {
		seed := make([]byte, 200)
		for j := range seed {
			seed[j] = byte(i*31 + j*j*7 + j*i*13)
		}
		f.Add(seed)
	}
	set := document.Set{}
	for _, d := range parse(f, "child.yaml", "kind: playbook\nname: child\nsteps: [ { call: intel.ip } ]\n") {
		set[d.ID] = d
	}
	f.Fuzz(func(t *testing.T, data []byte) { playAnything(t, set, data) })
}

func playAnything(t *testing.T, set document.Set, data []byte) {
	g := &generator{data: data}
	src := g.playbook(t)
	docs, err := document.Parse("generated.json", src)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, src)
	}
	p, err := Compile(docs[0], set, testCatalog)
	if err != nil {
		t.Fatalf("compile: %v\n%s", err, src)
	}
	m := newModel(t, p)
	for range 150 {
		m.play(g.event(m.a.Open()))
	}
}

// model follows a run by its commands alone. It plays all events on two runs,
// one of them with a trace, which must do the same.
type model struct {
	t      *testing.T
	p      *Playbook
	a, b   Run
	issued map[string]bool
	open   []string
	asking map[string]bool
}

func newModel(t *testing.T, p *Playbook) *model {
	m := &model{t: t, p: p, issued: map[string]bool{}, asking: map[string]bool{}}
	init := Init{Run: "run/1", Alert: map[string]any{"list": []any{int64(1), "two", nil}}}
	var ca, cb []Command
	m.a, ca = Start(p, init, start)
	init.Trace = true
	m.b, cb = Start(p, init, start)
	m.check(ca, cb)
	return m
}

func (m *model) play(e Event) {
	var ca, cb []Command
	var ea, eb error
	before := fmt.Sprint(m.a.Open(), m.a.Status())
	m.a, ca, ea = Step(m.p, m.a, e)
	m.b, cb, eb = Step(m.p, m.b, e)
	if (ea == nil) != (eb == nil) {
		m.t.Fatalf("one run refuses %v: %v, %v", e, ea, eb)
	}
	if ea != nil {
		if len(ca) > 0 || fmt.Sprint(m.a.Open(), m.a.Status()) != before {
			m.t.Fatalf("a refused event did something: %v", ca)
		}
		return
	}
	if i := slices.Index(m.open, e.Action); i >= 0 {
		m.open = slices.Delete(m.open, i, i+1)
	}
	m.check(ca, cb)
}

// check follows the commands and compares with what the run says of itself.
func (m *model) check(cmds, twin []Command) {
	m.t.Helper()
	if diff := cmp.Diff(cmds, twin); diff != "" {
		m.t.Fatalf("the same events gave something else:\n%s", diff)
	}
	finished := false
	for _, c := range cmds {
		if finished {
			m.t.Fatalf("%v after the end", c)
		}
		switch c := c.(type) {
		case Finish:
			finished = true
			if len(m.open) > 0 {
				m.t.Fatalf("finish %s with %v open", c.Status, m.open)
			}
		case Withdraw:
			i := slices.Index(m.open, c.Action)
			if i < 0 {
				m.t.Fatalf("withdraw of %s, which is not open", c.Action)
			}
			m.open = slices.Delete(m.open, i, i+1)
		default:
			id := actionID(c)
			if m.issued[id] {
				m.t.Fatalf("the action id %s comes twice", id)
			}
			m.issued[id] = true
			m.open = append(m.open, id)
		}
	}
	var says []string
	for _, a := range m.a.Open() {
		says = append(says, a.Action)
	}
	if !slices.Equal(says, m.open) {
		m.t.Fatalf("open are %v, the run says %v", m.open, says)
	}
	if _, ended := m.a.Finish(); ended != (len(m.open) == 0) || ended != (m.a.Status() != Running) {
		m.t.Fatalf("the run is %s with %v open", m.a.Status(), m.open)
	}
	trace, _ := m.b.Trace()
	for _, e := range trace {
		if _, ended := m.b.Finish(); ended && e.Ended.IsZero() {
			m.t.Fatalf("%s never ended in the trace", e.Path)
		}
	}
}

// generator makes playbooks and events of bytes.
type generator struct {
	data  []byte
	steps int
	asked []string // questions in reach
	final bool     // in finally
	chain uint64   // of the bytes so far
}

// n takes a byte or, when there is none left, makes one of those before.
func (g *generator) n(below int) int {
	b := byte(g.chain >> 56)
	if len(g.data) > 0 {
		b, g.data = g.data[0], g.data[1:]
	}
	g.chain = (g.chain+uint64(b)+1)*6364136223846793005 + 1442695040888963407
	return int(b) % below
}

type object = map[string]any

func (g *generator) playbook(t *testing.T) []byte {
	doc := object{"kind": "playbook", "name": "generated", "steps": append([]any{object{"set": object{"v": g.n(3)}}}, g.block(0, 4)...), "output": "${{ vars.v }}"}
	if g.n(2) == 0 {
		g.asked, g.final = nil, true
		doc["finally"] = g.block(2, 2)
	}
	src, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func (g *generator) block(depth, most int) []any {
	steps := []any{}
	outer := g.asked
	for range 1 + g.n(most) {
		if g.steps > 20 {
			break
		}
		steps = append(steps, g.step(depth))
	}
	g.asked = outer
	if len(steps) == 0 {
		steps = append(steps, object{"set": object{"v": 3}})
	}
	return steps
}

func (g *generator) step(depth int) object {
	g.steps++
	id := fmt.Sprintf("s%d", g.steps)
	s := object{"id": id}
	kinds := 8
	if depth < 3 {
		kinds = 14
	}
	composite := false
	switch k := g.n(kinds); k {
	case 0, 1:
		s["call"] = "intel.ip"
		s["with"] = object{"ip": []string{"x", "${{ vars.v }}", "${{ alert.nope }}"}[g.n(3)]}
	case 2, 3:
		ask := object{"to": "#a", "title": "Hi ${{ vars.v }}", "answers": []string{"yes", "no"}}
		if g.n(2) == 0 {
			ask["expire"] = object{"after": "1h", "answer": "no"}
		}
		s["ask"] = ask
	case 4:
		s["set"] = object{"v": []any{1, "${{ now }}", "${{ alert.list[7] }}"}[g.n(3)]}
	case 5:
		s["wait"] = []any{"10m", object{"until": "2026-11-22T08:00:00Z"}, object{"event": "e", "timeout": "5m"}, object{"event": "e"}}[g.n(4)]
	case 6:
		s["play"] = "child"
	case 7:
		if depth < 2 || g.n(4) > 0 {
			s["set"] = object{"v": 2}
		} else {
			s["call"] = "edr.lift"
		}
	case 8:
		s["if"] = g.condition()
		s["then"], s["else"] = g.block(depth+1, 3), g.block(depth+1, 2)
		composite = true
	case 9:
		s["switch"] = "vars.v"
		s["cases"] = object{"1": g.block(depth+1, 2), "2": g.block(depth+1, 2)}
		composite = true
	case 10, 11:
		s["each"] = []any{"alert.list", []any{1, 2}, "vars.v", []any{}}[g.n(4)]
		s["do"] = g.block(depth+1, 3)
		s["parallel"] = 1 + g.n(3)
		s["collect"] = []string{"item", "index", "alert.nope"}[g.n(3)]
		composite = true
	case 12, 13:
		s["parallel"] = object{"a": g.block(depth+1, 3), "b": g.block(depth+1, 2), "c": []any{}}
		composite = true
	}
	g.options(s, depth, composite)
	if s["ask"] != nil {
		g.asked = append(slices.Clip(g.asked), id)
	}
	return s
}

func (g *generator) condition() string {
	if len(g.asked) > 0 && g.n(2) == 0 {
		return "steps." + g.asked[g.n(len(g.asked))] + `.answer == "yes"`
	}
	return []string{"true", "false", "vars.v == 1", "alert.nope"}[g.n(4)]
}

func (g *generator) options(s object, depth int, composite bool) {
	if g.n(4) == 0 && s["then"] == nil {
		s["if"] = g.condition()
	}
	if g.n(3) == 0 {
		s["retry"] = object{"times": 1 + g.n(2), "on": []string{"5xx", "timeout", "failed", "no_answer"}}
	}
	if g.n(4) == 0 {
		s["timeout"] = "30m"
	}
	switch g.n(5) {
	case 0:
		s["on_error"] = "continue"
	case 1:
		if depth < 3 {
			s["on_error"] = g.block(depth+1, 2)
		}
	case 2:
		if depth > 0 && !g.final && !composite && g.n(3) == 0 { // a stop in place of it
			for k := range s {
				delete(s, k)
			}
			s["stop"] = object{"status": []string{"ok", "failed", "stopped"}[g.n(3)]}
		}
	}
}

// event makes something that happens: most often to an open action.
func (g *generator) event(open []OpenAction) Event {
	e := Event{At: start.Add(time.Duration(g.n(256)) * time.Minute)}
	switch k := g.n(24); {
	case k == 0:
		e.Kind, e.By = Cancelled, "person/ada"
		return e
	case k == 1 || len(open) == 0:
		e.Kind, e.Step = Retried, []string{"", "s1", "s2", "s5", "s9", "nope"}[g.n(6)]
		return e
	case k == 2:
		e.Kind = []EventKind{Finished, Fired, Answered, "nonsense"}[g.n(4)]
		e.Action = []string{"s1", "s2#2", "s1[0].s2", "s3:timeout", ""}[g.n(5)]
		return e
	}
	a := open[g.n(len(open))]
	e.Action = a.Action
	good := g.n(3) > 0
	switch a.Command.(type) {
	case Call:
		e.Kind, e.Result = Finished, object{"status": int64(200), "body": int64(g.n(3))}
	case Ask:
		e.Kind, e.Answer = Answered, []string{"yes", "no", "maybe"}[g.n(3)]
		if g.n(4) == 0 {
			e.Kind = Expired
		}
	case Wait:
		e.Kind = Fired
		return e
	case Await:
		e.Kind, e.Result = []EventKind{Arrived, Fired}[g.n(2)], "data"
	case Play:
		e.Kind, e.Status = Ended, []Status{OK, RunFailed, WasCancelled, Stopped}[g.n(4)]
	}
	if !good {
		e.Kind = Errored
		e.Error = []*Error{nil, {Kind: HTTP, Status: 503}, {Kind: Denied}, {Kind: Timeout, RetryAfter: time.Hour}}[g.n(4)]
	}
	return e
}

// FuzzCompile compiles arbitrary documents: what is wrong with them is issues,
// and what compiles can be run.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range a.Files {
			if strings.HasSuffix(part.Name, ".yaml") {
				f.Add(part.Data)
			}
		}
	}
	set := testSet(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		docs, err := document.Parse("x.yaml", src)
		if err != nil {
			return
		}
		for _, d := range docs {
			p, err := Compile(d, set, testCatalog)
			if err != nil {
				if _, ok := err.(errs.Issues); !ok { //nolint:errorlint // document.Plan wants them bare
					t.Fatalf("not issues: %v", err)
				}
				continue
			}
			p.Test()
			Simulate(p, Init{}, Given{Assume: true}, start)
			if yes, why, err := p.Matches(nil, nil, start); yes && err != nil {
				t.Fatalf("matches, and fails: %v %v", why, err)
			}
		}
	})
}
