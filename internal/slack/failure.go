package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"
)

// A fate says what is known about a call that failed.
type fate string

const (
	refused   fate = "refused"   // Slack said no: nothing was done
	throttled fate = "throttled" // nothing was done; after says when to come back
	unsent    fate = "unsent"    // Slack was not reached: nothing was done
	unknown   fate = "unknown"   // it may have been done
)

// defaultPause is for a 429 that does not say how long.
const defaultPause = 30 * time.Second

// A callError is a call of the Web API that failed. Its text holds no token
// and no URL.
type callError struct {
	method string
	fate   fate
	code   string        // Slack's word, or ours: "http_503", "no_answer"
	after  time.Duration // of a throttled call
}

func (e *callError) Error() string { return fmt.Sprintf("slack %s: %s", e.method, e.code) }

// classify makes a callError of what the library returned. An outcome is known
// only when Slack said so or was not reached.
func classify(method string, err error) error {
	if err == nil {
		return nil
	}
	e := &callError{method: method, fate: unknown, code: "no_answer"}
	var limited *slackgo.RateLimitedError
	var status slackgo.StatusCodeError
	var said slackgo.SlackErrorResponse
	var op *net.OpError
	var badJSON *json.SyntaxError
	switch {
	case errors.As(err, &limited):
		e.fate, e.code, e.after = throttled, "ratelimited", max(limited.RetryAfter, time.Second)
	case errors.As(err, &status) && status.Code == 429:
		e.fate, e.code, e.after = throttled, "ratelimited", defaultPause
	case errors.As(err, &status):
		e.code = fmt.Sprintf("http_%d", status.Code)
		if status.Code < 500 {
			e.fate = refused
		}
	case errors.As(err, &said):
		e.said(said.Err)
	case errors.As(err, &op) && op.Op == "dial":
		e.fate, e.code = unsent, "unreachable"
	case errors.As(err, &badJSON):
		e.code = "not_json"
	}
	return e
}

// said takes Slack's own word for what went wrong. Its catastrophic errors may
// come after the work was done (docs.slack.dev, errors of chat.postMessage).
func (e *callError) said(code string) {
	e.code = code
	switch code {
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		e.fate, e.after = throttled, defaultPause
	case "internal_error", "fatal_error", "request_timeout", "service_unavailable":
		e.fate = unknown
	default:
		e.fate = refused
	}
}

// remedy is what Slack's refusal calls for.
type remedy int

const (
	giveUp    remedy = iota // the message is wrong: no retry helps
	fixAccess               // the app lost its access: nothing can be posted
	fixPlace                // the channel or person is wrong: an operator can help
)

// remedyFor sorts the words of a refusal.
func remedyFor(code string) (remedy, string) {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type":
		return fixAccess, "install the app again and set the new bot token"
	case "missing_scope", "no_permission":
		return fixPlace, "add the missing scope to the app (docs/slack.md) and install it again"
	case "channel_not_found", "no_such_channel":
		return fixPlace, "check the channel's name; a private channel must have the app as a member: /invite it there"
	case "not_in_channel":
		return fixPlace, "make the app a member of the channel: /invite it there"
	case "is_archived":
		return fixPlace, "unarchive the channel, or name another"
	case "users_not_found", "user_not_found", "user_disabled", "cannot_dm_bot", "user_not_visible":
		return fixPlace, "check the person's e-mail address: Slack knows no active member with it"
	case "no_channel":
		return fixPlace, "name a channel in the question, or a default channel in the slack document"
	}
	if strings.HasPrefix(code, "restricted_action") || strings.HasPrefix(code, "ekm_") || strings.HasPrefix(code, "team_access") || code == "access_denied" || code == "org_login_required" {
		return fixPlace, "an administrator of the workspace must allow the app to post there"
	}
	return giveUp, ""
}
