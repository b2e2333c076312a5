package intake

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
)

// Sources that the tests call.
const (
	keyed  = `{ scheme: header, header: X-Key, secret: KEY }`
	github = `{ scheme: github_hmac, secret: KEY }`
	slack  = `{ scheme: slack_v0, secret: KEY }`
	okta   = `{ scheme: okta, secret: KEY }`
	listed = `{ scheme: none, allow: [203.0.113.0/24, "2001:db8::/32"] }`
)

var good = header("X-Key", "sesame")

func want(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// What a tool sends, in the forms in which tools send it, becomes alerts, which
// are durable when it is told so.
func TestTaken(t *testing.T) {
	const a = `{"id":"1","title":"A","severity":"high"}`
	const b = `{"id":"2","title":"B","severity":"low"}`
	one := []string{"alert.received source/tool | A | opens"}
	two := append(slices.Clone(one), "alert.received source/tool | B | opens")
	for _, tt := range []struct {
		name, body string
		header     http.Header
		want       string
		records    []string
	}{
		{"one", a, nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`, one},
		{"a list", "[" + a + "," + b + "]", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"},{"alert":"alert/1","case":"case/1","outcome":"opens"}]}`, two},
		{"a batch", `{"alerts":[` + a + "," + b + "]}", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"},{"alert":"alert/1","case":"case/1","outcome":"opens"}]}`, two},
		{"one a line", a + "\n\n" + b + "\r\n", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"},{"alert":"alert/1","case":"case/1","outcome":"opens"}]}`, two},
		{"lists of them, one a line", "[" + a + "]\n[" + b + "]", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"},{"alert":"alert/1","case":"case/1","outcome":"opens"}]}`, two},
		{"in many lines", "{\n\"id\": \"1\",\n\"title\": \"A\" }\n", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`, one},
		{"in a form", "payload=" + strings.ReplaceAll(a, `"`, "%22"), header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`, one},
		{"as text", a, header("Content-Type", "text/plain; charset=UTF-8", "Content-Encoding", "identity"), `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`, one},
		{"with a byte order mark", "\ufeff" + a, nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`, one},
		{"twice the same", "[" + a + "," + a + "]", nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"},{"alert":"alert/1","case":"case/0","outcome":"repeats"}]}`, append(slices.Clone(one), "alert.received source/tool | A | repeats")},
		{"with what is no alert", `[{"kind":"ping"},` + a + `]`, nil, `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}],"ignored":1}`, one},
		{"nothing but that", `{"kind":"ping"}`, nil, `202 {"alerts":[],"ignored":1}`, []string{}},
		{"an empty list", `[]`, nil, `202 {"alerts":[]}`, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{"tool": keyed})
			h := good.Clone()
			maps.Copy(h, tt.header)
			got := w.call(call{Source: "tool", Body: tt.body, Header: h})
			want(t, "answer", tt.want, got.String())
			want(t, "records", tt.records, w.records(0))
			if n := w.in.Counts.Alerts.Load(); n != int64(len(tt.records)) {
				t.Errorf("counted %d alerts", n)
			}
		})
	}
}

// A call that is refused changes nothing, leaves a record of why, and is told
// no more than it knows.
func TestRefused(t *testing.T) {
	const alert = `{"id":"1","title":"A"}`
	from := " | 192.0.2.1"
	for _, tt := range []struct {
		name   string
		call   call
		want   string
		record string
	}{
		{"no such source", call{Source: "tol", Body: alert, Header: good}, "404 there is no source of this name", "hook.refused hooks | no_source | tol" + from},
		{"no name of a source", call{Source: "..%2F%3Cscript%3E", Body: alert}, "404 there is no source of this name", "hook.refused hooks | no_source" + from},
		{"no proof", call{Source: "tool", Body: alert}, "401 the call carries no proof of where it comes from", "hook.refused source/tool | no_proof" + from},
		{"a wrong proof", call{Source: "tool", Body: alert, Header: header("X-Key", "guess")}, "401 the proof of where the call comes from does not hold", "hook.refused source/tool | bad_proof" + from},
		{"two proofs", call{Source: "tool", Body: alert, Header: header("X-Key", "guess", "X-Key", "sesame")}, "401 the call carries the proof more than once", "hook.refused source/tool | ambiguous_proof" + from},
		{"a wrong signature", call{Source: "github", Body: alert, Header: header("X-Hub-Signature-256", "sha256=00")}, "401 the proof of where the call comes from does not hold", "hook.refused source/github | bad_proof" + from},
		{"another address", call{Source: "listed", Body: alert}, "403 calls from this address are not taken", "hook.refused source/listed | address" + from},
		{"an address that is none", call{Source: "listed", Body: alert, From: "@"}, "403 calls from this address are not taken", "hook.refused source/listed | address | unknown"},
		{"a secret that is not set", call{Source: "unset", Body: alert, Header: header("Authorization", "Bearer ")}, "503 this source is not ready", "hook.refused source/unset | secret_missing" + from},
		{"a secret that is empty", call{Source: "empty", Body: alert, Header: header("Authorization", "Bearer ")}, "503 this source is not ready", "hook.refused source/empty | secret_missing" + from},
		{"too large", call{Source: "tool", Body: strings.Repeat(" ", 64<<10+1), Header: good}, "413 the body has 65537 bytes, 65536 are allowed", "hook.refused source/tool | too_large" + from},
		{"not JSON", call{Source: "tool", Body: "<html>", Header: good}, `400 the body is not JSON: decode JSON: byte 1: unexpected '<' where a value should begin`, "hook.refused source/tool | body | the body is not JSON: decode JSON: byte 1: unexpected '<' where a value should begin" + from},
		{"a line that is not JSON", call{Source: "tool", Body: alert + "\n\n{", Header: good}, "400 line 3 of the body is not JSON: decode JSON: byte 2: unexpected end where a key should begin", "hook.refused source/tool | body | line 3 of the body is not JSON: decode JSON: byte 2: unexpected end where a key should begin" + from},
		{"nothing", call{Source: "tool", Header: good}, "400 the body is not JSON: decode JSON: byte 1: unexpected end where a value should begin", "hook.refused source/tool | body | the body is not JSON: decode JSON: byte 1: unexpected end where a value should begin" + from},
		{"compressed", call{Source: "tool", Body: "\x1f\x8b", Header: header("X-Key", "sesame", "Content-Encoding", "gzip")}, "415 the body is compressed", "hook.refused source/tool | body | the body is compressed" + from},
		{"a form without JSON", call{Source: "tool", Body: "a=b", Header: header("X-Key", "sesame", "Content-Type", "application/x-www-form-urlencoded")}, "415 a form must carry its JSON in one field payload", "hook.refused source/tool | body | a form must carry its JSON in one field payload" + from},
		{"another method", call{Method: http.MethodGet, Source: "tool", Header: good}, "400 send alerts with POST", "hook.refused source/tool | body | send alerts with POST" + from},
		{"a stale signature", signed("{}", start.Add(-6*time.Minute)), "403 the call is too old, or comes from the future", "hook.refused source/slack | stale" + from},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{
				"tool": keyed, "github": github, "listed": listed, "slack": slack,
				"unset": `{ scheme: bearer, secret: OTHER }`, "empty": `{ scheme: bearer, secret: EMPTY }`,
			})
			w.secrets["EMPTY"] = ""
			got := w.call(tt.call)
			if hint := got.Body["hint"]; hint != nil {
				delete(got.Body, "hint")
			}
			want(t, "answer", tt.want, strings.SplitN(got.String(), " (", 2)[0])
			want(t, "record", []string{tt.record}, w.records(0))
			if n := w.in.Counts.Refused.Load(); n != 1 {
				t.Errorf("counted %d", n)
			}
			if len(w.hooked) > 0 || len(w.fetched) > 0 {
				t.Errorf("hooked %v, fetched %v", w.hooked, w.fetched)
			}
			for _, leak := range []string{"sesame", "KEY", "X-Key", "scheme", "203.0.113"} {
				if strings.Contains(got.String(), leak) {
					t.Errorf("the answer says %s: %s", leak, got)
				}
			}
		})
	}
}

