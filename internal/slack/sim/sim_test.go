package sim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	slackgo "github.com/slack-go/slack"

	"beffroi.dev/internal/slack/sim"
)

func newWorkspace(t *testing.T, change func(*sim.Config)) *sim.Workspace {
	t.Helper()
	c := sim.Config{
		BotToken: "xoxb-t", AppToken: "xapp-t", SigningSecret: "s3cret",
		Users: []sim.User{
			{ID: "U0ADA", Name: "Ada Lovelace", Email: "ada@example.com"},
			{ID: "U0GUEST", Name: "Gus", Email: "gus@example.org", Guest: true},
			{ID: "U0SAM", Name: "Sam", Email: "sam@example.net", Team: "T0OTHER"},
			{ID: "U0GONE", Name: "Gone", Email: "gone@example.com", Deleted: true},
		},
		Channels: []sim.Channel{
			{ID: "C0SOC", Name: "soc"},
			{ID: "C0OLD", Name: "old", Archived: true},
			{ID: "C0OPEN", Name: "open", Outside: true},
			{ID: "C0SECRET", Name: "secret", Private: true, Outside: true},
		},
	}
	if change != nil {
		change(&c)
	}
	w, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// call makes one call of the Web API and returns its answer.
func call(t *testing.T, w *sim.Workspace, method string, args ...string) map[string]any {
	t.Helper()
	form := url.Values{"token": {"xoxb-t"}}
	for i := 0; i+1 < len(args); i += 2 {
		form.Set(args[i], args[i+1])
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/"+method, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	out := map[string]any{"status": rec.Code, "retry_after": rec.Header().Get("Retry-After")}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		out["error"] = strings.TrimSpace(rec.Body.String())
	}
	return out
}

func TestMistakesGetSlacksWords(t *testing.T) {
	w := newWorkspace(t, nil)
	ts, _ := call(t, w, "chat.postMessage", "channel", "#soc", "text", "hello")["ts"].(string)
	if ts == "" {
		t.Fatal("not posted")
	}
	for _, tt := range []struct {
		want, method string
		args         []string
	}{
		{"", "auth.test", nil},
		{"unknown_method", "chat.shout", nil},
		{"not_authed", "auth.test", []string{"token", ""}},
		{"invalid_auth", "auth.test", []string{"token", "xoxb-other"}},
		{"invalid_auth", "apps.connections.open", nil},
		{"", "apps.connections.open", []string{"token", "xapp-t"}},
		{"channel_not_found", "chat.postMessage", []string{"channel", "#nowhere", "text", "x"}},
		{"channel_not_found", "chat.postMessage", []string{"channel", "C0SECRET", "text", "x"}},
		{"is_archived", "chat.postMessage", []string{"channel", "C0OLD", "text", "x"}},
		{"not_in_channel", "chat.postMessage", []string{"channel", "C0OPEN", "text", "x"}},
		{"no_text", "chat.postMessage", []string{"channel", "C0SOC"}},
		{"msg_too_long", "chat.postMessage", []string{"channel", "C0SOC", "text", strings.Repeat("x", 40_001)}},
		{"invalid_blocks_format", "chat.postMessage", []string{"channel", "C0SOC", "blocks", "{"}},
		{"invalid_blocks", "chat.postMessage", []string{"channel", "C0SOC", "blocks", `[{"type":"dance"}]`}},
		{"invalid_metadata_format", "chat.postMessage", []string{"channel", "C0SOC", "text", "x", "metadata", `{"event_type":"x"}`}},
		{"thread_not_found", "chat.postMessage", []string{"channel", "C0SOC", "text", "x", "thread_ts", "1.2"}},
		{"", "chat.postMessage", []string{"channel", "C0SOC", "text", "x", "thread_ts", ts}},
		{"message_not_found", "chat.update", []string{"channel", "C0SOC", "ts", "1.2", "text", "x"}},
		{"", "chat.update", []string{"channel", "C0SOC", "ts", ts, "text", "new"}},
		{"user_not_in_channel", "chat.postEphemeral", []string{"channel", "C0SOC", "user", "U0NOBODY", "text", "x"}},
		{"", "chat.postEphemeral", []string{"channel", "C0SOC", "user", "U0ADA", "text", "x"}},
		{"thread_not_found", "conversations.replies", []string{"channel", "C0SOC", "ts", "1.2"}},
		{"", "conversations.replies", []string{"channel", "C0SOC", "ts", ts}},
		{"invalid_cursor", "conversations.history", []string{"channel", "C0SOC", "cursor", "x"}},
		{"invalid_limit", "conversations.list", []string{"limit", "0"}},
		{"channel_not_found", "conversations.info", []string{"channel", "C0SECRET"}},
		{"", "conversations.info", []string{"channel", "C0OPEN"}},
		{"channel_not_found", "conversations.join", []string{"channel", "C0SECRET"}},
		{"", "conversations.join", []string{"channel", "C0OPEN"}},
		{"", "chat.postMessage", []string{"channel", "C0OPEN", "text", "x"}},
		{"user_not_found", "users.info", []string{"user", "U0NOBODY"}},
		{"users_not_found", "users.lookupByEmail", []string{"email", "sam@example.net"}},
		{"users_not_found", "users.lookupByEmail", []string{"email", "gone@example.com"}},
		{"", "users.lookupByEmail", []string{"email", "ADA@example.com"}},
		{"", "users.list", nil},
		{"user_disabled", "conversations.open", []string{"users", "U0GONE"}},
		{"", "conversations.open", []string{"users", "U0ADA"}},
		{"invalid_trigger_id", "views.open", []string{"trigger_id", "1.2.3", "view", "{}"}},
		{"not_found", "views.update", []string{"view_id", "V1", "view", "{}"}},
		{"", "chat.delete", []string{"channel", "C0SOC", "ts", ts}},
		{"message_not_found", "chat.delete", []string{"channel", "C0SOC", "ts", ts}},
	} {
		out := call(t, w, tt.method, tt.args...)
		if got, _ := out["error"].(string); got != tt.want || (got == "") != (out["ok"] == true) {
			t.Errorf("%s %v: %v, want %q", tt.method, tt.args, out, tt.want)
		}
	}
}

func TestBlocksAreHeldToTheLimits(t *testing.T) {
	w := newWorkspace(t, nil)
	text := func(kind string, n int) string {
		return `{"type":"` + kind + `","text":"` + strings.Repeat("x", n) + `"}`
	}
	button := func(id string, extra string) string {
		return `{"type":"button","action_id":"` + id + `","text":` + text("plain_text", 5) + extra + `}`
	}
	many := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	divider := `{"type":"divider"}`
	for name, tt := range map[string]struct {
		blocks string
		ok     bool
	}{
		"50 blocks":               {many(50, divider), true},
		"51 blocks":               {many(51, divider), false},
		"header of 150":           {`{"type":"header","text":` + text("plain_text", 150) + `}`, true},
		"header of 151":           {`{"type":"header","text":` + text("plain_text", 151) + `}`, false},
		"header with markup":      {`{"type":"header","text":` + text("mrkdwn", 5) + `}`, false},
		"section of 3000":         {`{"type":"section","text":` + text("mrkdwn", 3000) + `}`, true},
		"section of 3001":         {`{"type":"section","text":` + text("mrkdwn", 3001) + `}`, false},
		"section of 1501 emoji":   {`{"type":"section","text":{"type":"mrkdwn","text":"` + strings.Repeat("\U0001F600", 1501) + `"}}`, false},
		"section of nothing":      {`{"type":"section"}`, false},
		"section without text":    {`{"type":"section","text":` + text("mrkdwn", 0) + `}`, false},
		"10 fields":               {`{"type":"section","fields":[` + many(10, text("plain_text", 2000)) + `]}`, true},
		"11 fields":               {`{"type":"section","fields":[` + many(11, text("plain_text", 20)) + `]}`, false},
		"field of 2001":           {`{"type":"section","fields":[` + text("plain_text", 2001) + `]}`, false},
		"10 in a context":         {`{"type":"context","elements":[` + many(10, text("mrkdwn", 9)) + `]}`, true},
		"11 in a context":         {`{"type":"context","elements":[` + many(11, text("mrkdwn", 9)) + `]}`, false},
		"a button":                {`{"type":"actions","elements":[` + button("a", `,"value":"v","style":"danger"`) + `]}`, true},
		"no button":               {`{"type":"actions","elements":[]}`, false},
		"two of one action":       {`{"type":"actions","elements":[` + many(2, button("a", "")) + `]}`, false},
		"a style that is not":     {`{"type":"actions","elements":[` + button("a", `,"style":"loud"`) + `]}`, false},
		"value of 2001":           {`{"type":"actions","elements":[` + button("a", `,"value":"`+strings.Repeat("x", 2001)+`"`) + `]}`, false},
		"a confirmation":          {`{"type":"actions","elements":[` + button("a", `,"confirm":{"title":`+text("plain_text", 100)+`,"text":`+text("plain_text", 300)+`,"confirm":`+text("plain_text", 30)+`,"deny":`+text("plain_text", 30)+`}`) + `]}`, true},
		"half a confirmation":     {`{"type":"actions","elements":[` + button("a", `,"confirm":{"title":`+text("plain_text", 100)+`}`) + `]}`, false},
		"two blocks of one id":    {many(2, `{"type":"divider","block_id":"b"}`), false},
		"verbatim plain text":     {`{"type":"section","text":{"type":"plain_text","text":"x","verbatim":true}}`, false},
		"an input in a message":   {`{"type":"input","label":` + text("plain_text", 5) + `,"element":{"type":"plain_text_input"}}`, false},
		"something that is not":   {`{"type":"carousel"}`, false},
		"a menu among the button": {`{"type":"actions","elements":[{"type":"static_select"}]}`, false},
	} {
		out := call(t, w, "chat.postMessage", "channel", "C0SOC", "blocks", "["+tt.blocks+"]")
		if (out["ok"] == true) != tt.ok || !tt.ok && out["error"] != "invalid_blocks" {
			t.Errorf("%s: %v", name, out)
		}
	}
}

func TestHistoryIsPagedAndLeavesOutWhatIsPrivate(t *testing.T) {
	w := newWorkspace(t, nil)
	first, _ := call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "0", "metadata", `{"event_type":"e","event_payload":{"key":"k"}}`)["ts"].(string)
	for _, s := range []string{"1", "2", "3"} {
		call(t, w, "chat.postMessage", "channel", "C0SOC", "text", s)
	}
	call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "a reply", "thread_ts", first)
	call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "shown", "thread_ts", first, "reply_broadcast", "true")
	call(t, w, "chat.postEphemeral", "channel", "C0SOC", "user", "U0ADA", "text", "secret")
	var got []string
	cursor := ""
	for {
		out := call(t, w, "conversations.history", "channel", "C0SOC", "limit", "2", "cursor", cursor, "include_all_metadata", "1")
		ms, _ := out["messages"].([]any)
		for _, m := range ms {
			o, _ := m.(map[string]any)
			s, _ := o["text"].(string)
			if o["metadata"] != nil {
				s += "+"
			}
			got = append(got, s)
		}
		meta, _ := out["response_metadata"].(map[string]any)
		if cursor, _ = meta["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if s := strings.Join(got, " "); s != "shown 3 2 1 0+" {
		t.Errorf("history: %s", s)
	}
	if ms := w.Messages("#soc"); len(ms) != 7 || ms[0].Key() != "k" || ms[4].ThreadTS != first {
		t.Errorf("messages: %+v", ms)
	}
}

func TestLimitsAreEnforcedAndPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkspace(t, func(c *sim.Config) { c.Limits = true })
		post := func() map[string]any { return call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "x") }
		for range 3 {
			if out := post(); out["ok"] != true {
				t.Fatalf("a short burst: %v", out)
			}
		}
		if out := post(); out["status"] != http.StatusTooManyRequests || out["retry_after"] != "1" || out["error"] != "ratelimited" {
			t.Errorf("too many: %v", out)
		}
		time.Sleep(time.Second)
		if out := post(); out["ok"] != true {
			t.Errorf("a second later: %v", out)
		}
		if out := call(t, w, "chat.postMessage", "channel", "C0OLD", "text", "x"); out["error"] != "is_archived" {
			t.Errorf("another channel: %v", out)
		}
	})
}

func TestFaultsHappenAsOftenAsTold(t *testing.T) {
	w := newWorkspace(t, nil)
	w.Inject(sim.Fault{Method: "chat.postMessage", Times: 2, Status: 500, Applied: true})
	for i := range 3 {
		out := call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "x")
		if (out["ok"] == true) != (i == 2) {
			t.Errorf("call %d: %v", i, out)
		}
	}
	if n := len(w.Messages("soc")); n != 3 {
		t.Errorf("%d messages, want all three: the work was done", n)
	}
	w.SetDown(true)
	if out := call(t, w, "auth.test"); out["status"] != http.StatusServiceUnavailable {
		t.Errorf("down: %v", out)
	}
	w.ClearFaults()
	if out := call(t, w, "auth.test"); out["ok"] != true {
		t.Errorf("up again: %v", out)
	}
}

