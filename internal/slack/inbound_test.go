package slack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/slack"
	"beffroi.dev/internal/slack/sim"
)

// TestRace: fifty presses at once, one answer; each loser is told who won, and
// nobody else is.
func TestRace(t *testing.T) {
	inBubble(t, func(_ *slack.Config, sc *sim.Config) {
		for i := range 50 {
			sc.Users = append(sc.Users, sim.User{ID: fmt.Sprintf("U0%03d", i), Name: fmt.Sprintf("Analyst %d", i), Email: fmt.Sprintf("a%d@example.com", i)})
		}
	}, func(w *world) {
		w.desk.put(question(1))
		w.pass(time.Second)
		m := w.find("ask/1")
		_, actions := m.Buttons()
		w.ws.Inject(sim.Fault{Method: "chat.update", Times: 1, Delay: 5 * time.Second}) // so that all still see buttons
		replies := make(chan sim.Reply, 50)
		for i := range 50 {
			go func() {
				r, err := w.ws.Click(w.t.Context(), sim.Press{User: fmt.Sprintf("U0%03d", i), Channel: "soc", TS: m.TS, ActionID: actions[i%2]})
				if err != nil {
					w.t.Error(err)
				}
				replies <- r
			}()
		}
		for range 50 {
			if r := <-replies; !r.OK() {
				t.Errorf("a press got %d", r.Status)
			}
		}
		w.pass(2 * time.Minute)
		winner := w.desk.answered["ask/1"]
		told := 0
		for i := range 50 {
			for _, text := range w.whispers(fmt.Sprintf("U0%03d", i)) {
				if told++; text != "Already answered by "+winner+"." {
					t.Errorf("told %q", text)
				}
			}
		}
		if told != 49 {
			t.Errorf("%d losers were told, want 49", told)
		}
		if got := w.find("ask/1"); !strings.Contains(got.Text, winner) {
			t.Errorf("the message names %q, the winner is %s", got.Text, winner)
		}
	})
}

func TestForgeriesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		press sim.Press
		code  int
	}{
		"bad signature":         {sim.Press{BadSignature: true}, http.StatusUnauthorized},
		"no signature":          {sim.Press{Unsigned: true}, http.StatusUnauthorized},
		"older than five min":   {sim.Press{Late: 6 * time.Minute}, http.StatusUnauthorized},
		"from a clock ahead":    {sim.Press{Late: -6 * time.Minute}, http.StatusUnauthorized},
		"four minutes late":     {sim.Press{Late: 4 * time.Minute}, http.StatusOK},
		"clock a minute ahead":  {sim.Press{Late: -time.Minute}, http.StatusOK},
		"as it should be, even": {sim.Press{}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.desk.put(question(1))
				w.pass(time.Second)
				m := w.find("ask/1")
				_, actions := m.Buttons()
				tt.press.User, tt.press.Channel, tt.press.TS, tt.press.ActionID = ada, m.Channel, m.TS, actions[0]
				r, err := w.ws.Click(w.t.Context(), tt.press)
				if err != nil || r.Status != tt.code {
					t.Errorf("status %d, want %d (%v)", r.Status, tt.code, err)
				}
				if n := len(w.desk.clicks); (n == 1) != (tt.code == http.StatusOK) {
					t.Errorf("%d presses reached the desk", n)
				}
			})
		})
	}
}

func TestReplayIsRefused(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.put(question(1))
		w.pass(time.Second)
		r := w.press(ada, "ask/1", 0)
		for _, wait := range []time.Duration{0, time.Minute, 3 * time.Minute, 10 * time.Minute} {
			w.pass(wait)
			again, err := w.ws.Deliver(w.t.Context(), r.Delivery)
			if err != nil || again.Status != http.StatusUnauthorized {
				t.Errorf("after %v: status %d, %v", wait, again.Status, err)
			}
		}
		if n := len(w.desk.clicks); n != 1 {
			t.Errorf("%d presses reached the desk", n)
		}
	})
}

// brokenReplays cannot say whether a request is new.
type brokenReplays struct{}

func (brokenReplays) First(context.Context, string, time.Time) (bool, error) {
	return false, errors.New("no space left on device")
}