// signed is a call to the source slack that Slack signed at a time.
func signed(body string, at time.Time) call {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := mac(secret.New("sesame"), []byte("v0:"+stamp+":"), []byte(body))
	return call{Source: "slack", Body: body, Header: header("X-Slack-Request-Timestamp", stamp, "X-Slack-Signature", "v0="+hex.EncodeToString(sum))}
}

// Whether a proof is needed is known from the head: then nobody's body is read
// who does not have it.
func TestBodyOfStrangersIsNotRead(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed, "github": github, "listed": listed})
	for _, name := range []string{"tool", "github", "listed", "none"} {
		src, _ := w.source(name)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", untouchable{t})
		if err != nil {
			t.Fatal(err)
		}
		if src != nil {
			if _, err := w.in.admit(nil, r, src, netip.MustParseAddr("192.0.2.1")); err == nil {
				t.Errorf("%s: admitted", name)
			}
		}
	}
}

type untouchable struct{ *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.Error("the body was read")
	return 0, errors.New("stop")
}

// A flood of refused calls leaves few records, each of which says how many
// others it stands for. Sources do not share them.
func TestFloodOfRefusals(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed, "other": keyed})
	for range 1000 {
		if got := w.call(call{Source: "tool"}); got.Status != http.StatusUnauthorized {
			t.Fatal(got)
		}
	}
	w.call(call{Source: "other"})
	records := w.records(0)
	if len(records) != 21 || records[20] != "hook.refused source/other | no_proof | 192.0.2.1" {
		t.Errorf("%d records, the last %s", len(records), records[len(records)-1])
	}
	w.pass(10 * time.Second)
	w.call(call{Source: "tool"})
	w.call(call{Source: "tool"})
	want(t, "later", []string{"hook.refused source/tool | no_proof | 192.0.2.1 | also 980"}, w.records(21))
	if n := w.in.Counts.Refused.Load(); n != 1003 {
		t.Errorf("counted %d", n)
	}
}

