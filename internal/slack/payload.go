package slack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// An interaction is the part of Slack's payload that we read (docs.slack.dev,
// "Interaction payloads"). Fields that we do not know are ignored; those that
// we know must have their type.
type interaction struct {
	Type      string `json:"type"`
	TriggerID string `json:"trigger_id"`
	User      struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Container struct {
		MessageTS string `json:"message_ts"`
		ChannelID string `json:"channel_id"`
		ThreadTS  string `json:"thread_ts"`
	} `json:"container"`
	ResponseURL string   `json:"response_url"`
	Actions     []action `json:"actions"`
	View        struct {
		ID         string `json:"id"`
		Hash       string `json:"hash"`
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]inputValue `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

type action struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`
}

// inputValue keeps the value raw: other apps' inputs have other types.
type inputValue struct {
	Value json.RawMessage `json:"value"`
}

// A press is an interaction that is meant for the desk.
type press struct {
	id          string // of the interaction, the same when Slack delivers it twice
	token       string
	reason      string
	submitted   bool // from the window of a reason
	user        string
	spot        Spot
	thread      string
	trigger     string
	responseURL string
}

var (
	errPayload = errors.New("not an interaction of Slack")
	errForeign = errors.New("not an interaction of ours") // acknowledged and dropped
)

// parseForm reads the body of a request: form-encoded, one payload.
func parseForm(body []byte) (press, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return press{}, fmt.Errorf("%w: the body is not form-encoded", errPayload)
	}
	if len(form["payload"]) != 1 {
		return press{}, fmt.Errorf("%w: want one payload, got %d", errPayload, len(form["payload"]))
	}
	return parsePayload([]byte(form["payload"][0]))
}

// parsePayload reads an interaction, or says why it is not for us.
func parsePayload(b []byte) (press, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		return press{}, fmt.Errorf("%w: the payload is not a JSON object", errPayload)
	}
	var in interaction
	if err := json.Unmarshal(b, &in); err != nil {
		return press{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	switch in.Type {
	case "block_actions":
		return in.pressed()
	case "view_submission":
		return in.submission()
	case "":
		return press{}, fmt.Errorf("%w: no type", errPayload)
	}
	return press{}, fmt.Errorf("%w: %.40q", errForeign, in.Type)
}

func (in *interaction) pressed() (press, error) {
	if len(in.Actions) != 1 {
		return press{}, fmt.Errorf("%w: %d actions", errForeign, len(in.Actions))
	}
	a := in.Actions[0]
	if a.Type != "button" || !strings.HasPrefix(a.ActionID, answerAction) {
		return press{}, fmt.Errorf("%w: action %.40q", errForeign, a.ActionID)
	}
	p := press{
		id: in.id(a.ActionTS), token: a.Value, user: in.User.ID,
		spot: Spot{in.Container.ChannelID, in.Container.MessageTS}, thread: in.Container.ThreadTS,
		trigger: in.TriggerID, responseURL: in.ResponseURL,
	}
	return p, p.check()
}

func (in *interaction) submission() (press, error) {
	if in.View.CallbackID != reasonCallback {
		return press{}, fmt.Errorf("%w: window %.40q", errForeign, in.View.CallbackID)
	}
	var meta reasonMeta
	if err := json.Unmarshal([]byte(in.View.Metadata), &meta); err != nil {
		return press{}, fmt.Errorf("%w: metadata of the window: %w", errPayload, err)
	}
	p := press{
		id: in.id(in.View.ID + "." + in.View.Hash), token: meta.Token, user: in.User.ID,
		spot: Spot{meta.Channel, meta.TS}, submitted: true,
	}
	if raw := in.View.State.Values[reasonBlock][reasonInput].Value; len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, &p.reason); err != nil {
			return press{}, fmt.Errorf("%w: the reason is not text", errPayload)
		}
	}
	p.reason = strings.TrimSpace(p.reason)
	return p, p.check()
}

// id names the interaction. A trigger is made for one interaction only.
func (in *interaction) id(otherwise string) string {
	return in.User.ID + "/" + cmp.Or(in.TriggerID, otherwise)
}

func (p *press) check() error {
	switch {
	case !userID.MatchString(p.user):
		return fmt.Errorf("%w: no user", errPayload)
	case !validToken(p.token):
		return fmt.Errorf("%w: no token", errPayload)
	case p.spot.Channel == "" || p.spot.TS == "":
		return fmt.Errorf("%w: no message", errPayload)
	case units(p.reason) > maxReason:
		return fmt.Errorf("%w: the reason is too long", errPayload)
	}
	return nil
}

// validToken is what we put behind buttons, and so all that comes back.
func validToken(s string) bool {
	return s != "" && len(s) <= maxToken && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
