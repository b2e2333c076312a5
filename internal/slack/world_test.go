package slack_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/slack"
	"beffroi.dev/internal/slack/sim"
)

const (
	botToken      = "xoxb-simulated"
	appToken      = "xapp-simulated"
	signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	ada, bob      = "U0ADA", "U0BOB"
	guest         = "U0GUEST"
	stranger      = "U0STRANGER"
)

func users() []sim.User {
	return []sim.User{
		{ID: ada, Name: "Ada Lovelace", Email: "ada@example.com"},
		{ID: bob, Name: "Bob Kahn", Email: "bob@example.com"},
		{ID: guest, Name: "Gus Guest", Email: "gus@example.org", Guest: true},
		{ID: stranger, Name: "Sam Stranger", Email: "sam@example.net", Team: "T0OTHER"},
		{ID: "U0BOTTY", Name: "Botty", Email: "botty@example.com", Bot: true},
		{ID: "U0GONE", Name: "Gone Girl", Email: "gone@example.com", Deleted: true},
		{ID: "U0SILENT", Name: "Silent"},
	}
}

func channels() []sim.Channel {
	return []sim.Channel{
		{ID: "C0SOC", Name: "soc"},
		{ID: "C0OPS", Name: "ops"},
		{ID: "C0OLD", Name: "old", Archived: true},
		{ID: "C0OPEN", Name: "open", Outside: true},
		{ID: "C0SECRET", Name: "secret", Private: true, Outside: true},
	}
}

// memory is an outbox and a desk over maps: what the records would be.
type memory struct {
	wake chan struct{}

	mu       sync.Mutex
	rev      uint64
	messages map[string]slack.Message
	posted   map[string]slack.Posted
	history  []slack.Posted
	threads  map[string]string // by address and thread
	failures []slack.Failure
	gone     map[string]uint64 // revisions that failed for good
	clicks   []slack.Click
	refused  []slack.Refusal
	answered map[string]string // who, by question
	reasons  map[string]bool   // tokens that need one
	err      error             // of Answer and Refuse
	lose     int               // how many Posted fail
	slow     time.Duration     // of Answer

	unreadable bool // Due fails
	reads      int
}

func newMemory() *memory {
	return &memory{
		wake: make(chan struct{}, 1), messages: map[string]slack.Message{}, posted: map[string]slack.Posted{},
		threads: map[string]string{}, gone: map[string]uint64{}, answered: map[string]string{}, reasons: map[string]bool{},
	}
}

func (d *memory) put(m slack.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(m)
}

func (d *memory) set(m slack.Message) {
	d.rev++
	m.Rev = d.rev
	if m.Due.IsZero() {
		m.Due = time.Now()
	}
	d.messages[m.Key] = m
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *memory) withdraw(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.messages, key)
}

func (d *memory) Due(_ context.Context, after slack.Place, limit int) ([]slack.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reads++; d.unreadable {
		return nil, fmt.Errorf("the view is being rebuilt")
	}
	var out []slack.Message
	for _, m := range d.messages {
		p, there := d.posted[m.Key]
		if there && (p.Rev >= m.Rev || p.Folded) || d.gone[m.Key] >= m.Rev || m.Place().Compare(after) <= 0 {
			continue
		}
		if there {
			m.At = p.Spot
		}
		m.ThreadTS = d.threads[m.Channel+m.Email+m.Thread]
		if m.ThreadTS == m.At.TS {
			m.ThreadTS = ""
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b slack.Message) int { return a.Place().Compare(b.Place()) })
	return out[:min(limit, len(out))], nil
}

func (d *memory) Posted(_ context.Context, p slack.Posted) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lose > 0 {
		d.lose--
		return fmt.Errorf("the ledger is busy")
	}
	d.posted[p.Key] = p
	d.history = append(d.history, p)
	m := d.messages[p.Key]
	if k := m.Channel + m.Email + p.Thread; p.Thread != "" && d.threads[k] == "" && !p.Folded {
		d.threads[k] = p.ThreadTS
	}
	return nil
}

func (d *memory) Failed(_ context.Context, f slack.Failure) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = append(d.failures, f)
	if f.Retry.IsZero() {
		d.gone[f.Key] = f.Rev
	}
	return nil
}

func (d *memory) Answer(ctx context.Context, c slack.Click) (slack.Outcome, error) {
	if d.slow > 0 {
		select {
		case <-time.After(d.slow):
		case <-ctx.Done():
			return slack.Outcome{}, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return slack.Outcome{}, d.err
	}
	d.clicks = append(d.clicks, c)
	key, label, _ := strings.Cut(c.Token, "~")
	if by := d.answered[key]; by != "" {
		return slack.Outcome{Verdict: slack.TooLate, Say: "Already answered by " + by + "."}, nil
	}
	if c.Who.Email == "bob@example.com" && label == "danger" {
		return slack.Outcome{Verdict: slack.Refused, Say: "Only the blue team may do that."}, nil
	}
	if d.reasons[c.Token] && len(c.Reason) < 3 {
		return slack.Outcome{
			Verdict: slack.NeedsReason, Say: "A word at least, please.",
			Form: slack.Form{Title: "False positive", Prompt: "Why is it one?", Submit: "Answer"},
		}, nil
	}
	d.answered[key] = c.Who.Name
	m := d.messages[key]
	m.Content.Result = &slack.Result{Ending: slack.Answered, Answer: label, By: c.Who.Name, Reason: c.Reason, At: c.At}
	d.set(m)
	return slack.Outcome{Verdict: slack.Accepted}, nil
}

func (d *memory) Refuse(_ context.Context, c slack.Click, why slack.Refusal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.clicks = append(d.clicks, c)
	d.refused = append(d.refused, why)
	return nil
}

func (d *memory) failed() []slack.Failure {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.failures)
}

