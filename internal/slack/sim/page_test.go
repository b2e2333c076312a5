package sim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"beffroi.dev/internal/slack/sim"
	"beffroi.dev/test/peers"
)

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	w := newWorkspace(t, nil)
	for _, path := range []string{"/", "/app.js", "/mrkdwn.js", "/style.css", "/icon.svg"} {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		csp := rec.Header().Get("Content-Security-Policy")
		if rec.Code != http.StatusOK || !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %d, policy %q", path, rec.Code, csp)
		}
		for _, bad := range []string{"https://", "style=", "onclick=", "innerHTML", "<style"} {
			if strings.Contains(rec.Body.String(), bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
}

func TestPageTakesNoRequestsOfOtherSites(t *testing.T) {
	w := newWorkspace(t, nil)
	for name, tt := range map[string]struct {
		site, kind string
		want       int
	}{
		"its own":       {"same-origin", "application/json", http.StatusOK},
		"another's":     {"cross-site", "application/json", http.StatusForbidden},
		"a form of its": {"same-origin", "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sim/trouble", strings.NewReader(`{"Trouble":"slow"}`))
		r.Header.Set("Sec-Fetch-Site", tt.site)
		r.Header.Set("Content-Type", tt.kind)
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		if rec.Code != tt.want {
			t.Errorf("%s: %d, want %d", name, rec.Code, tt.want)
		}
	}
}

func TestPageShowsWhatIsPrivateToItsReaderOnly(t *testing.T) {
	w := newWorkspace(t, nil)
	call(t, w, "chat.postEphemeral", "channel", "C0SOC", "user", "U0ADA", "text", "only for ada")
	dm := call(t, w, "conversations.open", "users", "U0ADA")
	ch, _ := dm["channel"].(map[string]any)
	id, _ := ch["id"].(string)
	call(t, w, "chat.postMessage", "channel", id, "text", "in private")
	for _, tt := range []struct {
		channel, user, want string
		there               bool
	}{
		{"C0SOC", "U0ADA", "only for ada", true},
		{"C0SOC", "U0GUEST", "only for ada", false},
		{"C0SOC", "", "only for ada", false},
		{id, "U0ADA", "in private", true},
		{id, "U0GUEST", "in private", false},
		{"C0NONE", "U0ADA", "x", false},
	} {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sim/messages?channel="+tt.channel+"&user="+tt.user, nil))
		if strings.Contains(rec.Body.String(), tt.want) != tt.there {
			t.Errorf("%+v: %s", tt, rec.Body)
		}
	}
}

func TestPageIsToldOfChanges(t *testing.T) {
	w := newWorkspace(t, nil)
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/sim/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		switch lines.Text() {
		case ": hello":
			call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "x")
		case "data: C0SOC":
			return
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}

// TestPageInABrowser presses a button and fills in a window, in Chromium.
func TestPageInABrowser(t *testing.T) {
	var w *sim.Workspace
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var p struct {
			Type    string
			Trigger string `json:"trigger_id"`
			View    struct{ State any }
		}
		if err := json.Unmarshal([]byte(r.FormValue("payload")), &p); err != nil {
			t.Error(err)
		}
		if p.Type == "block_actions" {
			call(t, w, "views.open", "trigger_id", p.Trigger, "view", aView)
			return
		}
		call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "because "+toJSON(t, p.View.State))
	}))
	defer app.Close()
	w = newWorkspace(t, func(c *sim.Config) { c.InteractivityURL = app.URL })
	asked(t, w)
	call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "*bold* &lt;b&gt; <https://beffroi.example/|a link> <script>alert(1)</script>")
	srv := httptest.NewServer(w.Handler())
	t.Cleanup(srv.Close) // after the browser, which holds a stream open
	tab := chromium(t, srv.URL+"/")
	tab.until("document.querySelectorAll('.message').length === 2")
	tab.until("document.querySelector('.label').textContent.includes('Simulated Slack workspace')")
	tab.until("document.querySelector('.body strong')?.textContent === 'bold' && document.querySelectorAll('.body script, .body b').length === 0")
	tab.until("document.querySelector('.body a').rel === 'noopener noreferrer'")
	tab.until("document.querySelector('.actions button').click() === undefined")
	tab.until("document.querySelector('#modal[open] textarea, #modal[open] input') !== null && document.activeElement.dataset.block === 'why'")
	tab.until("(document.activeElement.value = 'a reason', document.querySelector('#modal-submit').click() === undefined)")
	tab.until("!document.querySelector('#modal[open]') && document.querySelector('#messages').textContent.includes('a reason')")
	tab.until("document.documentElement.scrollWidth <= innerWidth")
	if tab.problems() != "" {
		t.Errorf("the browser complains: %s", tab.problems())
	}
}

// A page in a browser, over the Chrome DevTools Protocol.
type tab struct {
	t    *testing.T
	conn *websocket.Conn
	id   int
	said strings.Builder
}

// chromium opens a page in a headless browser that ends with the test.
func chromium(t *testing.T, url string) *tab {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		peers.Missing(t, "chromium; install Debian's chromium")
	}
	// Not t.TempDir: children of the browser may still write to its profile for a
	// moment after it ended, and that is no failure of the page.
	dir, err := os.MkdirTemp("", "chromium") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.RemoveAll(dir) == nil {
				return
			}
			<-time.After(20 * time.Millisecond)
		}
	})
	cmd := exec.CommandContext(t.Context(), exe, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--user-data-dir="+dir, "about:blank")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop := func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(stop)
	var port string
	for end := time.Now().Add(time.Minute); port == "" && time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		if err == nil {
			port, _, _ = strings.Cut(string(b), "\n")
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1:"+port+"/json/new?about:blank", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var target struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(resp.Body).Decode(&target); err != nil {
		t.Fatal(err)
	}
	conn, hello, err := websocket.DefaultDialer.DialContext(t.Context(), target.WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = hello.Body.Close()
	b := &tab{t: t, conn: conn}
	t.Cleanup(func() { // in peace, so that nobody writes into its folder any more
		_ = conn.WriteJSON(map[string]any{"id": b.id + 1, "method": "Browser.close"})
		ended := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		once.Do(func() { _ = cmd.Wait() })
		ended.Stop()
		_ = conn.Close()
	})
	b.call("Log.enable", nil)
	b.call("Runtime.enable", nil)
	b.call("Page.navigate", map[string]any{"url": url})
	return b
}

// call sends a command and returns its result; what the page complains of
// meanwhile is kept.
func (b *tab) call(method string, params map[string]any) string {
	b.t.Helper()
	b.id++
	if err := b.conn.WriteJSON(map[string]any{"id": b.id, "method": method, "params": params}); err != nil {
		b.t.Fatal(err)
	}
	for {
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result struct {
				Result struct{ Value any }
			}
		}
		if err := b.conn.ReadJSON(&m); err != nil {
			b.t.Fatal(err)
		}
		if m.Method == "Log.entryAdded" || m.Method == "Runtime.exceptionThrown" {
			b.said.WriteString(string(m.Params) + "\n")
		}
		if m.ID == b.id {
			return toJSON(b.t, m.Result.Result.Value)
		}
	}
}

// until waits for an expression to be true.
func (b *tab) until(js string) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		if b.call("Runtime.evaluate", map[string]any{"expression": "(() => { try { return " + js + " } catch { return false } })()"}) == "true" {
			return
		}
	}
	b.t.Fatalf("never true: %s\n%s", js, b.said.String())
}

func (b *tab) problems() string { return b.said.String() }