// An answer 202 means durable: while the disk fails there is none, and no
// alert. Refusals are not durable either, and say so.
func TestNothingIsTakenThatIsNotDurable(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed})
	w.broken.Store(true)
	const unavailable = "503 this node is not accepting changes"
	want(t, "answer", unavailable, w.call(call{Source: "tool", Body: `{"id":"1","title":"A"}`, Header: good}).String())
	want(t, "answer to a refused call", unavailable, w.call(call{Source: "tool"}).String())
	want(t, "records", []string{}, w.records(0))
	if n := w.in.Counts.Alerts.Load(); n != 0 || len(w.hooked) > 0 {
		t.Errorf("counted %d alerts, hooked %v", n, w.hooked)
	}
}

// A raw event that is long stands in the blob store, before the record that
// names it; while that fails there is no alert.
func TestLongEventsGoToTheBlobStore(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed})
	body := `{"id":"1","title":"A","text":"` + strings.Repeat("x", 16<<10) + `"}`
	if got := w.call(call{Source: "tool", Body: body, Header: good}); got.Status != http.StatusAccepted {
		t.Fatal(got)
	}
	line, err := w.log.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(line, []byte(`"raw_blob":"`))
	name, _, found := bytes.Cut(after, []byte(`"`))
	if !found || len(line) > 2000 {
		t.Fatalf("record of %d bytes: %s", len(line), line[:min(len(line), 2000)])
	}
	raw, err := w.blobs.Get(string(name))
	if err != nil || len(raw) < 16<<10 || !bytes.Contains(raw, []byte(`"title":"A"`)) {
		t.Errorf("blob %s, %v", raw, err)
	}

	w.config.Blobs = noBlobs{}
	w.open()
	if got := w.call(call{Source: "tool", Body: body, Header: good}); got.Status != http.StatusInternalServerError || strings.Contains(got.String(), errDisk.Error()) {
		t.Error(got)
	}
	if n := w.log.Size(); n != 1 {
		t.Errorf("%d records", n)
	}
}

type noBlobs struct{}

func (noBlobs) Put(context.Context, []byte) (string, error) { return "", errDisk }

