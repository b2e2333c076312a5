package sim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// patience is how long Slack waits for an app's answer.
const patience = 3 * time.Second

// A Press is what one user does with one button.
type Press struct {
	User     string
	Channel  string // id or "#name"
	TS       string
	ActionID string

	Late         time.Duration // the request is signed, and then held back
	BadSignature bool
	Unsigned     bool
}

// A Submission is what one user does with a window.
type Submission struct {
	User   string
	ViewID string
	Values map[string]map[string]string // text by block and action
}

// A Delivery is a signed request to the app. It can be sent again, as an
// attacker would who has seen it.
type Delivery struct {
	Timestamp, Signature string
	Body                 []byte
}

// A Reply is what the app answered.
type Reply struct {
	Status   int // 0 when there was no answer in time
	Body     []byte
	Delivery Delivery // empty in Socket Mode
}

// OK reports whether the app took the interaction.
func (r Reply) OK() bool { return r.Status == http.StatusOK }

// Click presses a button and waits for the app's answer.
func (w *Workspace) Click(ctx context.Context, p Press) (Reply, error) {
	payload, err := w.press(p)
	if err != nil {
		return Reply{}, err
	}
	return w.send(ctx, payload, p)
}

// Submit sends a window in. What the app answers becomes of the window.
func (w *Workspace) Submit(ctx context.Context, s Submission) (Reply, error) {
	w.mu.Lock()
	v := w.view(s.ViewID)
	if v == nil || v.User != s.User {
		w.mu.Unlock()
		return Reply{}, fmt.Errorf("no window %q stands open before %s", s.ViewID, s.User)
	}
	v.Errors = nil
	payload := w.envelope("view_submission", s.User)
	payload["trigger_id"] = w.newTrigger(s.User)
	payload["view"] = w.viewShape(v, s.Values)
	w.mu.Unlock()
	r, err := w.send(ctx, payload, Press{})
	if err != nil {
		return r, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.OK() {
		w.react(v, r.Body)
	} else {
		v.Errors = map[string]string{"": r.trouble()}
	}
	w.changed("")
	return r, nil
}

// Deliver sends a request to the app's interactivity URL, as it is.
func (w *Workspace) Deliver(ctx context.Context, d Delivery) (Reply, error) {
	w.mu.Lock()
	to := w.c.InteractivityURL
	w.mu.Unlock()
	if to == "" {
		return Reply{}, errors.New("the app has no interactivity URL and no open socket")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.Body))
	if err != nil {
		return Reply{}, fmt.Errorf("make a request to the app: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if d.Signature != "" {
		req.Header.Set("X-Slack-Request-Timestamp", d.Timestamp)
		req.Header.Set("X-Slack-Signature", d.Signature)
	}
	resp, err := w.c.HTTP.Do(req)
	if err != nil {
		return Reply{Delivery: d}, nil //nolint:nilerr // no answer is an answer: the user sees it
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Reply{Delivery: d}, nil //nolint:nilerr // likewise
	}
	return Reply{Status: resp.StatusCode, Body: body, Delivery: d}, nil
}

// press builds the payload of a press.
func (w *Workspace) press(p Press) (map[string]any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.channel(p.Channel)
	if ch == nil {
		return nil, fmt.Errorf("no channel %q", p.Channel)
	}
	m := w.message(ch.ID, p.TS)
	if m == nil {
		return nil, fmt.Errorf("no message %s in %s", p.TS, ch.ID)
	}
	block, button := m.button(p.ActionID)
	if button == nil {
		return nil, fmt.Errorf("message %s has no button %q", p.TS, p.ActionID)
	}
	o := w.envelope("block_actions", p.User)
	id := w.id("re")
	w.responses[id] = &response{channel: ch.ID, ts: m.TS, thread: m.ThreadTS, user: p.User, left: 5, until: w.c.Now().Add(30 * time.Minute)}
	if base := w.c.BaseURL; base != "" {
		o["response_url"] = base + "/response/" + id
	}
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": ch.ID, "is_ephemeral": m.For != ""}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	o["trigger_id"] = w.newTrigger(p.User)
	o["container"] = container
	o["channel"] = map[string]any{"id": ch.ID, "name": ch.Name}
	o["message"] = w.shape(m, false)
	o["state"] = map[string]any{"values": map[string]any{}}
	o["actions"] = []any{map[string]any{
		"type": "button", "action_id": p.ActionID, "block_id": block, "value": str(button["value"]),
		"text": button["text"], "action_ts": w.ts(),
	}}
	return o, nil
}

// button finds a button of a message, and its block's id.
func (m *Message) button(action string) (string, map[string]any) {
	for _, b := range m.Blocks {
		for _, e := range list(object(b)["elements"]) {
			if e := object(e); e["type"] == "button" && e["action_id"] == action {
				return str(object(b)["block_id"]), e
			}
		}
	}
	return "", nil
}

// envelope is what all interactions say. mu is held.
func (w *Workspace) envelope(kind, user string) map[string]any {
	team, name := w.c.TeamID, ""
	if u := w.user(user); u != nil {
		name = u.Name
		if u.Team != "" {
			team = u.Team
		}
	}
	return map[string]any{
		"type": kind, "api_app_id": "A0SIM", "token": "deprecated", "enterprise": nil, "is_enterprise_install": false,
		"team": map[string]any{"id": w.c.TeamID, "domain": "simulated"},
		"user": map[string]any{"id": user, "username": name, "name": name, "team_id": team},
	}
}

// newTrigger returns a trigger id. mu is held.
func (w *Workspace) newTrigger(user string) string {
	now := w.c.Now()
	for id, t := range w.triggers {
		if now.After(t.until.Add(time.Minute)) {
			delete(w.triggers, id)
		}
	}
	id := w.id("1." + strconv.FormatInt(now.UnixNano(), 36) + ".")
	w.triggers[id] = &trigger{user: user, until: now.Add(patience)}
	return id
}

// send brings a payload to the app, by its open socket or its URL.
func (w *Workspace) send(ctx context.Context, payload map[string]any, p Press) (Reply, error) {
	b, err := json.Marshal(payload)
	if err != nil {
		return Reply{}, fmt.Errorf("encode a payload: %w", err)
	}
	w.mu.Lock()
	url, n := w.c.InteractivityURL, len(w.sockets)
	w.mu.Unlock()
	if url == "" && n > 0 {
		return w.sendSocket(ctx, b)
	}
	return w.Deliver(ctx, w.sign(b, p))
}

func (w *Workspace) sign(payload []byte, p Press) Delivery {
	body := []byte("payload=" + url.QueryEscape(string(payload)))
	if p.Unsigned {
		return Delivery{Body: body}
	}
	ts := strconv.FormatInt(w.c.Now().Add(-p.Late).Unix(), 10)
	key := w.c.SigningSecret
	if p.BadSignature {
		key += " not"
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("v0:" + ts + ":"))
	mac.Write(body)
	return Delivery{Timestamp: ts, Signature: "v0=" + hex.EncodeToString(mac.Sum(nil)), Body: body}
}

// trouble is what a user reads when the app did not take an interaction.
func (r Reply) trouble() string {
	if r.Status == 0 {
		return "The app did not answer within three seconds."
	}
	return fmt.Sprintf("The app answered with an error (%d).", r.Status)
}
