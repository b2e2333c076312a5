package slack_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/slack"
	"beffroi.dev/internal/slack/sim"
)

// online is a Slack and a workspace that meet over loopback.
func online(t *testing.T, mode string) (*memory, *sim.Workspace) {
	t.Helper()
	ws, err := sim.New(sim.Config{BotToken: botToken, AppToken: appToken, SigningSecret: signingSecret, Users: users(), Channels: channels()})
	if err != nil {
		t.Fatal(err)
	}
	there := httptest.NewServer(ws.Handler())
	t.Cleanup(there.Close)
	desk := newMemory()
	s, err := slack.New(slack.Config{
		Outbox: desk, Desk: desk, Wake: desk.wake, Mode: mode,
		BotToken: secret.New(botToken), SigningSecret: secret.New(signingSecret), AppToken: secret.New(appToken),
		APIURL: there.URL + "/api/", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if mode == slack.ModeHTTP {
		here := httptest.NewServer(s)
		t.Cleanup(here.Close)
		ws.SetInteractivityURL(here.URL)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		there.CloseClientConnections()
	})
	return desk, ws
}

// until waits for something that happens on the network's own time.
func until[T any](t *testing.T, what string, f func() (T, bool)) T {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(2 * time.Millisecond) {
		if v, ok := f(); ok {
			return v
		}
	}
	t.Fatalf("in vain waited for %s", what)
	panic("unreachable")
}

func posted(t *testing.T, ws *sim.Workspace, key string) sim.Message {
	t.Helper()
	return until(t, key, func() (sim.Message, bool) {
		for _, m := range ws.Messages("soc") {
			if m.Key() == key {
				return m, true
			}
		}
		return sim.Message{}, false
	})
}

// press clicks until the app is there to take it: a socket may be about to
// open.
func press(t *testing.T, ws *sim.Workspace, m sim.Message, n int) {
	t.Helper()
	_, actions := m.Buttons()
	until(t, "a press", func() (sim.Reply, bool) {
		r, err := ws.Click(t.Context(), sim.Press{User: ada, Channel: m.Channel, TS: m.TS, ActionID: actions[n]})
		return r, err == nil && r.OK()
	})
}

func TestOverTheNetwork(t *testing.T) {
	for _, mode := range []string{slack.ModeHTTP, slack.ModeSocket} {
		t.Run(mode, func(t *testing.T) {
			desk, ws := online(t, mode)
			desk.reasons["ask/2~ignore"] = true
			desk.put(question(1))
			m := posted(t, ws, "ask/1")
			press(t, ws, m, 0)
			until(t, "the update", func() (string, bool) {
				text := posted(t, ws, "ask/1").Text
				return text, strings.Contains(text, "contain, answered by Ada Lovelace")
			})
			if mode == slack.ModeSocket {
				if err := ws.Disconnect(); err != nil {
					t.Fatal(err)
				}
			}
			desk.put(question(2))
			press(t, ws, posted(t, ws, "ask/2"), 1)
			v := until(t, "the window", func() (sim.View, bool) {
				vs := ws.Views(ada)
				return append(vs, sim.View{})[0], len(vs) == 1
			})
			if _, err := ws.Submit(t.Context(), sim.Submission{User: ada, ViewID: v.ID, Values: map[string]map[string]string{"reason": {"text": "our scanner"}}}); err != nil {
				t.Fatal(err)
			}
			if vs := ws.Views(ada); len(vs) != 0 {
				t.Errorf("the window still stands: %+v", vs)
			}
			if c := desk.clicks[len(desk.clicks)-1]; c.Reason != "our scanner" || c.Who.Email != "ada@example.com" || c.TS != posted(t, ws, "ask/2").TS {
				t.Errorf("the desk was told %+v", c)
			}
		})
	}
}

func TestSocketWithAWrongTokenGoesOnPosting(t *testing.T) {
	desk, ws := online(t, slack.ModeSocket)
	ws.Inject(sim.Fault{Method: "apps.connections.open", Code: "invalid_auth"})
	desk.put(question(1))
	posted(t, ws, "ask/1")
}

func TestSocketThatIsNotAnsweredFails(t *testing.T) {
	desk, ws := online(t, slack.ModeSocket)
	desk.put(question(1))
	m := posted(t, ws, "ask/1")
	desk.mu.Lock()
	desk.err = context.DeadlineExceeded
	desk.mu.Unlock()
	_, actions := m.Buttons()
	until(t, "a press that fails", func() (sim.Reply, bool) {
		r, err := ws.Click(t.Context(), sim.Press{User: ada, Channel: m.Channel, TS: m.TS, ActionID: actions[0]})
		return r, err == nil && !r.OK()
	})
}