func TestManyEvents(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed})
	if got := w.call(call{Source: "tool", Body: "[" + strings.Repeat("{},", 500) + "{}]", Header: good}); len(alertsOf(got)) != 501 {
		t.Errorf("%d alerts", len(alertsOf(got)))
	}
	if n := len(w.call(call{Source: "tool", Body: `[` + strings.Repeat(`{"severity":{}},`, 30) + `{}]`, Header: good}).Body["problems"].([]any)); n != maxProblems { //nolint:errcheck // panics when it is none
		t.Errorf("%d problems", n)
	}
	from := w.log.Size()
	for _, body := range []string{"[" + strings.Repeat("1,", maxEvents) + "1]", strings.Repeat("1\n", maxEvents+1)} {
		got := w.call(call{Source: "tool", Body: body, Header: good})
		want(t, "answer", "413 the call holds more than 10000 events", strings.SplitN(got.String(), " (", 2)[0])
	}
	if n := w.log.Size(); n != from+2 {
		t.Errorf("%d records more", n-from)
	}
}

func alertsOf(a answered) []any {
	list, _ := a.Body["alerts"].([]any)
	return list
}

// Address lists take v4, v6 and v4 in v6; who cannot be named is not on a list.
func TestAddresses(t *testing.T) {
	w := newWorld(t, map[string]string{"listed": listed, "tool": keyed})
	for addr, taken := range map[string]bool{
		"203.0.113.7:1": true, "[2001:db8::7]:1": true, "[::ffff:203.0.113.7]:1": true, "[2001:db8::7%eth0]:1": true,
		"203.0.114.7:1": false, "[2001:db9::7]:1": false, "[::ffff:203.0.114.7]:1": false, "[::203.0.113.7]:1": false, "": false, "@": false,
	} {
		if addr == "" {
			addr = "/run/sock"
		}
		if got := w.call(call{Source: "listed", Body: "{}", From: addr}); (got.Status == http.StatusAccepted) != taken {
			t.Errorf("%s: %s", addr, got)
		}
		if got := w.call(call{Source: "tool", Body: "{}", From: addr, Header: good}); got.Status != http.StatusAccepted {
			t.Errorf("%s, where there is no list: %s", addr, got)
		}
	}
}

// Where the list is the only proof, none means nobody.
func TestNoProofAtAll(t *testing.T) {
	if allows(alert.Verify{Scheme: alert.SchemeNone}, netip.MustParseAddr("192.0.2.1")) {
		t.Error("a source without any proof takes calls")
	}
}

func TestOktaChallenge(t *testing.T) {
	w := newWorld(t, map[string]string{"okta": okta, "tool": keyed})
	ask := func(pairs ...string) string {
		return w.call(call{Method: http.MethodGet, Source: "okta", Header: header(pairs...)}).String()
	}
	want(t, "challenge", `200 {"verification":"<abc>"}`, strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(ask("Authorization", "sesame", "X-Okta-Verification-Challenge", "<abc>")))
	want(t, "without proof", "401 the call carries no proof of where it comes from", ask("X-Okta-Verification-Challenge", "abc"))
	want(t, "a long one", "400 send alerts with POST", ask("Authorization", "sesame", "X-Okta-Verification-Challenge", strings.Repeat("x", 1001)))
	want(t, "none", "400 send alerts with POST", ask("Authorization", "sesame"))
	want(t, "of another scheme", "400 send alerts with POST", w.call(call{Method: http.MethodGet, Source: "tool", Header: header("X-Key", "sesame", "X-Okta-Verification-Challenge", "abc")}).String())
}

func TestSlackChallenge(t *testing.T) {
	w := newWorld(t, map[string]string{"slack": slack, "tool": keyed})
	const body = `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV","type":"url_verification"}`
	want(t, "challenge", `200 {"challenge":"3eZbrw1aBm2rZgRNFdxV"}`, w.call(signed(body, start)).String())
	want(t, "not signed", "401 the call carries no proof of where it comes from", w.call(call{Source: "slack", Body: body}).String())
	want(t, "of another scheme", 202, w.call(call{Source: "tool", Body: body, Header: good}).Status)
	want(t, "a long one", 202, w.call(signed(`{"type":"url_verification","challenge":"`+strings.Repeat("x", 1001)+`"}`, start)).Status)
}

