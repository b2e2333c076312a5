package slack

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/slack/sim"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRender compares what each message of testdata/render becomes.
func TestRender(t *testing.T) {
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	accepts := strict(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil || len(a.Files) != 2 {
				t.Fatalf("%d files, %v", len(a.Files), err)
			}
			var in struct {
				Message  Message
				Mentions []string
			}
			if err := json.Unmarshal(a.Files[0].Data, &in); err != nil {
				t.Fatal(err)
			}
			r := render(in.Message, in.Mentions)
			if err := accepts(r); err != "" {
				t.Errorf("Slack would refuse it: %s", err)
			}
			got := golden(t, r)
			if *update {
				a.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[1].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// golden is a message as it is compared: the plain text, then a block a line.
func golden(t *testing.T, r rendered) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(r.text + "\n--\n")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, bl := range r.blocks {
		if err := enc.Encode(bl); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// strict posts to a simulated workspace, which holds blocks to Slack's rules,
// and returns what it objects to.
func strict(tb testing.TB) func(rendered) string {
	tb.Helper()
	ws, err := sim.New(sim.Config{BotToken: "xoxb-t", SigningSecret: "s", Channels: []sim.Channel{{ID: "C0SOC", Name: "soc"}}})
	if err != nil {
		tb.Fatal(err)
	}
	h := ws.Handler()
	return func(r rendered) string {
		blocks, err := json.Marshal(r.blocks)
		if err != nil {
			return err.Error()
		}
		form := url.Values{"channel": {"C0SOC"}, "text": {r.text}, "blocks": {string(blocks)}}
		req := httptest.NewRequest(http.MethodPost, "/api/chat.postMessage", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Bearer xoxb-t")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if body := rec.Body.String(); !strings.Contains(body, `"ok":true`) {
			return body
		}
		return ""
	}
}

// allowed is all markup that a message may hold: dates, users and links of ours.
var allowed = regexp.MustCompile(`<!date\^-?\d+\^\{date_short_pretty\} at \{time\}\|[0-9: UTC-]+>|<@[UW][A-Z0-9]+>|<https://beffroi\.example/case/7\|[^<>|]*>`)

var followable = regexp.MustCompile(`(?i)\b(https?|ftps?)://`)

// FuzzRender: whatever a message says, Slack takes it, and nothing in it is a
// mention, a link or a broadcast.
func FuzzRender(f *testing.F) {
	f.Add("Impossible travel", "from http://evil.example/a.b?c to https://bank.example", "Source IP", "10.0.0.1", "Contain", "because", 3, 2, 1)
	f.Add("<!channel> &amp; <@U123>", "long <text> ", "*name*", "a|b>c", "|>", "\u202Eexe.fdp", 100, 70, 500)
	f.Add("", "", "", "", "", "", 0, 0, 0)
	f.Add("\x00\xff", "```<http://x|y>```", "\n", "\U0001F600", "&", "www.evil.example", 26, 11, 599)
	f.Fuzz(func(t *testing.T, title, text, name, value, label, reason string, answers, fields, times int) {
		accepts := strict(t)
		n := int(uint(times) % 600)
		text, value, label = strings.Repeat(text, n), strings.Repeat(value, n), strings.Repeat(label, n/10)
		m := Message{Key: "ask/1", Kind: Question, Content: Content{
			Title: title, Text: text, Context: []string{name, value}, Status: value,
			Links: []Link{{label, "https://beffroi.example/case/7"}, {label, text}},
		}}
		for range uint(answers) % 120 {
			m.Content.Answers = append(m.Content.Answers, Answer{Token: "t", Label: label, Confirm: reason})
		}
		for range uint(fields) % 120 {
			m.Content.Fields = append(m.Content.Fields, Field{name, value})
		}
		harmless(t, render(m, []string{"U024BE7LH", value}), accepts)
		m.Kind, m.Content.Result = Reminder, &Result{Ending: Answered, Answer: label, By: name, Reason: reason, Via: text}
		harmless(t, render(m, nil), accepts)
		v, err := reasonView(Form{title, text, label}, reasonMeta{Token: "t", Channel: "C1", TS: "1.2"})
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, rendered{text: "x", blocks: []block{section(v.Title)}}, accepts)
		harmless(t, rendered{text: "x", blocks: sayView(reason).Blocks}, accepts)
	})
}

func harmless(t *testing.T, r rendered, accepts func(rendered) string) {
	t.Helper()
	if err := accepts(r); err != "" {
		t.Fatalf("Slack would refuse it: %s", err)
	}
	for _, s := range append(texts(r.blocks), r.text) {
		rest := allowed.ReplaceAllString(s, "")
		if strings.ContainsAny(rest, "<>") {
			t.Fatalf("markup that is not ours: %q", s)
		}
		if m := followable.FindString(rest); m != "" {
			t.Fatalf("a URL that can be followed: %q", s)
		}
	}
}

// texts are all texts of blocks.
func texts(bs []block) []string {
	b, err := json.Marshal(bs)
	if err != nil {
		return []string{"<" + err.Error()}
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return []string{"<" + err.Error()}
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if s, ok := e.(string); ok && k == "text" {
					out = append(out, s)
				}
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

func TestShownFitsAndKeepsEscapesWhole(t *testing.T) {
	for _, tt := range []struct {
		in   string
		max  int
		want string
	}{
		{"plain", 10, "plain"},
		{"exactly", 7, "exactly"},
		{"exactly!", 7, "exactl…"},
		{"a&b", 7, "a&amp;b"},
		{"a&b", 6, "a…"},
		{"<!channel>", 99, "&lt;!channel&gt;"},
		{"\U0001F600\U0001F600", 4, "\U0001F600\U0001F600"},
		{"\U0001F600\U0001F600", 3, "\U0001F600…"},
		{"tab\tline\r\nend\x07", 99, "tab\tline\nend\uFFFD"},
		{"fdp.\u202Eexe", 99, "fdp.[U+202E]exe"},
		{"bad\xffbyte", 99, "bad\uFFFDbyte"},
		{"HTTPS://Evil.Example:8080/a.b", 99, "HxxPS://Evil[.]Example:8080/a.b"},
		{"ftp://a.b www.c.d", 99, "fxp://a[.]b www[.]c.d"},
		{"hxxps://a[.]b", 99, "hxxps://a[.]b"},
		{"https://a.b&x", 99, "hxxps://a[.]b&amp;x"},
	} {
		if got := shown(tt.in, tt.max); got != tt.want {
			t.Errorf("shown(%q, %d) = %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
}

func TestSplitLosesNothingButSaysWhatIsLeft(t *testing.T) {
	texts, left := split(strings.Repeat("word ", 30), 40, 2)
	if left != 30*5-1-2*40 || len(texts) != 2 || !strings.HasSuffix(texts[0], "word") {
		t.Errorf("%q, %d left", texts, left)
	}
	if texts, left := split("  short \n", 40, 2); len(texts) != 1 || texts[0] != "short" || left != 0 {
		t.Errorf("%q, %d left", texts, left)
	}
}

func TestLink(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"https://beffroi.example/case/7?a=1&b=2", "<https://beffroi.example/case/7?a=1&amp;b=2|Case 7>"},
		{"http://127.0.0.1:8420/case/7", "<http://127.0.0.1:8420/case/7|Case 7>"},
		{"javascript:alert(1)", "Case 7"},
		{"https://user:pass@evil.example/", "Case 7"},
		{"https://evil.example/>|x", "Case 7"},
		{"//evil.example", "Case 7"},
		{"", "Case 7"},
	} {
		if got := link(Link{"Case 7", tt.url}); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
}

func TestDigestSaysHowManyWait(t *testing.T) {
	for _, tt := range []struct {
		waiting, folded int
		want            string
	}{
		{37, 0, "37 more messages are waiting and follow one by one."},
		{1, 0, "1 more message is waiting and follows."},
		{0, 37, "37 more messages stand here in short."},
		{30, 7, "37 more messages: 30 follow one by one, and 7 stand here in short."},
		{0, 0, "The messages that waited here have been posted."},
	} {
		if got := digest(tt.waiting, tt.folded, Link{}).text; got != tt.want {
			t.Errorf("%d, %d: %q", tt.waiting, tt.folded, got)
		}
	}
}
