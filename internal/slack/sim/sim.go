// Package sim is a simulated Slack workspace, for the demo and for tests. It
// speaks the part of Slack's Web API that package slack uses, signs the presses
// of its buttons as Slack does, and shows the workspace as a web page.
//
// What it promises: the same words for the same mistakes as Slack (wrong token,
// unknown channel, blocks over their limits, triggers and response URLs that
// have passed), over real HTTP; and whatever trouble it is told to make: to be
// slow, down, over its limits, to fail after having done the work, to press
// twice, late, with a bad signature, or as a guest or stranger.
//
// What it never does: talk to Slack, keep anything after it ends, or pretend to
// be real: the page says that it is simulated.
//
// The API is that of docs.slack.dev, page "Web API methods".
package sim

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says what the workspace is like. BotToken and SigningSecret are
// required.
type Config struct {
	TeamID        string // default "T0SIM"
	TeamName      string // default "Simulated workspace"
	Enterprise    string // the organisation of several workspaces; "" for none
	BotName       string // default "Beffroi"
	BotToken      string
	AppToken      string // for Socket Mode
	SigningSecret string

	Users    []User
	Channels []Channel

	// InteractivityURL is where presses are sent. Without one they go to the
	// app that is connected by Socket Mode.
	InteractivityURL string
	// BaseURL is where Handler is reached, without a slash at its end. By
	// default the host that a request names; needed when it is not at the root.
	BaseURL string
	// Limits makes the workspace answer 429 where Slack would.
	Limits bool

	HTTP *http.Client     // sends presses; default: no time limit but Slack's three seconds
	Now  func() time.Time // default: time.Now
}

// A User of the workspace.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"` // as shown: "Ada Lovelace"
	Email string `json:"-"`
	Team  string `json:"-"` // of strangers and colleagues: another workspace's
	// Enterprise is the organisation of somebody in another workspace.
	Enterprise string `json:"-"`

	Guest   bool `json:"guest,omitempty"`
	Bot     bool `json:"-"`
	Deleted bool `json:"-"`
}

// A Channel of the workspace, or a direct message when User is set.
type Channel struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Private  bool   `json:"private,omitempty"`
	Archived bool   `json:"-"`
	Outside  bool   `json:"-"`              // the app is not a member
	User     string `json:"user,omitempty"` // whom the app writes to
}

// A Message as it stands in the workspace.
type Message struct {
	Channel   string         `json:"channel"`
	TS        string         `json:"ts"`
	ThreadTS  string         `json:"thread_ts,omitempty"`
	User      string         `json:"user"`
	Text      string         `json:"text"`
	Blocks    []any          `json:"blocks,omitempty"`
	Metadata  map[string]any `json:"-"`
	Broadcast bool           `json:"broadcast,omitempty"` // a reply that the channel sees too
	Edited    bool           `json:"edited,omitempty"`
	For       string         `json:"for,omitempty"` // the one user who sees it
}

// Workspace is a simulated workspace. Its methods may be called at any time.
type Workspace struct {
	c    Config
	bot  User
	page http.Handler

	mu        sync.Mutex
	users     []User
	channels  []Channel
	messages  []*Message // in order of time
	views     []*View
	triggers  map[string]*trigger
	responses map[string]*response
	faults    []*Fault
	down      bool
	used      map[string]bucket
	calls     []Call
	watchers  map[chan string]bool
	sockets   []*socket
	tickets   map[string]bool
	last      int64 // microseconds of the last time stamp
	serial    int
}

