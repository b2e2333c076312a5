package ask_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/ask"
)

var update = flag.Bool("update", false, "write what happened into the scenarios")

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// directory is a Directory made of lines such as "ada blue red": a person and
// their teams, or what is wrong with them ("guest", "left").
type directory map[string][]string

func (d directory) has(id, word string) bool {
	return slices.Contains(d[strings.TrimPrefix(id, "person/")], word)
}

func (d directory) Person(id string) (ask.Person, bool) {
	name := strings.TrimPrefix(id, "person/")
	_, ok := d[name]
	return ask.Person{ID: id, Name: strings.ToUpper(name), Active: !d.has(id, "left"), Guest: d.has(id, "guest")}, ok
}

func (d directory) InTeam(person, team string) bool {
	return d.has(person, strings.TrimPrefix(team, "team/"))
}

func readDirectory(text string) directory {
	d := directory{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			d[f[0]] = f[1:]
		}
	}
	return d
}

// TestScenarios replays the life of the questions in testdata: one thing a
// line, with the time since the asking, then what came of it after "->".
//
//	10m tick                        do what is due
//	10m answer ada contain because  ada answers "contain" with the reason "because"
//	10m withdraw run/1 was stopped
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := func(i int, name string) *txtar.File {
				if len(ar.Files) != 3 || ar.Files[i].Name != name {
					t.Fatalf("%s holds the parts question.json, people and story", file)
				}
				return &ar.Files[i]
			}
			var q ask.Question
			dec := json.NewDecoder(strings.NewReader(string(part(0, "question.json").Data)))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&q); err != nil {
				t.Fatal(err)
			}
			if err := ask.Validate(q).Err(); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, q, readDirectory(string(part(1, "people").Data)))
			story := part(2, "story")
			got := w.play(string(story.Data))
			if *update {
				story.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(story.Data), got); diff != "" {
				t.Errorf("the story goes otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

// world plays one question as its store does: decide, record, apply.
type world struct {
	t       testing.TB
	state   ask.State
	dir     directory
	ended   int
	decided map[string]bool // steps done, by kind and number
}

func newWorld(t testing.TB, q ask.Question, dir directory) *world {
	w := &world{t: t, dir: dir, decided: map[string]bool{}}
	asked := ask.Asked{Question: q}
	if strings.HasSuffix(q.Channel, "/on_call") {
		asked.People = []string{"person/oncall"}
	}
	w.record(ask.KindAsked, asked, monday)
	return w
}

// record encodes, decodes and applies, and checks that time does not go back
// and that nothing happens after the end.
func (w *world) record(kind string, data any, at time.Time) {
	w.t.Helper()
	b, err := json.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	before, was := w.state.Next()
	next, err := ask.Apply(w.state, kind, b, at)
	if err != nil {
		w.t.Fatalf("%s %s: %v", kind, b, err)
	}
	if after, is := next.Next(); was && is && after.Before(before) {
		w.t.Fatalf("after %s %s Next goes back from %s to %s", kind, b, before, after)
	} else if is && !was && kind != ask.KindAsked {
		w.t.Fatalf("after %s %s something is due again", kind, b)
	}
	w.state = next
	switch kind {
	case ask.KindAnswered, ask.KindExpired, ask.KindWithdrawn:
		if w.ended++; w.ended > 1 {
			w.t.Fatalf("the question ended twice: %s %s", kind, b)
		}
	}
}

func (w *world) tick(at time.Time) []string {
	w.t.Helper()
	next, ok := w.state.Next()
	steps := w.state.Due(at)
	if due := ok && !next.After(at); due != (len(steps) > 0) {
		w.t.Fatalf("Next says %v %v, and at %s these are due: %v", next, ok, at, steps)
	}
	var out []string
	for _, st := range steps {
		key := fmt.Sprint(st.Kind, st.N)
		if w.decided[key] {
			w.t.Fatalf("%s repeats", key)
		}
		w.decided[key] = true
		line := fmt.Sprintf("%s, due %s", st.Kind, ask.Duration(st.Due.Sub(monday)))
		var reached []string
		switch {
		case st.Kind == ask.KindReminded:
			line += fmt.Sprintf(": number %d", st.N)
		case st.Kind == ask.KindEscalated:
			if strings.HasSuffix(st.To, "/on_call") {
				reached = []string{"person/oncall"}
			}
			line += fmt.Sprintf(": number %d to %s", st.N, st.To)
		case st.Fail:
			line += ": a failure"
		default:
			line += ": by default " + st.Answer
		}
		w.record(st.Kind, st.Data(reached...), at)
		out = append(out, line)
	}
	if len(out) == 0 {
		out = []string{"nothing"}
	}
	if next, ok := w.state.Next(); ok {
		out = append(out, "next at "+ask.Duration(next.Sub(monday)).String())
	}
	return out
}

func (w *world) answer(a ask.Attempt) []string {
	w.t.Helper()
	answered, err := w.state.Answer(a, w.dir)
	if err == nil {
		w.record(ask.KindAnswered, answered, a.At)
		line := fmt.Sprintf("answered %s (%s) by %s", answered.Answer, answered.Label, answered.By)
		if answered.Reason != "" {
			line += ": " + answered.Reason
		}
		return []string{line}
	}
	refused, ok := ask.Refusal(a, err)
	if !ok {
		return []string{"nothing new: " + err.Error()}
	}
	w.record(ask.KindRefused, refused, a.At)
	return []string{fmt.Sprintf("refused (%s): %v", refused.Why, err)}
}

// play returns the story with what came of each line.
func (w *world) play(story string) string {
	w.t.Helper()
	var out strings.Builder
	for line := range strings.Lines(story) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "->") {
			continue
		}
		f := strings.Fields(line)
		var d ask.Duration
		if err := d.UnmarshalText([]byte(f[0])); err != nil || len(f) < 2 {
			w.t.Fatalf("not a line of a story: %s (%v)", line, err)
		}
		at := monday.Add(time.Duration(d))
		var came []string
		switch f[1] {
		case "tick":
			came = w.tick(at)
		case "answer":
			f = append(f, "", "")
			came = w.answer(ask.Attempt{Person: "person/" + f[2], Answer: f[3], Reason: strings.Join(f[4:], " "), At: at, Via: "test", From: "U1"})
		case "withdraw":
			came = w.withdraw(strings.Join(f[2:], " "), at)
		default:
			w.t.Fatalf("nobody can %s", f[1])
		}
		fmt.Fprintln(&out, line)
		for _, c := range came {
			fmt.Fprintln(&out, "->", c)
		}
	}
	fmt.Fprintf(&out, "-> in the end: %s, refused %d\n", w.state.Status, w.state.Refusals)
	return out.String()
}

func (w *world) withdraw(why string, at time.Time) []string {
	w.t.Helper()
	d, err := w.state.Withdraw(why)
	var late *ask.AlreadyAnsweredError
	var refused *ask.RefusedError
	if errors.As(err, &late) || errors.As(err, &refused) {
		return []string{"not withdrawn: " + err.Error()}
	}
	w.record(ask.KindWithdrawn, d, at)
	return []string{"withdrawn: " + d.Why}
}
