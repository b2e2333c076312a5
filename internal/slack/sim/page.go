package sim

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
)

//go:embed web
var files embed.FS

// csp lets the page load its own files and nothing else; nothing inline runs.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// newPage serves the workspace to a browser. What changes something takes
// requests of its own page only.
func (w *Workspace) newPage() http.Handler {
	web, err := fs.Sub(files, "web")
	if err != nil {
		panic("internal error: embedded files: " + err.Error())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(web))
	mux.HandleFunc("GET /sim/state", w.pageState)
	mux.HandleFunc("GET /sim/messages", w.pageMessages)
	mux.HandleFunc("GET /sim/events", w.pageEvents)
	mux.HandleFunc("POST /sim/click", w.pageClick)
	mux.HandleFunc("POST /sim/submit", w.pageSubmit)
	mux.HandleFunc("POST /sim/close", w.pageClose)
	mux.HandleFunc("POST /sim/trouble", w.pageTrouble)
	same := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		same.ServeHTTP(rw, r)
	})
}

// pageState tells a page what there is: people, channels, and the windows
// before one user.
func (w *Workspace) pageState(rw http.ResponseWriter, r *http.Request) {
	me := r.URL.Query().Get("user")
	send(rw, w.snapshot(func() any { return w.state(me) }))
}

// snapshot encodes what f returns while nothing changes, so that it can be
// sent without holding anybody up.
func (w *Workspace) snapshot(f func() any) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := json.Marshal(f())
	if err != nil {
		panic("internal error: encode a page's data: " + err.Error())
	}
	return b
}

// state is what a page shows around the messages. mu is held.
func (w *Workspace) state(me string) map[string]any {
	type person struct {
		User
		Standing string `json:"standing,omitempty"`
	}
	people := []person{}
	for _, u := range w.users {
		p := person{User: u}
		switch {
		case u.Deleted:
			p.Standing = "deactivated"
		case u.Team != "" && u.Team != w.c.TeamID:
			p.Standing = "of another organisation"
		case u.Guest:
			p.Standing = "guest"
		}
		people = append(people, p)
	}
	channels := []Channel{}
	for _, ch := range w.channels {
		if ch.User == "" || ch.User == me {
			channels = append(channels, ch)
		}
	}
	views := []*View{}
	for _, v := range w.views {
		if v.User == me {
			views = append(views, v)
		}
	}
	return map[string]any{
		"team": w.c.TeamName, "bot": w.bot, "users": people, "channels": channels, "views": views, "trouble": w.troubleName(),
	}
}

func (w *Workspace) pageMessages(rw http.ResponseWriter, r *http.Request) {
	me, id := r.URL.Query().Get("user"), r.URL.Query().Get("channel")
	send(rw, w.snapshot(func() any {
		out := []*Message{}
		ch := w.channel(id)
		if ch == nil || ch.User != "" && ch.User != me {
			return out
		}
		for _, m := range w.messages {
			if m.Channel == ch.ID && (m.For == "" || m.For == me) {
				out = append(out, m)
			}
		}
		return out
	}))
}

// pageEvents tells a page of changes, by server-sent events: the data is the
// channel's id, or nothing when it is not about messages.
func (w *Workspace) pageEvents(rw http.ResponseWriter, r *http.Request) {
	changes := make(chan string, 64)
	w.mu.Lock()
	w.watchers[changes] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.watchers, changes)
		w.mu.Unlock()
	}()
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(rw)
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	line := ": hello\n\n"
	for {
		// The server's own time limits are for pages, not for this one.
		_ = rc.SetWriteDeadline(time.Now().Add(time.Minute))
		if _, err := fmt.Fprint(rw, line); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case ch := <-changes:
			line = "data: " + ch + "\n\n"
		case <-alive.C:
			line = ": still here\n\n"
		}
	}
}

func (w *Workspace) pageClick(rw http.ResponseWriter, r *http.Request) {
	var p struct {
		User, Channel, TS, Action string
		How                       string // "", "twice", "late", "forged"
	}
	if !readJSON(rw, r, &p) {
		return
	}
	press := Press{User: p.User, Channel: p.Channel, TS: p.TS, ActionID: p.Action}
	times := 1
	switch p.How {
	case "twice":
		times = 2
	case "late":
		press.Late = 10 * time.Minute
	case "forged":
		press.BadSignature = true
	}
	said := ""
	for range times {
		reply, err := w.Click(r.Context(), press)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusConflict)
			return
		}
		if !reply.OK() {
			said = reply.trouble()
		}
	}
	writeJSON(rw, map[string]any{"error": said})
}

func (w *Workspace) pageSubmit(rw http.ResponseWriter, r *http.Request) {
	var s struct {
		User, View string
		Values     map[string]map[string]string
	}
	if !readJSON(rw, r, &s) {
		return
	}
	if _, err := w.Submit(r.Context(), Submission{User: s.User, ViewID: s.View, Values: s.Values}); err != nil {
		http.Error(rw, err.Error(), http.StatusConflict)
		return
	}
	writeJSON(rw, map[string]any{})
}

func (w *Workspace) pageClose(rw http.ResponseWriter, r *http.Request) {
	var s struct{ View string }
	if readJSON(rw, r, &s) {
		w.CloseView(s.View)
		writeJSON(rw, map[string]any{})
	}
}

// troubles are those that the page offers.
func troubles() map[string]Fault {
	return map[string]Fault{
		"slow":    {Delay: 2 * time.Second},
		"limited": {Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Second},
		"errors":  {Status: http.StatusInternalServerError},
		"down":    {Status: http.StatusServiceUnavailable},
	}
}

func (w *Workspace) pageTrouble(rw http.ResponseWriter, r *http.Request) {
	var s struct{ Trouble string }
	if !readJSON(rw, r, &s) {
		return
	}
	f, ok := troubles()[s.Trouble]
	if !ok && s.Trouble != "" {
		http.Error(rw, "no such trouble", http.StatusBadRequest)
		return
	}
	w.ClearFaults()
	if ok {
		w.Inject(f)
	}
	w.mu.Lock()
	w.changed("")
	w.mu.Unlock()
	writeJSON(rw, map[string]any{})
}

// troubleName is the trouble that the page shows as chosen. mu is held.
func (w *Workspace) troubleName() string {
	if w.down {
		return "down"
	}
	for name, t := range troubles() {
		if slices.ContainsFunc(w.faults, func(f *Fault) bool { return *f == t }) {
			return name
		}
	}
	return ""
}

func readJSON(rw http.ResponseWriter, r *http.Request, v any) bool {
	t := cmp.Or(r.Header.Get("Content-Type"), "none")
	if !strings.HasPrefix(t, "application/json") {
		http.Error(rw, "want application/json, got "+t, http.StatusUnsupportedMediaType)
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody)).Decode(v); err != nil {
		http.Error(rw, "not the JSON that was expected", http.StatusBadRequest)
		return false
	}
	return true
}
