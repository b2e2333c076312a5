package ask_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/errs"
)

func apply(t *testing.T, s ask.State, kind, data string) ask.State {
	t.Helper()
	next, err := ask.Apply(s, kind, []byte(data), monday)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestApplyRefusesWhatWasNeverDecided(t *testing.T) {
	const asked = `{"question":{"channel":"#soc","title":"?","answers":[{"id":"yes"}],"escalate":[{"after":"1h","to":"@a"}]}}`
	open := apply(t, ask.State{}, ask.KindAsked, asked)
	ended := apply(t, open, ask.KindAnswered, `{"answer":"yes","by":"person/ada"}`)
	for _, tt := range []struct {
		name       string
		state      ask.State
		kind, data string
		want       string
	}{
		{"asked twice", open, ask.KindAsked, asked, "already asked"},
		{"answered before it is asked", ask.State{}, ask.KindAnswered, `{}`, "not yet"},
		{"answered twice", ended, ask.KindAnswered, `{}`, "has ended"},
		{"reminded after the end", ended, ask.KindReminded, `{"n":1}`, "has ended"},
		{"withdrawn after the end", ended, ask.KindWithdrawn, `{}`, "has ended"},
		{"a reminder left out", open, ask.KindReminded, `{"n":2}`, "reminder 2 after 0"},
		{"an escalation left out", open, ask.KindEscalated, `{"n":2}`, "escalation 2 after 0"},
		{"not JSON", open, ask.KindReminded, `{`, "decode data"},
		{"unknown kind", open, "ask.forgotten", `{}`, "no such kind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ask.Apply(tt.state, tt.kind, []byte(tt.data), monday)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if diff := cmp.Diff(tt.state, got); diff != "" {
				t.Errorf("the state changed: %s", diff)
			}
		})
	}
	one := apply(t, open, ask.KindEscalated, `{"n":1,"to":"@a"}`)
	if _, err := ask.Apply(one, ask.KindEscalated, []byte(`{"n":2}`), monday); err == nil {
		t.Error("an escalation that the question does not have")
	}
}

func TestStateIsKeptAsJSON(t *testing.T) {
	q := good()
	w := newWorld(t, q, directory{"ada": nil})
	w.tick(monday.Add(15 * time.Minute))
	w.tick(monday.Add(time.Hour))
	w.answer(ask.Attempt{Person: "person/ada", Answer: "contain", Reason: "r", At: monday.Add(time.Hour)})
	b, err := json.Marshal(w.state)
	if err != nil {
		t.Fatal(err)
	}
	var back ask.State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.state, back); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(b), `"status":"answered"`) || !strings.Contains(string(b), `"answer":"contain"`) {
		t.Errorf("got %s", b)
	}
}

func TestRefusalsAreErrorsForPeople(t *testing.T) {
	for why, want := range map[ask.Why]errs.Kind{
		ask.WhyUnknownPerson: errs.Denied,
		ask.WhyInactive:      errs.Denied,
		ask.WhyGuest:         errs.Denied,
		ask.WhyNotEntitled:   errs.Denied,
		ask.WhyRequester:     errs.Denied,
		ask.WhyNoSuchAnswer:  errs.Invalid,
		ask.WhyReasonMissing: errs.Invalid,
		ask.WhyReasonTooLong: errs.Invalid,
		ask.WhyExpired:       errs.Conflict,
		ask.WhyWithdrawn:     errs.Conflict,
		ask.WhyNotAsked:      errs.NotFound,
		"something new":      errs.Denied,
	} {
		if got := errs.KindOf(&ask.RefusedError{Why: why}); got != want {
			t.Errorf("%s is %q, want %q", why, got, want)
		}
	}
	if got := errs.KindOf(&ask.AlreadyAnsweredError{}); got != errs.Conflict {
		t.Errorf("already answered is %q", got)
	}
	if _, err := (ask.State{}).Withdraw("x"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("withdraw nothing: %v", err)
	}
	if _, err := (ask.State{}).Answer(ask.Attempt{Person: "person/ada"}, directory{"ada": nil}); errs.KindOf(err) != errs.NotFound {
		t.Errorf("answer nothing: %v", err)
	}
}

