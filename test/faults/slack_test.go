package faults

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/slack/sim"
)

const asking = `---
kind: person
name: ada
title: Ada Lovelace
email: ada@example.org
---
kind: slack
name: workspace
mode: http
bot_token: { secret: SLACK_BOT_TOKEN }
signing_secret: { secret: SLACK_SIGNING_SECRET }
channel: "#soc"
api_url: "SLACK/api/"
---
kind: playbook
name: asks
on: { alert: alert.severity_id >= 1 }
steps:
  - id: sure
    ask:
      to: "#soc"
      title: "${{ alert.finding_info.title }}"
      answers: [yes, no]
`

// TestSlackIsDownForAnHour asks questions while Slack answers nobody: alerts
// are acknowledged meanwhile, and each question is posted once when it is back.
func TestSlackIsDownForAnHour(t *testing.T) {
	t.Parallel()
	c := &clock{}
	workspace, err := sim.New(sim.Config{
		BotToken: "xoxb-faults", SigningSecret: "faults-signing-secret", Now: c.now,
		Users:    []sim.User{{ID: "U0ADA", Name: "Ada Lovelace", Email: "ada@example.org"}},
		Channels: []sim.Channel{{ID: "C0SOC", Name: "soc"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(workspace.Handler())
	t.Cleanup(server.Close)
	n, stop := within(t, c)
	n.apply(sourceYAML+strings.ReplaceAll(asking, "SLACK/", server.URL+"/"), map[string]string{
		"HOOK": hookSecret, "SLACK_BOT_TOKEN": "xoxb-faults", "SLACK_SIGNING_SECRET": "faults-signing-secret",
	})
	total := 0
	more := func(many int) {
		t.Helper()
		s := send(t.Context(), n.addr, 2, int64(total), int64(many), 0)
		s.wait(t)
		if s.refused.Load()+s.broken.Load() > 0 {
			t.Errorf("%d alerts were refused", s.refused.Load()+s.broken.Load())
		}
		total += many
	}
	posted := func() map[string]int {
		keys := map[string]int{}
		for _, m := range workspace.Messages("#soc") {
			if labels, _ := m.Buttons(); len(labels) > 0 && strings.HasPrefix(m.Key(), "ask/") {
				keys[m.Key()]++
			}
		}
		return keys
	}
	more(2)
	n.until("questions are posted", time.Minute, func() bool { return len(posted()) == total })
	before := total

	workspace.SetDown(true)
	for i := range 12 { // five minutes each; more than ten questions at once are announced by a digest
		if i%2 == 0 {
			more(pick(1, 5))
		}
		<-time.After(100 * time.Millisecond)
		c.jump(5 * time.Minute)
	}
	if len(posted()) != before {
		t.Errorf("%d questions posted while Slack was down", len(posted())-before)
	}
	failed := 0
	for _, call := range workspace.Calls() {
		if call.Status == 503 {
			failed++
		}
	}
	workspace.SetDown(false)
	back := time.Now()
	more(1)
	// Messages from behind a digest come one every three seconds.
	n.until("each question is posted", 4*time.Minute, func() bool { return len(posted()) >= total })
	took := time.Since(back)
	if asked := len(n.records("ask.asked")); asked != total {
		t.Errorf("%d questions were asked for %d alerts", asked, total)
	}
	<-time.After(300 * time.Millisecond) // what would come twice comes now
	for key, times := range posted() {
		if times != 1 {
			t.Errorf("%s was posted %d times", key, times)
		}
	}
	if len(posted()) != total {
		t.Errorf("%d questions are posted, want %d", len(posted()), total)
	}
	stop()
	t.Logf("%d questions asked while Slack was down (%d calls failed), all posted once %s after it was back", total-before-1, failed, took)
}