func TestFailsClosed(t *testing.T) {
	for name, breakIt := range map[string]func(w *world){
		"the desk fails":            func(w *world) { w.desk.err = errors.New("the ledger stopped") },
		"the desk is slow":          func(w *world) { w.desk.slow = 10 * time.Second },
		"Slack will not say who":    func(w *world) { w.ws.Inject(sim.Fault{Method: "users.info", Status: 500}) },
		"Slack is slow to say who":  func(w *world) { w.ws.Inject(sim.Fault{Method: "users.info", Delay: 5 * time.Second}) },
		"Slack limits us":           func(w *world) { w.ws.Inject(sim.Fault{Method: "users.info", Status: 429, RetryAfter: time.Minute}) },
		"the memory of requests is": func(w *world) { w.c.Replays = brokenReplays{}; w.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.desk.put(question(1))
				w.pass(time.Second)
				breakIt(w)
				start := time.Now()
				r := w.press(ada, "ask/1", 0)
				if r.OK() || time.Since(start) > 3*time.Second {
					t.Errorf("status %d after %v: Slack must show that it failed, in time", r.Status, time.Since(start))
				}
				if w.desk.answered["ask/1"] != "" {
					t.Error("answered all the same")
				}
			})
		})
	}
}

func TestWhoMayNotPressAnything(t *testing.T) {
	for user, tt := range map[string]struct {
		why  slack.Refusal
		said string
	}{
		guest:      {slack.Guest, "Guests of this workspace cannot answer"},
		stranger:   {slack.Stranger, "Only members of this organisation"},
		"U0NOBODY": {slack.Stranger, "Only members of this organisation"},
		"U0BOTTY":  {slack.Bot, "Only members of this organisation"},
		"U0GONE":   {slack.Deactivated, "Only members of this organisation"},
		"U0SILENT": {slack.NoEmail, "Slack shows no e-mail address of yours"},
	} {
		t.Run(string(tt.why)+user, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.desk.put(question(1))
				w.pass(time.Second)
				if r := w.press(user, "ask/1", 0); !r.OK() {
					t.Errorf("status %d", r.Status)
				}
				w.pass(time.Second)
				if diff := cmp.Diff([]slack.Refusal{tt.why}, w.desk.refused); diff != "" {
					t.Error(diff)
				}
				if said := w.whispers(user); len(said) != 1 || !strings.HasPrefix(said[0], tt.said) {
					t.Errorf("told %q", said)
				}
				if w.calls("response_url", "") != 1 || w.calls("chat.postEphemeral", "") != 0 {
					t.Error("not told through the URL that came with the press")
				}
				if len(w.whispers(ada)) != 0 || w.desk.answered["ask/1"] != "" {
					t.Error("others were told, or it counted")
				}
			})
		})
	}
}

// TestColleague: one organisation may have several workspaces.
func TestColleague(t *testing.T) {
	inBubble(t, func(_ *slack.Config, sc *sim.Config) {
		sc.Enterprise = "E0ORG"
		sc.Users = append(sc.Users, sim.User{ID: "W0COL", Name: "Colleague", Email: "col@example.com", Team: "T0SISTER", Enterprise: "E0ORG"},
			sim.User{ID: "W0FOE", Name: "Foe", Email: "foe@example.com", Team: "T0SISTER", Enterprise: "E0OTHER"})
	}, func(w *world) {
		w.desk.put(question(1))
		w.pass(time.Second)
		w.press("W0FOE", "ask/1", 0)
		if len(w.desk.refused) != 1 || w.desk.answered["ask/1"] != "" {
			t.Errorf("of another organisation: refused %v", w.desk.refused)
		}
		w.press("W0COL", "ask/1", 0)
		if w.desk.answered["ask/1"] != "Colleague" {
			t.Error("a colleague could not answer")
		}
	})
}

func TestStandingIsCheckedAtThePress(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.put(question(1))
		w.desk.put(question(2))
		w.pass(5 * time.Second)
		w.press(bob, "ask/1", 1)
		u := users()[1]
		u.Deleted = true
		w.ws.SetUser(u)
		w.pass(time.Minute)
		w.press(bob, "ask/2", 1)
		if w.desk.answered["ask/2"] != "" || len(w.desk.refused) != 1 {
			t.Error("somebody who was deactivated a minute ago could answer")
		}
	})
}

