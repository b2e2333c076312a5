package slack_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/slack"
)

func TestDocument(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		want  slack.Settings
		issue string
	}{
		"http": {
			"mode: http\nbot_token: {secret: slack-bot}\nsigning_secret: {secret: slack-signing}\nchannel: \"#soc\"\n",
			slack.Settings{Mode: "http", BotToken: slack.SecretRef{Secret: "slack-bot"}, SigningSecret: slack.SecretRef{Secret: "slack-signing"}, Channel: "#soc"},
			"",
		},
		"socket": {
			"mode: socket\nbot_token: {secret: slack-bot}\napp_token: {secret: slack-app}\napi_url: http://127.0.0.1:8430/api/\n",
			slack.Settings{Mode: "socket", BotToken: slack.SecretRef{Secret: "slack-bot"}, AppToken: slack.SecretRef{Secret: "slack-app"}, APIURL: "http://127.0.0.1:8430/api/"},
			"",
		},
		"http without its secret":  {"mode: http\nbot_token: {secret: a}\n", slack.Settings{}, "signing secret is needed"},
		"socket without its token": {"mode: socket\nbot_token: {secret: a}\n", slack.Settings{}, "app-level token is needed"},
		"a mode that is not":       {"mode: carrier-pigeon\nbot_token: {secret: a}\n", slack.Settings{}, "mode"},
		"no token":                 {"mode: http\nsigning_secret: {secret: a}\n", slack.Settings{}, "bot_token"},
		"a token in the clear":     {"mode: http\nbot_token: xoxb-1\nsigning_secret: {secret: a}\n", slack.Settings{}, "bot_token"},
		"an unknown key":           {"mode: http\nbot_tokens: {secret: a}\n", slack.Settings{}, "did you mean"},
		"a channel without #":      {"mode: http\nbot_token: {secret: a}\nsigning_secret: {secret: b}\nchannel: soc\n", slack.Settings{}, "not a channel"},
		"an address without slash": {"mode: http\nbot_token: {secret: a}\nsigning_secret: {secret: b}\napi_url: https://slack.com/api\n", slack.Settings{}, "ends with a slash"},
	} {
		t.Run(name, func(t *testing.T) {
			ds, err := document.Parse("slack.yaml", []byte("kind: slack\nname: main\n"+tt.text))
			if err != nil {
				t.Fatal(err)
			}
			kind := slack.DocumentKind()
			p := document.Kinds{kind.Name: kind}.Plan(nil, ds, nil)
			if tt.issue != "" {
				if p.OK() || !strings.Contains(p.Issues.Error(), tt.issue) || !strings.Contains(p.Issues.Error(), "slack.yaml:") {
					t.Errorf("issues: %v, want one with %q", p.Issues, tt.issue)
				}
				return
			}
			if diff := cmp.Diff(any(tt.want), p.Compiled[ds[0].ID]); diff != "" || !p.OK() {
				t.Errorf("%v\n%s", p.Issues, diff)
			}
		})
	}
}

// TestGuide: what docs/slack.md tells people to write is right.
func TestGuide(t *testing.T) {
	b, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	kind := slack.DocumentKind()
	n := 0
	for _, part := range strings.Split(string(b), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		if !strings.HasPrefix(text, "kind: slack") {
			continue
		}
		n++
		ds, err := document.Parse("slack.md", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if p := (document.Kinds{kind.Name: kind}).Plan(nil, ds, nil); !p.OK() {
			t.Errorf("%s\n%s", p.Issues, text)
		}
	}
	if n != 2 {
		t.Errorf("%d documents in the guide, want 2", n)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	full := func() slack.Config {
		d := newMemory()
		return slack.Config{Outbox: d, Desk: d, BotToken: secret.New(botToken), SigningSecret: secret.New("s"), Log: slog.New(slog.DiscardHandler)}
	}
	for name, spoil := range map[string]func(*slack.Config){
		"no outbox":         func(c *slack.Config) { c.Outbox = nil },
		"no desk":           func(c *slack.Config) { c.Desk = nil },
		"no log":            func(c *slack.Config) { c.Log = nil },
		"a user's token":    func(c *slack.Config) { c.BotToken = secret.New("xoxp-1") },
		"no signing secret": func(c *slack.Config) { c.SigningSecret = secret.String{} },
		"no app token":      func(c *slack.Config) { c.Mode = slack.ModeSocket },
		"an unknown mode":   func(c *slack.Config) { c.Mode = "fax" },
	} {
		c := full()
		spoil(&c)
		if _, err := slack.New(c); err == nil || strings.Contains(err.Error(), "xoxp-1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := slack.New(full()); err != nil {
		t.Error(err)
	}
}