func TestLongReasonIsRefusedNotCut(t *testing.T) {
	w := newWorld(t, good(), directory{"ada": nil})
	_, err := w.state.Answer(ask.Attempt{Person: "person/ada", Answer: "contain", Reason: strings.Repeat("x", 3001), At: monday}, w.dir)
	var refused *ask.RefusedError
	if !errors.As(err, &refused) || refused.Why != ask.WhyReasonTooLong {
		t.Errorf("got %v", err)
	}
}

func TestRefusalKeepsOnlyWhatIsKnown(t *testing.T) {
	a := ask.Attempt{Person: "someone/else", From: "U0BAD", Via: "slack", Answer: strings.Repeat("\x00long", 50)}
	got, ok := ask.Refusal(a, &ask.RefusedError{Why: ask.WhyUnknownPerson})
	if !ok || got.By != "" || got.From != "U0BAD" || len([]rune(got.Answer)) != 63 || strings.Contains(got.Answer, "\x00") {
		t.Errorf("recorded %+v, %v", got, ok)
	}
	if _, ok := ask.Refusal(a, errors.New("disk on fire")); ok {
		t.Error("a failure of ours is recorded as a refusal")
	}
}

// FuzzLife plays any sequence of attempts, ticks and withdrawals on questions
// of any shape. The world fails the test when a question ends twice, a step
// repeats, Next moves back, or Next and Due disagree.
func FuzzLife(f *testing.F) {
	f.Add([]byte{1, 2, 1, 0}, []byte{0, 15, 0, 60, 1, 1, 2, 1, 3, 200})
	f.Add([]byte{0, 0, 2, 3}, []byte{0, 255, 0, 255, 4, 0, 1, 0})
	f.Add([]byte{3, 3, 1, 1}, []byte{0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 5, 9, 0, 255, 2, 1})
	f.Fuzz(func(t *testing.T, shape, script []byte) {
		at := monday
		w := newWorld(t, shaped(t, shape), directory{"ada": {"blue"}, "bob": nil, "eve": {"guest"}})
		for len(script) >= 2 {
			do, arg := script[0], script[1]
			script = script[2:]
			if do%8 == 5 { // the clock is set back
				at = at.Add(-time.Duration(arg) * time.Minute)
				continue
			}
			at = at.Add(time.Duration(arg) * time.Duration(arg) * time.Second)
			ended := w.state.Status != ask.Open
			switch do % 8 {
			case 1, 2, 3:
				who := []string{"person/ada", "person/bob", "person/eve"}[do%8-1]
				out := w.answer(ask.Attempt{Person: who, Answer: "yes", At: at})
				if ended && strings.HasPrefix(out[0], "answered") {
					t.Fatalf("answered after the end")
				}
			case 4:
				w.withdraw("stopped", at)
			default:
				w.tick(at)
				if len(w.state.Due(at)) > 0 {
					t.Fatalf("still due after a tick: %v", w.state.Due(at))
				}
			}
		}
		if _, waits := w.state.Next(); waits && w.state.Status != ask.Open {
			t.Error("something is due after the end")
		}
	})
}

// shaped makes a valid question: who may answer, and up to three reminders,
// escalations and a deadline.
func shaped(t *testing.T, shape []byte) ask.Question {
	shape = append(shape, 0, 0, 0, 0)
	q := ask.Question{Channel: "#soc", Title: "?", Answers: []ask.Answer{{ID: "yes"}, {ID: "no"}}}
	q.Who = [][]string{nil, {"person/ada"}, {"team/blue"}, {"@bob"}}[shape[0]%4]
	for i := range shape[1] % 4 {
		q.Remind = append(q.Remind, ask.Duration(i+1)*ask.Duration(7*time.Minute))
	}
	for i := range shape[2] % 4 {
		to := []string{"#all", "@bob", "team/blue/on_call"}[i]
		q.Escalate = append(q.Escalate, ask.Escalation{After: ask.Duration(i+1) * ask.Duration(30*time.Minute), To: to})
	}
	q.RemindEvery = len(q.Remind) > 0 && shape[3]%2 == 0
	switch shape[3] % 3 {
	case 1:
		q.Expire = &ask.Expiry{After: ask.Duration(5 * time.Hour), Fail: true}
	case 2:
		q.Expire = &ask.Expiry{After: ask.Duration(4 * time.Hour), Answer: "no"}
	}
	if is := ask.Validate(q); is != nil {
		t.Fatal(is)
	}
	return q
}
