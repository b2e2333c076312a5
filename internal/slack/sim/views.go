package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// A View is a window that the app opened for one user.
type View struct {
	ID     string            `json:"id"`
	User   string            `json:"user"`
	Body   map[string]any    `json:"view"` // as the app sent it
	Errors map[string]string `json:"errors,omitempty"`

	hash string
}

// A trigger lets the app open one window, for three seconds.
type trigger struct {
	user  string
	until time.Time
	used  bool
}

// Views returns the windows that stand open before a user.
func (w *Workspace) Views(user string) []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []View
	for _, v := range w.views {
		if v.User == user {
			out = append(out, *v)
		}
	}
	return out
}

func (w *Workspace) openView(a args, _ *http.Request) (map[string]any, error) {
	t := w.triggers[a["trigger_id"]]
	switch {
	case t == nil:
		return nil, no("invalid_trigger_id")
	case t.used:
		return nil, no("exchanged_trigger_id")
	case w.c.Now().After(t.until):
		return nil, no("expired_trigger_id")
	}
	body, err := viewBody(a)
	if err != nil {
		return nil, err
	}
	t.used = true
	v := &View{ID: w.id("V0VIEW"), User: t.user, Body: body, hash: w.id("h")}
	w.views = append(w.views, v)
	w.changed("")
	return map[string]any{"view": w.viewShape(v, nil)}, nil
}

func (w *Workspace) updateView(a args, _ *http.Request) (map[string]any, error) {
	v := w.view(a["view_id"])
	if v == nil {
		return nil, no("not_found")
	}
	body, err := viewBody(a)
	if err != nil {
		return nil, err
	}
	v.Body, v.Errors, v.hash = body, nil, w.id("h")
	w.changed("")
	return map[string]any{"view": w.viewShape(v, nil)}, nil
}

func viewBody(a args) (map[string]any, error) {
	var body map[string]any
	if json.Unmarshal([]byte(a["view"]), &body) != nil {
		return nil, no("invalid_arguments", "view is not a JSON object")
	}
	if problems := checkView(body); len(problems) > 0 {
		return nil, no("invalid_arguments", problems...)
	}
	return body, nil
}

// view finds a window. mu is held.
func (w *Workspace) view(id string) *View {
	for _, v := range w.views {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// CloseView closes a window, as its user does.
func (w *Workspace) CloseView(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views = slices.DeleteFunc(w.views, func(v *View) bool { return v.ID == id })
	w.changed("")
}

// viewShape is a window as Slack tells the app of it. values are what its user
// wrote, by block and action.
func (w *Workspace) viewShape(v *View, values map[string]map[string]string) map[string]any {
	state := map[string]any{}
	for block, inputs := range values {
		o := map[string]any{}
		for id, text := range inputs {
			o[id] = map[string]any{"type": "plain_text_input", "value": text}
		}
		state[block] = o
	}
	o := map[string]any{"id": v.ID, "team_id": w.c.TeamID, "hash": v.hash, "state": map[string]any{"values": state}, "app_id": "A0SIM"}
	for _, k := range []string{"type", "title", "submit", "close", "blocks", "private_metadata", "callback_id"} {
		if x, ok := v.Body[k]; ok {
			o[k] = x
		}
	}
	return o
}

// react does with a window what the app answered to its submission. mu is held.
func (w *Workspace) react(v *View, answer []byte) {
	var a struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   map[string]any    `json:"view"`
	}
	if len(answer) > 0 && json.Unmarshal(answer, &a) != nil {
		v.Errors = map[string]string{"": "The app's answer is not JSON."}
		return
	}
	switch a.Action {
	case "errors":
		v.Errors = a.Errors
	case "update":
		if problems := checkView(a.View); len(problems) > 0 {
			v.Errors = map[string]string{"": "The app's window is wrong: " + problems[0]}
			return
		}
		v.Body, v.Errors, v.hash = a.View, nil, w.id("h")
	default:
		w.views = slices.DeleteFunc(w.views, func(o *View) bool { return o == v })
	}
}