func TestRefusedInPrivateByTheDesk(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		m := question(1)
		m.Content.Answers[0].Token = "ask/1~danger"
		w.desk.put(m)
		w.pass(time.Second)
		w.ws.Inject(sim.Fault{Method: "response_url", Status: 404})
		w.press(bob, "ask/1", 0)
		w.pass(time.Second)
		if diff := cmp.Diff([]string{"Only the blue team may do that."}, w.whispers(bob)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReasonIsAskedInAWindow(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.reasons["ask/1~ignore"] = true
		w.desk.put(question(1))
		w.pass(time.Second)
		if r := w.press(ada, "ask/1", 1); !r.OK() {
			t.Fatalf("press: %d", r.Status)
		}
		submit := func(v sim.View, text string) {
			t.Helper()
			r, err := w.ws.Submit(w.t.Context(), sim.Submission{User: ada, ViewID: v.ID, Values: map[string]map[string]string{"reason": {"text": text}}})
			if err != nil || !r.OK() {
				t.Fatalf("submit: %d %v", r.Status, err)
			}
		}
		views := w.ws.Views(ada)
		if len(views) != 1 || w.desk.answered["ask/1"] != "" {
			t.Fatalf("windows: %+v, answered by %q", views, w.desk.answered["ask/1"])
		}
		submit(views[0], "x")
		if v := w.ws.Views(ada); len(v) != 1 || v[0].Errors["reason"] != "A word at least, please." {
			t.Errorf("after a poor reason: %+v", v)
		}
		submit(views[0], "our own scanner <!channel> http://evil.example/x")
		if v := w.ws.Views(ada); len(v) != 0 {
			t.Errorf("the window still stands: %+v", v)
		}
		w.pass(2 * time.Second)
		got := fmt.Sprint(w.find("ask/1").Blocks)
		if !strings.Contains(got, "our own scanner &lt;!channel&gt; hxxp://evil[.]example/x") {
			t.Errorf("the reason is not shown as it is: %s", got)
		}
	})
}

func TestWindowOfALoserSaysWhoWon(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.reasons["ask/1~ignore"] = true
		w.desk.put(question(1))
		w.pass(time.Second)
		w.press(bob, "ask/1", 1)
		v := w.ws.Views(bob)[0]
		w.press(ada, "ask/1", 0)
		if _, err := w.ws.Submit(w.t.Context(), sim.Submission{User: bob, ViewID: v.ID, Values: map[string]map[string]string{"reason": {"text": "noise"}}}); err != nil {
			t.Fatal(err)
		}
		if v := w.ws.Views(bob); len(v) != 1 || !strings.Contains(fmt.Sprint(v[0].Body), "Already answered by Ada Lovelace.") {
			t.Errorf("the window says %v", v)
		}
	})
}

func TestWindowThatCannotBeOpened(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.reasons["ask/1~ignore"] = true
		w.desk.put(question(1))
		w.pass(time.Second)
		w.ws.Inject(sim.Fault{Method: "views.open", Times: 1, Code: "expired_trigger_id"})
		w.press(ada, "ask/1", 1)
		w.pass(time.Second)
		if said := w.whispers(ada); len(said) != 1 || !strings.Contains(said[0], "press again") {
			t.Errorf("told %q", said)
		}
	})
}

func TestNotAPress(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for name, tt := range map[string]struct {
			method, kind string
			body         []byte
			want         int
		}{
			"GET":                    {http.MethodGet, "", nil, http.StatusMethodNotAllowed},
			"unsigned":               {http.MethodPost, "application/x-www-form-urlencoded", []byte("payload={}"), http.StatusUnauthorized},
			"two MiB":                {http.MethodPost, "application/x-www-form-urlencoded", bytes.Repeat([]byte("x"), 2<<20), http.StatusRequestEntityTooLarge},
			"JSON, signed by nobody": {http.MethodPost, "application/json", []byte("{}"), http.StatusUnauthorized},
		} {
			r := httptest.NewRequestWithContext(w.t.Context(), tt.method, "/slack", bytes.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			rec := httptest.NewRecorder()
			w.s.ServeHTTP(rec, r)
			if rec.Code != tt.want || strings.Contains(rec.Body.String(), "ignature") {
				t.Errorf("%s: %d %q, want %d and no help for an attacker", name, rec.Code, rec.Body, tt.want)
			}
		}
	})
}
