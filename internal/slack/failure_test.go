package slack

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		err   error
		fate  fate
		code  string
		after time.Duration
	}{
		{&slackgo.RateLimitedError{RetryAfter: 7 * time.Second}, throttled, "ratelimited", 7 * time.Second},
		{&slackgo.RateLimitedError{}, throttled, "ratelimited", time.Second},
		{slackgo.StatusCodeError{Code: 429}, throttled, "ratelimited", defaultPause},
		{slackgo.StatusCodeError{Code: 500}, unknown, "http_500", 0},
		{slackgo.StatusCodeError{Code: 302}, refused, "http_302", 0},
		{slackgo.SlackErrorResponse{Err: "channel_not_found"}, refused, "channel_not_found", 0},
		{slackgo.SlackErrorResponse{Err: "fatal_error"}, unknown, "fatal_error", 0},
		{slackgo.SlackErrorResponse{Err: "ratelimited"}, throttled, "ratelimited", defaultPause},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, unsent, "unreachable", 0},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, unknown, "no_answer", 0},
		{errors.New(`Post "https://hooks.slack.com/secret": EOF`), unknown, "no_answer", 0},
	} {
		var e *callError
		if err := classify("m", fmt.Errorf("wrapped: %w", tt.err)); !errors.As(err, &e) || e.fate != tt.fate || e.code != tt.code || e.after != tt.after {
			t.Errorf("%v: %+v", tt.err, e)
		}
		if strings.Contains(e.Error(), "secret") {
			t.Errorf("the URL stands in %q", e)
		}
	}
	if classify("m", nil) != nil {
		t.Error("nothing wrong is an error")
	}
}

func TestRemedies(t *testing.T) {
	for code, want := range map[string]remedy{
		"token_revoked": fixAccess, "invalid_auth": fixAccess, "channel_not_found": fixPlace, "missing_scope": fixPlace,
		"not_in_channel": fixPlace, "is_archived": fixPlace, "user_disabled": fixPlace, "no_channel": fixPlace,
		"restricted_action_read_only_channel": fixPlace, "invalid_blocks": giveUp, "message_not_found": giveUp, "something_new": giveUp,
	} {
		if got, say := remedyFor(code); got != want || (say == "") != (want == giveUp) {
			t.Errorf("%s: %v %q", code, got, say)
		}
	}
}

// TestResponsesGoToSlackOnly: the URL comes with a press, but where a request
// of ours goes is ours to say.
func TestResponsesGoToSlackOnly(t *testing.T) {
	c := newClient(Config{APIURL: "http://127.0.0.1:8430/api/", Now: time.Now, EveryChannel: time.Second})
	for _, u := range []string{
		"", "::", "https://evil.example/x", "http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/x", "https://hooks.slack.com@evil.example/x",
		"file://hooks.slack.com/x", "http://127.0.0.1:22/x",
	} {
		var e *callError
		if err := c.respond(t.Context(), u, "x"); !errors.As(err, &e) || e.code != "not_a_slack_url" {
			t.Errorf("%q: %v", u, err)
		}
	}
}
