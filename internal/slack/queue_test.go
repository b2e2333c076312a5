package slack_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/slack"
	"beffroi.dev/internal/slack/sim"
)

func TestQuestionIsPostedAnsweredAndUpdatedInPlace(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.put(question(1))
		w.pass(time.Second)
		m := w.find("ask/1")
		labels, _ := m.Buttons()
		if diff := cmp.Diff([]string{"Contain", "Ignore"}, labels); diff != "" {
			t.Error(diff)
		}
		if p := w.desk.posted["ask/1"]; p.TS != m.TS || p.Channel != "C0SOC" || p.Rev != 1 {
			t.Errorf("recorded %+v, want where it stands: %s", p, m.TS)
		}
		if r := w.press(ada, "ask/1", 0); !r.OK() || len(r.Body) != 0 {
			t.Fatalf("press: %d %s", r.Status, r.Body)
		}
		w.pass(2 * time.Second)
		m = w.find("ask/1")
		labels, _ = m.Buttons()
		if len(labels) != 0 || !m.Edited || !strings.Contains(m.Text, "contain, answered by Ada Lovelace") {
			t.Errorf("after the answer: buttons %v, edited %v, text %q", labels, m.Edited, m.Text)
		}
		if len(w.keys("soc")) != 1 {
			t.Errorf("messages: %v", w.keys("soc"))
		}
	})
}

func TestOneThreadACase(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i, kind := range []slack.Kind{slack.Notice, slack.Question, slack.Reminder} {
			m := question(i)
			m.Kind, m.Thread, m.Broadcast = kind, "case/7", kind == slack.Question
			w.desk.put(m)
		}
		w.pass(time.Minute)
		first := w.find("ask/0")
		if first.ThreadTS != "" {
			t.Errorf("the first message is a reply")
		}
		for _, key := range []string{"ask/1", "ask/2"} {
			if m := w.find(key); m.ThreadTS != first.TS || m.Broadcast != (key == "ask/1") {
				t.Errorf("%s: thread %q, broadcast %v; want thread %q", key, m.ThreadTS, m.Broadcast, first.TS)
			}
		}
		w.restart()
		m := question(3)
		m.Thread = "case/7"
		w.desk.put(m)
		w.pass(time.Minute)
		if m := w.find("ask/3"); m.ThreadTS != first.TS {
			t.Errorf("after a restart: thread %q, want %q", m.ThreadTS, first.TS)
		}
	})
}

func TestDirectMessageAndMention(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		m := question(1)
		m.Channel, m.Email = "", "Ada@example.com"
		w.desk.put(m)
		e := question(2)
		e.Kind, e.Mention = slack.Escalation, []string{"bob@example.com", "nobody@example.com"}
		w.desk.put(e)
		w.pass(time.Minute)
		if dms := w.ws.DirectMessages(ada); len(dms) != 1 || dms[0].Key() != "ask/1" {
			t.Errorf("direct messages: %+v", dms)
		}
		if blocks := w.find("ask/2").Blocks; !strings.Contains(cmp.Diff(nil, blocks), "<@"+bob+">") {
			t.Errorf("bob is not mentioned: %v", blocks)
		}
	})
}

func TestNewerRevisionSupersedes(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.SetDown(true)
		m := question(1)
		w.desk.put(m)
		w.pass(10 * time.Second)
		m.Content.Title = "Question one, as it is now"
		w.desk.put(m)
		w.ws.ClearFaults()
		w.pass(2 * time.Minute)
		if got := w.find("ask/1"); got.Edited || !strings.Contains(got.Text, "as it is now") {
			t.Errorf("text %q, edited %v", got.Text, got.Edited)
		}
	})
}

func TestWithdrawnBeforeItWasPosted(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.SetDown(true)
		w.desk.put(question(1))
		w.pass(10 * time.Second)
		w.desk.withdraw("ask/1")
		w.pass(2 * time.Minute)
		w.ws.ClearFaults()
		w.pass(5 * time.Minute)
		if keys := w.keys("soc"); len(keys) != 0 {
			t.Errorf("posted %v", keys)
		}
	})
}

// TestDownForAnHour: nothing is lost, nothing is doubled. Order may be: one
// message that Slack cannot take must not hold up the rest.
func TestDownForAnHour(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.SetDown(true)
		for i := range 8 {
			w.desk.put(question(i))
			w.pass(7 * time.Minute)
		}
		tried := len(w.ws.Calls())
		if tried > 200 {
			t.Errorf("%d calls in an hour of silence", tried)
		}
		w.ws.ClearFaults()
		w.pass(3 * time.Minute)
		want := []string{"ask/0", "ask/1", "ask/2", "ask/3", "ask/4", "ask/5", "ask/6", "ask/7"}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(w.keys("soc")))); diff != "" {
			t.Error(diff)
		}
		if f := w.desk.failed(); len(f) != 0 {
			t.Errorf("an outage was recorded as a failure: %+v", f)
		}
	})
}

