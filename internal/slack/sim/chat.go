package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// maxText is Slack's limit of a message's text.
const maxText = 40_000

// place finds the channel of a call, which the app must be able to write to.
func (w *Workspace) place(a args) (*Channel, error) {
	ch := w.channel(a["channel"])
	switch {
	case ch == nil || ch.Private && ch.Outside:
		return nil, no("channel_not_found")
	case ch.Archived:
		return nil, no("is_archived")
	case ch.Outside:
		return nil, no("not_in_channel")
	}
	return ch, nil
}

// content reads and checks what a message says.
func content(a args, m *Message) error {
	m.Text = a["text"]
	if len(m.Text) > maxText {
		return no("msg_too_long")
	}
	if s := a["blocks"]; s != "" {
		m.Blocks = nil
		if json.Unmarshal([]byte(s), &m.Blocks) != nil {
			return no("invalid_blocks_format")
		}
		if problems := checkBlocks(m.Blocks, false); len(problems) > 0 {
			return no("invalid_blocks", problems...)
		}
	}
	if m.Text == "" && len(m.Blocks) == 0 {
		return no("no_text")
	}
	if s := a["metadata"]; s != "" && s != `{"event_type":"","event_payload":null}` {
		var meta map[string]any // a new one: the old one may be being read
		if json.Unmarshal([]byte(s), &meta) != nil || str(meta["event_type"]) == "" || object(meta["event_payload"]) == nil {
			return no("invalid_metadata_format")
		}
		m.Metadata = meta
	}
	return nil
}

func (w *Workspace) postMessage(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	m := &Message{Channel: ch.ID, User: w.bot.ID, ThreadTS: a["thread_ts"]}
	if err := content(a, m); err != nil {
		return nil, err
	}
	if m.ThreadTS != "" {
		parent := w.message(ch.ID, m.ThreadTS)
		if parent == nil || parent.For != "" {
			return nil, no("thread_not_found")
		}
		if parent.ThreadTS != "" {
			m.ThreadTS = parent.ThreadTS
		}
		m.Broadcast = a["reply_broadcast"] == "true" || a["reply_broadcast"] == "1"
	}
	m.TS = w.ts()
	w.messages = append(w.messages, m)
	w.changed(ch.ID)
	return map[string]any{"channel": ch.ID, "ts": m.TS, "message": w.shape(m, true)}, nil
}

func (w *Workspace) postEphemeral(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	if w.user(a["user"]) == nil {
		return nil, no("user_not_in_channel")
	}
	m := &Message{Channel: ch.ID, User: w.bot.ID, ThreadTS: a["thread_ts"], For: a["user"]}
	if err := content(a, m); err != nil {
		return nil, err
	}
	m.TS = w.ts()
	w.messages = append(w.messages, m)
	w.changed(ch.ID)
	return map[string]any{"message_ts": m.TS}, nil
}

func (w *Workspace) update(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	m := w.message(ch.ID, a["ts"])
	switch {
	case m == nil || m.For != "":
		return nil, no("message_not_found")
	case m.User != w.bot.ID:
		return nil, no("cant_update_message")
	}
	n := *m
	n.Blocks, n.Edited = nil, true
	if err := content(a, &n); err != nil {
		return nil, err
	}
	*m = n
	w.changed(ch.ID)
	return map[string]any{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": w.shape(m, true)}, nil
}

func (w *Workspace) remove(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	m := w.message(ch.ID, a["ts"])
	if m == nil {
		return nil, no("message_not_found")
	}
	w.messages = slices.DeleteFunc(w.messages, func(o *Message) bool { return o == m })
	w.changed(ch.ID)
	return map[string]any{"channel": ch.ID, "ts": m.TS}, nil
}

// shape is a message as the API returns it.
func (w *Workspace) shape(m *Message, metadata bool) map[string]any {
	o := map[string]any{
		"type": "message", "ts": m.TS, "user": m.User, "bot_id": "B0BOT", "team": w.c.TeamID, "text": m.Text,
	}
	if len(m.Blocks) > 0 {
		o["blocks"] = m.Blocks
	}
	if m.ThreadTS != "" {
		o["thread_ts"] = m.ThreadTS
		if m.Broadcast {
			o["subtype"] = "thread_broadcast"
		}
	} else if n := w.replyCount(m); n > 0 {
		o["thread_ts"], o["reply_count"] = m.TS, n
	}
	if m.Edited {
		o["edited"] = map[string]any{"user": m.User, "ts": m.TS}
	}
	if metadata && m.Metadata != nil {
		o["metadata"] = m.Metadata
	}
	return o
}

func (w *Workspace) replyCount(m *Message) int {
	n := 0
	for _, o := range w.messages {
		if o.Channel == m.Channel && o.ThreadTS == m.TS && o.For == "" {
			n++
		}
	}
	return n
}

// A response URL works five times in half an hour.
type response struct {
	channel, ts, thread, user string
	left                      int
	until                     time.Time
}

func (w *Workspace) serveResponse(rw http.ResponseWriter, r *http.Request) {
	a, _, err := readArgs(rw, r)
	if err != nil {
		http.Error(rw, "invalid_payload", http.StatusBadRequest)
		return
	}
	f := w.fault("response_url")
	if f != nil {
		f.slow(r.Context())
		if f.fails(rw) {
			return
		}
	}
	w.logged("response_url", a, http.StatusOK, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	re := w.responses[r.PathValue("id")]
	if re == nil || re.left == 0 || w.c.Now().After(re.until) {
		http.Error(rw, "expired_url", http.StatusNotFound)
		return
	}
	re.left--
	m := &Message{Channel: re.channel, User: w.bot.ID, ThreadTS: re.thread, For: re.user}
	if content(a, m) != nil || a["response_type"] == "in_channel" || a["replace_original"] == "true" {
		http.Error(rw, "invalid_payload", http.StatusBadRequest)
		return
	}
	m.TS = w.ts()
	w.messages = append(w.messages, m)
	w.changed(m.Channel)
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Write([]byte("ok"))
}