// question is one that can be answered by "contain" and "ignore".
func question(n int) slack.Message {
	key := fmt.Sprintf("ask/%d", n)
	return slack.Message{
		Key: key, Kind: slack.Question, Channel: "#soc",
		Content: slack.Content{
			Title: fmt.Sprintf("Question %d", n), Text: "What now?",
			Answers: []slack.Answer{{Token: key + "~contain", Label: "Contain", Style: slack.Danger}, {Token: key + "~ignore", Label: "Ignore"}},
		},
	}
}

// world is a Slack, its desk and a simulated workspace, joined without a
// network, so that time can be the test's own.
type world struct {
	t    *testing.T
	desk *memory
	ws   *sim.Workspace
	s    *slack.Slack
	stop func()
	c    slack.Config
}

// inBubble runs f in a world whose clock stands still while anybody works.
func inBubble(t *testing.T, change func(*slack.Config, *sim.Config), f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, desk: newMemory()}
		sc := sim.Config{BotToken: botToken, AppToken: appToken, SigningSecret: signingSecret, Users: users(), Channels: channels()}
		w.c = slack.Config{
			Outbox: w.desk, Desk: w.desk, Wake: w.desk.wake,
			BotToken: secret.New(botToken), SigningSecret: secret.New(signingSecret), APIURL: "http://127.0.0.1:1/api/",
			Log: slog.New(slog.DiscardHandler),
		}
		if change != nil {
			change(&w.c, &sc)
		}
		sc.InteractivityURL = "http://127.0.0.1:2/slack"
		sc.HTTP = &http.Client{Transport: wire(func(rw http.ResponseWriter, r *http.Request) { w.s.ServeHTTP(rw, r) })}
		ws, err := sim.New(sc)
		if err != nil {
			t.Fatal(err)
		}
		w.ws = ws
		w.c.HTTP = &http.Client{Transport: wire(ws.Handler().ServeHTTP), Timeout: 10 * time.Second}
		w.start()
		defer func() { w.stop() }()
		f(w)
	})
}

// start begins a new process over the same memory.
func (w *world) start() {
	w.t.Helper()
	s, err := slack.New(w.c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}
}

// restart ends the process where it is and begins another.
func (w *world) restart() {
	w.stop()
	w.start()
}

// pass lets time go by, and everybody finish what they then do.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// keys are the keys of a channel's messages, in order.
func (w *world) keys(channel string) []string {
	var out []string
	for _, m := range w.ws.Messages(channel) {
		if m.For == "" {
			out = append(out, m.Key())
		}
	}
	return out
}

// find returns the message with a key.
func (w *world) find(key string) sim.Message {
	w.t.Helper()
	for _, ch := range []string{"soc", "ops", "open"} {
		for _, m := range w.ws.Messages(ch) {
			if m.Key() == key {
				return m
			}
		}
	}
	w.t.Fatalf("no message %q in the workspace", key)
	return sim.Message{}
}

// press clicks the nth button of a question.
func (w *world) press(user, key string, n int) sim.Reply {
	w.t.Helper()
	m := w.find(key)
	_, actions := m.Buttons()
	if n >= len(actions) {
		w.t.Fatalf("%s has %d buttons", key, len(actions))
	}
	r, err := w.ws.Click(w.t.Context(), sim.Press{User: user, Channel: m.Channel, TS: m.TS, ActionID: actions[n]})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// whispers are what one user alone was told in a channel.
func (w *world) whispers(user string) []string {
	var out []string
	for _, m := range w.ws.Messages("soc") {
		if m.For == user {
			out = append(out, m.Text)
		}
	}
	return out
}

// calls counts calls of a method by their error.
func (w *world) calls(method, code string) int {
	n := 0
	for _, c := range w.ws.Calls() {
		if c.Method == method && c.Error == code {
			n++
		}
	}
	return n
}

// wire is a connection without a network.
type wire http.HandlerFunc

func (h wire) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:9"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	broken := make(chan bool, 1)
	go func() {
		defer func() { broken <- recover() != nil }()
		h(rec, in)
	}()
	if <-broken || r.Context().Err() != nil {
		return nil, fmt.Errorf("the connection broke: %w", context.Cause(r.Context()))
	}
	return rec.Result(), nil
}