func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	faults := map[string]sim.Fault{
		"timeout after the work":  {Hang: true, Applied: true},
		"timeout before the work": {Hang: true},
		"error after the work":    {Status: http.StatusInternalServerError, Applied: true},
		"error before the work":   {Status: http.StatusBadGateway},
		"fatal_error after work":  {Code: "fatal_error", Applied: true},
	}
	for name, fault := range faults {
		for _, reply := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				inBubble(t, nil, func(w *world) {
					parent := question(1)
					parent.Thread = "case/1"
					w.desk.put(parent)
					w.pass(10 * time.Second)
					fault.Method, fault.Times = "chat.postMessage", 2
					w.ws.Inject(fault)
					m := question(2)
					if reply {
						m.Thread = "case/1"
					}
					w.desk.put(m)
					w.pass(5 * time.Minute)
					if diff := cmp.Diff([]string{"ask/1", "ask/2"}, w.keys("soc")); diff != "" {
						t.Error(diff)
					}
					if p := w.desk.posted["ask/2"]; p.TS != w.find("ask/2").TS {
						t.Errorf("recorded %+v", p)
					}
				})
			})
		}
	}
}

// TestCrashBetweenPostAndRecord: the next process finds what the last posted.
func TestCrashBetweenPostAndRecord(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.lose = 1_000_000
		for i := range 5 {
			w.desk.put(question(i))
		}
		w.pass(20 * time.Second)
		if n := len(w.keys("soc")); n != 5 || len(w.desk.posted) != 0 {
			t.Fatalf("%d messages, %d recorded", n, len(w.desk.posted))
		}
		w.stop()
		w.desk.lose = 0
		m := w.desk.messages["ask/4"] // has changed meanwhile
		m.Content.Title = "Question four, revised"
		w.desk.put(m)
		w.pass(time.Minute)
		w.start()
		w.pass(time.Minute)
		if n := len(w.keys("soc")); n != 5 || len(w.desk.posted) != 5 {
			t.Errorf("%d messages, %d recorded", n, len(w.desk.posted))
		}
		if n := w.calls("conversations.history", ""); n != 1 {
			t.Errorf("%d searches, want one for all", n)
		}
		if got := w.find("ask/4"); !strings.Contains(got.Text, "revised") {
			t.Errorf("not updated: %q", got.Text)
		}
	})
}

func TestUnrecordedIsRecordedLaterWithoutPostingAgain(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.lose = 3
		m := question(1)
		w.desk.put(m)
		w.pass(time.Second)
		m.Content.Title = "Changed before it was recorded"
		w.desk.put(m)
		w.pass(time.Minute)
		if n := w.calls("chat.postMessage", ""); n != 1 {
			t.Errorf("posted %d times", n)
		}
		if got := w.find("ask/1"); !strings.Contains(got.Text, "Changed") || w.desk.posted["ask/1"].Rev != 2 {
			t.Errorf("text %q, recorded %+v", got.Text, w.desk.posted["ask/1"])
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.Inject(sim.Fault{Method: "chat.postMessage", Times: 1, Status: http.StatusTooManyRequests, RetryAfter: 90 * time.Second})
		for i := range 3 {
			w.desk.put(question(i))
		}
		w.pass(89 * time.Second)
		if n := len(w.keys("soc")); n != 0 {
			t.Errorf("%d messages before the time was up", n)
		}
		if n := w.calls("chat.postMessage", ""); n != 1 {
			t.Errorf("%d calls while the method was paused", n)
		}
		w.pass(10 * time.Second)
		if n := len(w.keys("soc")); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
	})
}

// TestStorm: a workspace that enforces its limits never has to, and one channel
// does not hold up another.
func TestStorm(t *testing.T) {
	inBubble(t, func(_ *slack.Config, sc *sim.Config) { sc.Limits = true }, func(w *world) {
		for i := range 300 {
			w.desk.put(question(i))
		}
		other := question(1000)
		other.Channel = "#ops"
		w.desk.put(other)
		w.pass(2 * time.Second)
		if len(w.keys("ops")) != 1 {
			t.Errorf("the other channel waits for the storm")
		}
		w.pass(30 * time.Minute)
		if n := len(w.desk.posted); n != 301 {
			t.Errorf("%d recorded, want 301", n)
		}
		if n := w.calls("chat.postMessage", "ratelimited"); n != 0 {
			t.Errorf("slack had to say 429 %d times", n)
		}
	})
}