// New returns a workspace.
func New(c Config) (*Workspace, error) {
	if c.BotToken == "" || c.SigningSecret == "" {
		return nil, errors.New("simulated workspace: config lacks BotToken or SigningSecret")
	}
	c.TeamID = cmp.Or(c.TeamID, "T0SIM")
	c.TeamName = cmp.Or(c.TeamName, "Simulated workspace")
	c.BotName = cmp.Or(c.BotName, "Beffroi")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{}
	}
	w := &Workspace{
		c: c, bot: User{ID: "U0BOT", Name: c.BotName, Bot: true, Team: c.TeamID},
		users: slices.Clone(c.Users), channels: slices.Clone(c.Channels),
		triggers: map[string]*trigger{}, responses: map[string]*response{}, used: map[string]bucket{},
		watchers: map[chan string]bool{}, tickets: map[string]bool{},
	}
	w.page = w.newPage()
	return w, nil
}

// Handler serves the Web API under /api/, and the page at the root.
func (w *Workspace) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", w.serveAPI)
	mux.HandleFunc("POST /response/{id}", w.serveResponse)
	mux.HandleFunc("GET /socket", w.serveSocket)
	mux.Handle("/", w.page)
	return mux
}

// SetInteractivityURL says where presses are sent from now on.
func (w *Workspace) SetInteractivityURL(u string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c.InteractivityURL = u
}

// SetUser changes or adds a user.
func (w *Workspace) SetUser(u User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.users, func(o User) bool { return o.ID == u.ID }); i >= 0 {
		w.users[i] = u
		return
	}
	w.users = append(w.users, u)
}

// Messages returns the messages of a channel, named by id or "#name", in order
// of time: those of threads too, and those that one user sees alone.
func (w *Workspace) Messages(channel string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.channel(channel)
	if ch == nil {
		return nil
	}
	var out []Message
	for _, m := range w.messages {
		if m.Channel == ch.ID {
			out = append(out, *m)
		}
	}
	return out
}

// DirectMessages returns what the app wrote to one user.
func (w *Workspace) DirectMessages(user string) []Message {
	w.mu.Lock()
	id := ""
	for _, ch := range w.channels {
		if ch.User == user {
			id = ch.ID
		}
	}
	w.mu.Unlock()
	return w.Messages(id)
}

// Key returns the key in a message's metadata, or "".
func (m Message) Key() string {
	p, _ := m.Metadata["event_payload"].(map[string]any)
	k, _ := p["key"].(string)
	return k
}

// Buttons returns the labels of a message's buttons and their action ids.
func (m Message) Buttons() (labels, actions []string) {
	for _, b := range m.Blocks {
		for _, e := range list(object(b)["elements"]) {
			if e := object(e); e["type"] == "button" {
				labels = append(labels, str(object(e["text"])["text"]))
				actions = append(actions, str(e["action_id"]))
			}
		}
	}
	return labels, actions
}

// channel finds a channel by id or name. mu is held.
func (w *Workspace) channel(id string) *Channel {
	for i := range w.channels {
		if c := &w.channels[i]; c.ID == id || c.User == "" && "#"+c.Name == "#"+strings.TrimPrefix(id, "#") {
			return c
		}
	}
	return nil
}

// user finds a user by id. mu is held.
func (w *Workspace) user(id string) *User {
	for i := range w.users {
		if w.users[i].ID == id {
			return &w.users[i]
		}
	}
	return nil
}

// message finds a message. mu is held.
func (w *Workspace) message(channel, ts string) *Message {
	for _, m := range w.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// ts returns a new time stamp, which is also a message's name. mu is held.
func (w *Workspace) ts() string {
	w.last = max(w.last+1, w.c.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", w.last/1e6, w.last%1e6)
}

// id returns a new name. mu is held.
func (w *Workspace) id(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s%06d", prefix, w.serial)
}

// changed tells all pages that a channel or a user's windows changed. mu is
// held.
func (w *Workspace) changed(what string) {
	for ch := range w.watchers {
		select {
		case ch <- what:
		default: // the page is told again by the next change, and asks for all
		}
	}
}

// Short forms for JSON values of unknown shape: a wrong shape is the zero value.
func object(v any) map[string]any { o, _ := v.(map[string]any); return o }
func list(v any) []any            { l, _ := v.([]any); return l }
func str(v any) string            { s, _ := v.(string); return s }