// A signature of Slack is good for one call that succeeds.
func TestSlackReplay(t *testing.T) {
	w := newWorld(t, map[string]string{"slack": slack, "twin": slack})
	c := signed(`{"id":"1","title":"A"}`, start)
	const seen = "403 the call was seen before"
	want(t, "first", http.StatusAccepted, w.call(c).Status)
	want(t, "second", seen, w.call(c).String())
	w.pass(4 * time.Minute)
	want(t, "later", seen, w.call(c).String())
	want(t, "at another source", http.StatusAccepted, w.call(call{Source: "twin", Body: c.Body, Header: c.Header}).Status)
	w.pass(2 * time.Minute)
	want(t, "too late", "403 the call is too old, or comes from the future", w.call(c).String())
	if len(w.hooked) != 2 {
		t.Errorf("playbooks were called %d times", len(w.hooked))
	}

	// A call that failed may be sent again.
	c = signed(`{"id":"2","title":"B"}`, w.now())
	w.config.Hooks = func(context.Context, string, string, any) (bool, error) { return false, sequencer.ErrStopped }
	w.open()
	want(t, "failed", http.StatusServiceUnavailable, w.call(c).Status)
	w.in.c.Hooks = w.hook
	want(t, "again", http.StatusAccepted, w.call(c).Status)
	want(t, "and again", seen, w.call(c).String())
}

func TestReplaysAreForgottenInTime(t *testing.T) {
	var r replays
	now := start
	first := func(proof string) bool { return r.first(proof, now) }
	if !first("a") || first("a") {
		t.Error("a")
	}
	for range 3 { // a proof made 5 minutes ahead of our clock is fresh for 10
		now = now.Add(5 * time.Minute)
		if !first(fmt.Sprint("b", now)) {
			t.Error("b")
		}
		if age := now.Sub(start); first("a") && age <= 10*time.Minute {
			t.Errorf("forgotten after %s", age)
		}
	}
	now = now.Add(-time.Hour) // the clock jumps back: nothing is kept for ever
	first("c")
	now = now.Add(time.Hour)
	first("d")
	if n := len(r.young) + len(r.old); n > 8 {
		t.Errorf("%d proofs are kept", n)
	}
	for i := range 3 * maxReplays { // and never too many
		first(strconv.Itoa(i))
	}
	if n := len(r.young) + len(r.old); n > 2*maxReplays {
		t.Errorf("%d proofs are kept", n)
	}
	if first(strconv.Itoa(3*maxReplays - 1)) {
		t.Error("the newest is forgotten")
	}
	r.forget(strconv.Itoa(3*maxReplays - 1))
	if !first(strconv.Itoa(3*maxReplays - 1)) {
		t.Error("what was taken back is not new")
	}
}

// Of a signed call that comes many times at once, one is taken.
func TestSlackRace(t *testing.T) {
	w := newWorld(t, map[string]string{"slack": slack})
	c := signed(`{"id":"1","title":"A"}`, start)
	var wg sync.WaitGroup
	taken := make(chan bool, 20)
	for range cap(taken) {
		wg.Go(func() { taken <- w.call(c).Status == http.StatusAccepted })
	}
	wg.Wait()
	close(taken)
	n := 0
	for ok := range taken {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("taken %d times", n)
	}
}

// Playbooks that listen to the webhook get what was sent; when none does, they
// are asked once.
func TestHooks(t *testing.T) {
	w := newWorld(t, map[string]string{"tool": keyed})
	w.call(call{Source: "tool", Body: "{\"id\":\"1\"}\n[{\"n\":2}]\n", Header: good})
	want(t, "hooked", []any{map[string]any{"id": "1"}, []any{map[string]any{"n": int64(2)}}}, w.hooked)
	w.hooked, w.deaf = nil, true
	w.call(call{Source: "tool", Body: "1\n2\n3\n", Header: good})
	want(t, "asked", []any{int64(1)}, w.hooked)
	w.config.Hooks = nil
	w.open()
	want(t, "no playbooks", http.StatusAccepted, w.call(call{Source: "tool", Body: "{}", Header: good}).Status)
}

func TestNew(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := New(Config{}); err == nil {
		t.Error("an intake without parts")
	}
	w.config.TrustedProxies = []netip.Prefix{{}}
	if _, err := New(w.config); err == nil {
		t.Error("a proxy that is none")
	}
}

// Whoever hangs up leaves a record all the same.
func TestRefusalOutlivesTheCaller(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.in.refuse(ctx, "tool", netip.Addr{}, errBadProof); err == nil {
		t.Error("not refused")
	}
	want(t, "records", []string{"hook.refused source/tool | bad_proof | unknown"}, w.records(0))
}