func TestRandomTroubleLosesAndDoublesNothing(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		troubles := []sim.Fault{
			{Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second},
			{Status: 500},
			{Status: 500, Applied: true},
			{Hang: true},
			{Hang: true, Applied: true},
			{Code: "internal_error", Applied: true},
			{Delay: 4 * time.Second},
			{Status: 503},
		}
		for i := range 120 {
			m := question(i)
			m.Channel = []string{"#soc", "#ops", "C0OPEN"}[i%3]
			if i%4 == 0 {
				m.Thread = "case/1"
			}
			w.desk.put(m)
			f := troubles[i%len(troubles)]
			f.Times, f.Method = 2, []string{"", "chat.postMessage", "conversations.history"}[i%3]
			w.ws.Inject(f)
			if i%25 == 24 {
				w.restart()
			}
			w.pass(7 * time.Second)
		}
		w.pass(2 * time.Hour)
		seen := map[string]int{}
		for _, ch := range []string{"soc", "ops", "open"} {
			for _, key := range w.keys(ch) {
				if strings.HasPrefix(key, "ask/") {
					seen[key]++
				}
			}
		}
		for key, n := range seen {
			if n != 1 {
				t.Errorf("%s stands %d times", key, n)
			}
		}
		if len(seen) != 120 || len(w.desk.posted) != 120 {
			t.Errorf("%d messages, %d recorded, want 120", len(seen), len(w.desk.posted))
		}
	})
}

func TestWhatAnOperatorCanMendIsRecordedOnceAndRetried(t *testing.T) {
	for _, tt := range []struct{ channel, email, reason string }{
		{"#nowhere", "", "channel_not_found"},
		{"#secret", "", "channel_not_found"},
		{"#old", "", "channel_not_found"}, // archived channels are not listed
		{"C0OLD", "", "is_archived"},
		{"", "nobody@example.com", "users_not_found"},
		{"", "", "no_channel"},
	} {
		t.Run(tt.reason+tt.channel, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				m := question(1)
				m.Channel, m.Email = tt.channel, tt.email
				w.desk.put(m)
				w.pass(3 * time.Hour)
				f := w.desk.failed()
				if len(f) != 1 || f[0].Reason != tt.reason || f[0].Remedy == "" || f[0].Retry.IsZero() || f[0].Key != "ask/1" {
					t.Fatalf("failures: %+v", f)
				}
				m.Channel, m.Email = "#soc", ""
				w.desk.put(m)
				w.pass(time.Second)
				if len(w.keys("soc")) != 1 {
					t.Errorf("not posted after it was mended")
				}
			})
		})
	}
}

func TestPublicChannelIsJoined(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		m := question(1)
		m.Channel = "#open"
		w.desk.put(m)
		w.pass(5 * time.Second)
		if len(w.keys("open")) != 1 || len(w.desk.failed()) != 0 {
			t.Errorf("messages %v, failures %+v", w.keys("open"), w.desk.failed())
		}
	})
}

func TestWrongMessageIsGivenUp(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		m := question(1)
		m.Content.Answers[0].Token = strings.Repeat("x", 300)
		w.desk.put(m)
		w.ws.Inject(sim.Fault{Method: "chat.postMessage", Times: 1, Code: "invalid_blocks"})
		w.desk.put(question(2))
		w.pass(time.Hour)
		f := w.desk.failed()
		if len(f) != 2 || f[0].Reason != "invalid_message" || f[1].Reason != "invalid_blocks" || !f[0].Retry.IsZero() {
			t.Errorf("failures: %+v", f)
		}
	})
}

func TestMessageThatWasDeletedThere(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.Inject(sim.Fault{Method: "chat.update", Code: "message_not_found"})
		w.desk.put(question(1))
		w.pass(5 * time.Second)
		w.press(ada, "ask/1", 1)
		w.pass(time.Hour)
		if f := w.desk.failed(); len(f) != 1 || f[0].Reason != "message_not_found" || f[0].Rev != 2 {
			t.Errorf("failures: %+v", f)
		}
		m := question(2)
		m.Thread = "case/1"
		w.desk.put(m)
		w.pass(5 * time.Second)
		r := question(3)
		r.Thread = "case/1"
		w.ws.Inject(sim.Fault{Method: "chat.postMessage", Times: 1, Code: "thread_not_found"})
		w.desk.put(r)
		w.pass(5 * time.Second)
		if got := w.find("ask/3"); got.ThreadTS != "" {
			t.Errorf("a reply to a lost thread is in thread %q", got.ThreadTS)
		}
	})
}