// asked posts a message with a button.
func asked(t *testing.T, w *sim.Workspace) sim.Message {
	t.Helper()
	out := call(t, w, "chat.postMessage", "channel", "C0SOC", "text", "x", "blocks",
		`[{"type":"actions","block_id":"b","elements":[{"type":"button","action_id":"a","value":"token","text":{"type":"plain_text","text":"Yes"}}]}]`)
	if out["ok"] != true {
		t.Fatal(out)
	}
	ms := w.Messages("soc")
	return ms[len(ms)-1]
}

// TestPressesAreSignedAsSlackSigns has the library as judge: its verifier, and
// its reading of the payload.
func TestPressesAreSignedAsSlackSigns(t *testing.T) {
	var got []slackgo.InteractionCallback
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v, err := slackgo.NewSecretsVerifier(r.Header, "s3cret")
		if err == nil {
			_, err = v.Write(body)
		}
		if err != nil || v.Ensure() != nil {
			http.Error(rw, "forged", http.StatusUnauthorized)
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		var cb slackgo.InteractionCallback
		if err := json.Unmarshal([]byte(form.Get("payload")), &cb); err != nil {
			t.Error(err)
		}
		got = append(got, cb)
	}))
	defer app.Close()
	w := newWorkspace(t, func(c *sim.Config) { c.InteractivityURL = app.URL })
	m := asked(t, w)
	for name, tt := range map[string]struct {
		press sim.Press
		want  int
	}{
		"as it should be": {sim.Press{}, 200},
		"forged":          {sim.Press{BadSignature: true}, 401},
		"unsigned":        {sim.Press{Unsigned: true}, 401},
		"late":            {sim.Press{Late: time.Hour}, 401},
	} {
		tt.press.User, tt.press.Channel, tt.press.TS, tt.press.ActionID = "U0SAM", "#soc", m.TS, "a"
		r, err := w.Click(t.Context(), tt.press)
		if err != nil || r.Status != tt.want || r.OK() != (tt.want == 200) {
			t.Errorf("%s: %d %v", name, r.Status, err)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%d presses passed the verifier", len(got))
	}
	cb := got[0]
	a := cb.ActionCallback.BlockActions[0]
	if cb.Type != "block_actions" || cb.User.ID != "U0SAM" || cb.User.TeamID != "T0OTHER" || cb.Container.MessageTs != m.TS ||
		cb.Container.ChannelID != "C0SOC" || cb.TriggerID == "" || !strings.Contains(cb.ResponseURL, "/response/") ||
		a.ActionID != "a" || a.Value != "token" || a.BlockID != "b" {
		t.Errorf("read as %+v", cb)
	}
	for _, p := range []sim.Press{
		{User: "U0ADA", Channel: "#soc", TS: "1.2", ActionID: "a"},
		{User: "U0ADA", Channel: "#soc", TS: m.TS, ActionID: "z"},
		{User: "U0ADA", Channel: "#no", TS: m.TS, ActionID: "a"},
	} {
		if _, err := w.Click(t.Context(), p); err == nil {
			t.Errorf("pressed what is not there: %+v", p)
		}
	}
}

