package sim

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"beffroi.dev/internal/secret"
)

const maxBody = 1 << 20

// A mistake is a call that Slack answers with ok: false.
type mistake struct {
	code     string
	messages []string
}

func (m *mistake) Error() string { return m.code }

func no(code string, messages ...string) error { return &mistake{code, messages} }

// args are what a call was given, form-encoded or as JSON: what is no string
// stands as JSON text.
type args map[string]string

// A method of the Web API. mu is held.
type method func(w *Workspace, a args, r *http.Request) (map[string]any, error)

func methods() map[string]method {
	return map[string]method{
		"auth.test":             (*Workspace).authTest,
		"apps.connections.open": (*Workspace).connectionsOpen,
		"chat.postMessage":      (*Workspace).postMessage,
		"chat.postEphemeral":    (*Workspace).postEphemeral,
		"chat.update":           (*Workspace).update,
		"chat.delete":           (*Workspace).remove,
		"conversations.history": (*Workspace).history,
		"conversations.info":    (*Workspace).info,
		"conversations.join":    (*Workspace).join,
		"conversations.list":    (*Workspace).listChannels,
		"conversations.open":    (*Workspace).open,
		"conversations.replies": (*Workspace).replies,
		"users.info":            (*Workspace).userInfo,
		"users.list":            (*Workspace).listUsers,
		"users.lookupByEmail":   (*Workspace).lookupByEmail,
		"views.open":            (*Workspace).openView,
		"views.update":          (*Workspace).updateView,
	}
}

func (w *Workspace) serveAPI(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	a, token, err := readArgs(rw, r)
	if err != nil {
		w.answer(rw, name, nil, nil, err)
		return
	}
	f := w.fault(name)
	if f != nil && !f.Applied {
		f.slow(r.Context())
		if f.fails(rw) {
			w.logged(name, a, f.Status, f.Code)
			return
		}
	}
	w.mu.Lock()
	wait, limited := w.limited(name, a["channel"])
	w.mu.Unlock()
	if limited {
		w.logged(name, a, http.StatusTooManyRequests, "ratelimited")
		tooMany(rw, wait)
		return
	}
	out, err := w.call(name, a, token, r)
	if f != nil && f.Applied {
		w.logged(name, a, f.Status, f.Code)
		f.slow(r.Context())
		if f.fails(rw) {
			return
		}
	}
	w.answer(rw, name, a, out, err)
}

func (w *Workspace) call(name string, a args, token string, r *http.Request) (map[string]any, error) {
	m, ok := methods()[name]
	if !ok {
		return nil, no("unknown_method")
	}
	want := w.c.BotToken
	if name == "apps.connections.open" {
		want = w.c.AppToken
	}
	switch {
	case token == "":
		return nil, no("not_authed")
	case want == "" || !secret.Equal(want, token):
		return nil, no("invalid_auth")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.base(r)
	return m(w, a, r)
}

// readArgs reads a call's arguments and its token, which may stand in a header
// or among them.
func readArgs(rw http.ResponseWriter, r *http.Request) (args, string, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a := args{}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		return nil, "", no("request_too_large")
	}
	form := r.URL.Query()
	switch t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t {
	case "application/json":
		var o map[string]json.RawMessage
		if len(body) > 0 && json.Unmarshal(body, &o) != nil {
			return nil, "", no("invalid_json")
		}
		for k, v := range o {
			var s string
			if json.Unmarshal(v, &s) != nil {
				s = string(v)
			}
			a[k] = s
		}
	default:
		f, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, "", no("invalid_form_data")
		}
		maps.Copy(form, f)
	}
	for k, v := range form {
		a[k] = v[0]
	}
	if t, ok := a["token"]; ok {
		token = t
		delete(a, "token")
	}
	return a, token, nil
}

func (w *Workspace) answer(rw http.ResponseWriter, name string, a args, out map[string]any, err error) {
	if err == nil {
		if out == nil {
			out = map[string]any{}
		}
		out["ok"] = true
		w.logged(name, a, http.StatusOK, "")
		writeJSON(rw, out)
		return
	}
	m := &mistake{code: "fatal_error"}
	errors.As(err, &m)
	out = map[string]any{"ok": false, "error": m.code}
	if len(m.messages) > 0 {
		out["errors"] = m.messages
		var said []string
		for _, s := range m.messages {
			said = append(said, "[ERROR] "+s)
		}
		out["response_metadata"] = map[string]any{"messages": said}
	}
	w.logged(name, a, http.StatusOK, m.code)
	writeJSON(rw, out)
}

func (w *Workspace) logged(name string, a args, status int, code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.calls) >= 100_000 {
		w.calls = slices.Delete(w.calls, 0, 50_000)
	}
	w.calls = append(w.calls, Call{Method: name, At: w.c.Now(), Args: maps.Clone(a), Status: status, Error: code})
}

func writeJSON(rw http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("internal error: encode an answer: " + err.Error())
	}
	send(rw, b)
}

func send(rw http.ResponseWriter, b []byte) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Write(b)
}

// base is the address of this workspace, by default as it was first reached.
// mu is held.
func (w *Workspace) base(r *http.Request) string {
	w.c.BaseURL = cmp.Or(w.c.BaseURL, "http://"+r.Host)
	return w.c.BaseURL
}

func (w *Workspace) authTest(_ args, r *http.Request) (map[string]any, error) {
	return map[string]any{
		"url": w.base(r) + "/", "team": w.c.TeamName, "user": strings.ToLower(w.bot.Name),
		"team_id": w.c.TeamID, "enterprise_id": w.c.Enterprise, "user_id": w.bot.ID, "bot_id": "B0BOT", "is_enterprise_install": false,
	}, nil
}

func (w *Workspace) connectionsOpen(_ args, r *http.Request) (map[string]any, error) {
	ticket := rand.Text()
	w.tickets[ticket] = true
	return map[string]any{"url": "ws" + strings.TrimPrefix(w.base(r), "http") + "/socket?ticket=" + ticket}, nil
}