func TestLostAccessHoldsEverythingBack(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ws.Inject(sim.Fault{Code: "token_revoked"})
		for i := range 5 {
			w.desk.put(question(i))
		}
		w.pass(time.Hour)
		if n := len(w.ws.Calls()); n > 130 {
			t.Errorf("%d calls with a revoked token in an hour", n)
		}
		w.ws.ClearFaults()
		w.pass(2 * time.Minute)
		if n := len(w.keys("soc")); n != 5 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestBurstBecomesADigest(t *testing.T) {
	inBubble(t, func(c *slack.Config, _ *sim.Config) {
		c.Waiting = slack.Link{Label: "Open what waits", URL: "https://beffroi.example/asks"}
	}, func(w *world) {
		for i := range 47 {
			w.desk.put(question(i))
		}
		urgent := question(100)
		urgent.Kind = slack.Escalation
		w.pass(20 * time.Second)
		var text string
		for _, m := range w.ws.Messages("soc") {
			if strings.HasPrefix(m.Key(), "digest/") {
				text = m.Text
			}
		}
		if !strings.Contains(text, "more messages are waiting") {
			t.Fatalf("no digest: %v", w.keys("soc"))
		}
		before := len(w.keys("soc"))
		w.desk.put(urgent)
		w.pass(2 * time.Second)
		if w.find("ask/100"); len(w.keys("soc")) > before+3 {
			t.Errorf("%d messages in two seconds", len(w.keys("soc"))-before)
		}
		w.pass(10 * time.Minute)
		if n := len(w.desk.posted); n != 48 {
			t.Errorf("%d recorded, want 48", n)
		}
		digests := 0
		for _, m := range w.ws.Messages("soc") {
			if strings.HasPrefix(m.Key(), "digest/") {
				digests++
				if m.Text != "The messages that waited here have been posted." {
					t.Errorf("the digest says %q in the end", m.Text)
				}
			}
		}
		if digests != 1 {
			t.Errorf("%d digests", digests)
		}
	})
}

func TestDigestStandsForNotices(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i := range 50 {
			m := question(i)
			m.Kind, m.Content.Answers = slack.Notice, nil
			w.desk.put(m)
		}
		loud := question(60)
		loud.Priority = 5
		w.desk.put(loud)
		w.pass(5 * time.Minute)
		keys := w.keys("soc")
		if !slices.Contains(keys[:2], "ask/60") || len(keys) != 11 {
			t.Errorf("messages: %v", keys)
		}
		folded := 0
		for _, p := range w.desk.history {
			if p.Folded {
				folded++
			}
		}
		if folded != 41 || len(w.desk.posted) != 51 {
			t.Errorf("%d folded of %d", folded, len(w.desk.posted))
		}
		if got := w.find("digest/" + keys[10][len("digest/"):]); !strings.HasPrefix(got.Text, "41 more messages stand here") {
			t.Errorf("the digest says %q", got.Text)
		}
	})
}

// TestFloodDoesNotFillMemory: more than a queue holds goes through all the same.
func TestFloodDoesNotFillMemory(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i := range 12_000 {
			m := question(i)
			m.Kind, m.Content.Answers = slack.Notice, nil
			w.desk.put(m)
		}
		w.pass(20 * time.Minute)
		if n, there := len(w.desk.posted), len(w.keys("soc")); n != 12_000 || there > 60 {
			t.Errorf("%d recorded, %d messages", n, there)
		}
	})
}

func TestDigestThatCannotBePostedIsNotInTheWay(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i := range 30 {
			m := question(i)
			m.Channel = "C0OLD"
			w.desk.put(m)
		}
		w.pass(10 * time.Minute)
		if n := len(w.desk.failed()); n != 30 {
			t.Errorf("%d failures were recorded, want one a message", n)
		}
	})
}

func TestWhereWeMayNotReadWePostAllTheSame(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.stop()
		w.desk.put(question(1))
		w.pass(time.Minute)
		w.ws.Inject(sim.Fault{Method: "conversations.history", Code: "missing_scope"})
		w.start()
		w.pass(time.Minute)
		if len(w.keys("soc")) != 1 {
			t.Error("not posted")
		}
	})
}

func TestOutboxThatCannotBeRead(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.desk.mu.Lock()
		w.desk.unreadable = true
		w.desk.mu.Unlock()
		w.desk.put(question(1))
		w.pass(time.Minute)
		w.desk.mu.Lock()
		reads := w.desk.reads
		w.desk.unreadable = false
		w.desk.mu.Unlock()
		w.pass(10 * time.Second)
		if reads > 20 || len(w.keys("soc")) != 1 {
			t.Errorf("%d reads in a minute, messages %v", reads, w.keys("soc"))
		}
	})
}

func TestDigestIsTakenUpAfterARestart(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i := range 47 {
			w.desk.put(question(i))
		}
		w.pass(20 * time.Second)
		w.restart()
		w.pass(10 * time.Minute)
		digests, asks := 0, map[string]bool{}
		for _, key := range w.keys("soc") {
			if strings.HasPrefix(key, "digest/") {
				digests++
			} else {
				asks[key] = true
			}
		}
		if digests != 1 || len(asks) != 47 || len(w.keys("soc")) != 48 {
			t.Errorf("%d digests, %d questions, %d messages", digests, len(asks), len(w.keys("soc")))
		}
	})
}