// inProcess is an app that is called without a network, so that time can be
// the test's own.
type inProcess func(payload map[string]any) string

func (f inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	var payload map[string]any
	if err := json.Unmarshal([]byte(r.PostForm.Get("payload")), &payload); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	rec.Body.WriteString(f(payload))
	return rec.Result(), nil
}

const aView = `{"type":"modal","callback_id":"c","title":{"type":"plain_text","text":"T"},"submit":{"type":"plain_text","text":"Send"},"blocks":[` +
	`{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Why?"},"element":{"type":"plain_text_input","action_id":"text"}}]}`

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trigger, answer string
		var values any
		w := newWorkspace(t, func(c *sim.Config) {
			c.InteractivityURL = "http://app.test/"
			c.HTTP = &http.Client{Transport: inProcess(func(p map[string]any) string {
				trigger, _ = p["trigger_id"].(string)
				if v, ok := p["view"].(map[string]any); ok {
					values = v["state"]
				}
				return answer
			})}
		})
		press := sim.Press{User: "U0ADA", Channel: "soc", TS: asked(t, w).TS, ActionID: "a"}
		click := func() {
			if r, err := w.Click(t.Context(), press); err != nil || !r.OK() {
				t.Fatal(r, err)
			}
		}
		open := func(want string) {
			t.Helper()
			if out := call(t, w, "views.open", "trigger_id", trigger, "view", aView); out["error"] != want && (want != "" || out["ok"] != true) {
				t.Errorf("views.open: %v, want %q", out, want)
			}
		}
		click()
		if out := call(t, w, "views.open", "trigger_id", trigger, "view", `{"type":"modal","title":{"type":"plain_text","text":"`+strings.Repeat("x", 25)+`"},"blocks":[]}`); out["error"] != "invalid_arguments" {
			t.Errorf("a long title: %v", out)
		}
		open("")
		open("exchanged_trigger_id")
		click()
		time.Sleep(4 * time.Second)
		open("expired_trigger_id")
		v := w.Views("U0ADA")[0]
		submit := func() []sim.View {
			t.Helper()
			if _, err := w.Submit(t.Context(), sim.Submission{User: "U0ADA", ViewID: v.ID, Values: map[string]map[string]string{"why": {"text": "so"}}}); err != nil {
				t.Fatal(err)
			}
			return w.Views("U0ADA")
		}
		answer = `{"response_action":"errors","errors":{"why":"no"}}`
		if vs := submit(); len(vs) != 1 || vs[0].Errors["why"] != "no" {
			t.Errorf("errors: %+v", vs)
		}
		answer = `{"response_action":"update","view":` + strings.Replace(aView, `"T"`, `"New"`, 1) + `}`
		if vs := submit(); len(vs) != 1 || !strings.Contains(toJSON(t, vs[0].Body), "New") {
			t.Errorf("update: %+v", vs)
		}
		answer = ""
		if vs := submit(); len(vs) != 0 {
			t.Errorf("an empty answer closes: %+v", vs)
		}
		if s := toJSON(t, values); s != `{"values":{"why":{"text":{"type":"plain_text_input","value":"so"}}}}` {
			t.Errorf("submitted %s", s)
		}
		if _, err := w.Submit(t.Context(), sim.Submission{User: "U0ADA", ViewID: v.ID}); err == nil {
			t.Error("submitted a window that is closed")
		}
	})
}

func TestResponseURLWorksFiveTimesInHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to string
		w := newWorkspace(t, func(c *sim.Config) {
			c.InteractivityURL, c.BaseURL = "http://app.test/", "http://sim.test/slack"
			c.HTTP = &http.Client{Transport: inProcess(func(p map[string]any) string { to, _ = p["response_url"].(string); return "" })}
		})
		press := sim.Press{User: "U0GUEST", Channel: "soc", TS: asked(t, w).TS, ActionID: "a"}
		respond := func() int {
			path := strings.TrimPrefix(to, "http://sim.test/slack")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"text":"for you","response_type":"ephemeral"}`))
			r.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			w.Handler().ServeHTTP(rec, r)
			return rec.Code
		}
		for _, wait := range []time.Duration{0, 31 * time.Minute} {
			if _, err := w.Click(t.Context(), press); err != nil {
				t.Fatal(err)
			}
			time.Sleep(wait)
			var codes []int
			for range 6 {
				codes = append(codes, respond())
			}
			want := []int{200, 200, 200, 200, 200, 404}
			if wait > 0 {
				want = []int{404, 404, 404, 404, 404, 404}
			}
			if !slices.Equal(codes, want) {
				t.Errorf("after %v: %v, want %v", wait, codes, want)
			}
		}
		ms := w.Messages("soc")
		if len(ms) != 6 || ms[5].For != "U0GUEST" {
			t.Errorf("messages: %+v", ms)
		}
	})
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
