package slack

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/secret"
)

// TestRealPayloadsOfOthers: what Slack sends and is not for us is recognised as
// such, or refused; never taken for a press.
func TestRealPayloadsOfOthers(t *testing.T) {
	want := map[string]error{
		"dialogs__DialogCancellationPayload.json":              errForeign,
		"interactive-components__AttachmentActionPayload.json": errForeign,
		"interactive-components__BlockActionPayload.json":      errForeign,
		"interactive.block_actions__interactions-631.json":     errForeign,
		"interactive.view_closed__interactions-43.json":        errForeign,
		"interactive.view_submission__interactions-82.json":    errForeign,
		"views__ViewSubmissionPayload.json":                    errForeign,
	}
	files, err := filepath.Glob("testdata/payload/*.json")
	if err != nil || len(files) != len(want) {
		t.Fatalf("testdata: %v %v", files, err)
	}
	for _, f := range files {
		if p, err := parsePayload(read(t, f)); !errors.Is(err, want[filepath.Base(f)]) {
			t.Errorf("%s: %+v, %v", f, p, err)
		}
	}
}

// TestRealPayloadMadeOurs takes Slack's fullest payloads, with every field that
// there is, and puts our values where ours would be.
func TestRealPayloadMadeOurs(t *testing.T) {
	p, err := parsePayload(edited(t, "interactive-components__BlockActionPayload.json", map[string]any{
		"user.id": "U024BE7LH", "container.message_ts": "1732262400.000100", "container.channel_id": "C024BE91L",
		"container.thread_ts": "1732262000.000100", "trigger_id": "1.2.3", "response_url": "https://hooks.slack.com/actions/1",
		"actions": []any{map[string]any{"type": "button", "action_id": "beffroi_answer_0", "value": "tok", "action_ts": "1.2", "block_id": "b"}},
	}))
	want := press{
		id: "U024BE7LH/1.2.3", token: "tok", user: "U024BE7LH", spot: Spot{"C024BE91L", "1732262400.000100"},
		thread: "1732262000.000100", trigger: "1.2.3", responseURL: "https://hooks.slack.com/actions/1",
	}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(press{})); diff != "" || err != nil {
		t.Errorf("press: %v\n%s", err, diff)
	}
	p, err = parsePayload(edited(t, "views__ViewSubmissionPayload.json", map[string]any{
		"user.id": "U024BE7LH", "view.callback_id": reasonCallback, "trigger_id": "4.5.6",
		"view.private_metadata": `{"token":"tok","channel":"C024BE91L","ts":"1.2"}`,
		"view.state":            map[string]any{"values": map[string]any{"reason": map[string]any{"text": map[string]any{"type": "plain_text_input", "value": " a scanner of ours\n"}}}},
	}))
	want = press{id: "U024BE7LH/4.5.6", token: "tok", reason: "a scanner of ours", submitted: true, user: "U024BE7LH", spot: Spot{"C024BE91L", "1.2"}}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(press{})); diff != "" || err != nil {
		t.Errorf("submission: %v\n%s", err, diff)
	}
}

func TestParseFormRefuses(t *testing.T) {
	ours := `{"type":"block_actions","user":{"id":"U024BE7LH"},"container":{"message_ts":"1.2","channel_id":"C1"},` +
		`"actions":[{"type":"button","action_id":"beffroi_answer_0","value":"tok"}]}`
	if _, err := parseForm([]byte("payload=" + url.QueryEscape(ours))); err != nil {
		t.Fatalf("the payload that the others are made from: %v", err)
	}
	for name, body := range map[string]string{
		"nothing":            "",
		"no form":            "payload=%zz",
		"no payload":         "ssl_check=1",
		"two payloads":       "payload={}&payload={}",
		"no JSON":            "payload=hello",
		"a list":             "payload=[]",
		"null":               "payload=null",
		"no type":            "payload={}",
		"a wrong type":       "payload=" + url.QueryEscape(strings.Replace(ours, `"tok"`, `7`, 1)),
		"no user":            "payload=" + url.QueryEscape(strings.Replace(ours, "U024BE7LH", "", 1)),
		"a user that is not": "payload=" + url.QueryEscape(strings.Replace(ours, "U024BE7LH", "U1> <!channel", 1)),
		"no token":           "payload=" + url.QueryEscape(strings.Replace(ours, "tok", "", 1)),
		"a long token":       "payload=" + url.QueryEscape(strings.Replace(ours, "tok", strings.Repeat("x", 256), 1)),
		"no message":         "payload=" + url.QueryEscape(strings.Replace(ours, `"1.2"`, `""`, 1)),
		"trailing data":      "payload=" + url.QueryEscape(ours+"{}"),
	} {
		if _, err := parseForm([]byte(body)); !errors.Is(err, errPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerify has Slack's own example (docs.slack.dev, "Verifying requests from
// Slack") as its first case.
func TestVerify(t *testing.T) {
	key := secret.New("8f742231b10e8888abcd99yyyzzz85a5")
	const ts = "1531420618"
	const sig = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	body := []byte("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c")
	sec, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(sec, 0)
	for name, tt := range map[string]struct {
		key     secret.String
		now     time.Time
		ts, sig string
		body    []byte
		want    error
	}{
		"Slack's own example":     {key, now, ts, sig, body, nil},
		"just young enough":       {key, now.Add(window), ts, sig, body, nil},
		"just too old":            {key, now.Add(window + time.Second), ts, sig, body, errStale},
		"from the future":         {key, now.Add(-window - time.Second), ts, sig, body, errStale},
		"another body":            {key, now, ts, sig, body[1:], errSignature},
		"another secret":          {secret.New("x"), now, ts, sig, body, errSignature},
		"another version":         {key, now, ts, "v1" + sig[2:], body, errSignature},
		"upper case":              {key, now, ts, strings.ToUpper(sig), body, errSignature},
		"half a signature":        {key, now, ts, sig[:30], body, errSignature},
		"no secret":               {secret.String{}, now, ts, sig, body, errSignature},
		"no signature":            {key, now, ts, "", body, errUnsigned},
		"no time":                 {key, now, "", sig, body, errUnsigned},
		"a time that is not":      {key, now, "now", sig, body, errUnsigned},
		"a time beyond all times": {key, now, "9223372036854775807", sig, body, errStale},
		"a time before all times": {key, now, "-9223372036854775808", sig, body, errStale},
	} {
		if err := verify(tt.key, tt.now, tt.ts, tt.sig, tt.body); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestSeenForgetsInTime(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newSeen(func() time.Time { return now })
	first := func(id string) bool {
		ok, err := s.First(t.Context(), id, now.Add(2*window))
		return ok && err == nil
	}
	if !first("a") || first("a") || !first("b") {
		t.Error("first is not first, or again is")
	}
	now = now.Add(2 * window)
	if first("a") {
		t.Error("forgotten too early")
	}
	now = now.Add(2 * time.Minute)
	if !first("a") || len(s.until) != 1 {
		t.Errorf("not forgotten: %v", s.until)
	}
}

// FuzzRequest: whatever comes, it is a press of ours with all that a press
// needs, or it is refused; and only what was signed gets as far.
func FuzzRequest(f *testing.F) {
	key := secret.New("8f742231b10e8888abcd99yyyzzz85a5")
	now := time.Unix(1_732_262_400, 0)
	for _, file := range []string{"views__ViewSubmissionPayload.json", "interactive.view_submission__interactions-82.json"} {
		b, err := os.ReadFile(filepath.Join("testdata/payload", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("1732262400", "", []byte("payload="+url.QueryEscape(string(b))))
	}
	f.Add("1732262400", "", []byte(`payload=`+url.QueryEscape(`{"type":"block_actions","user":{"id":"U1A"},"container":{"message_ts":"1.2","channel_id":"C1"},"actions":[{"type":"button","action_id":"beffroi_answer_0","value":"tok"}]}`)))
	f.Add("1732262400", "", []byte(`payload=`+url.QueryEscape(`{"type":"view_submission","user":{"id":"U1A"},"view":{"callback_id":"beffroi_reason","private_metadata":"{\"token\":\"t\",\"channel\":\"C\",\"ts\":\"1\"}","state":{"values":{"reason":{"text":{"value":null}}}}}}`)))
	f.Add("x", "v0=00", []byte("payload[]=&payload"))
	f.Fuzz(func(t *testing.T, ts, sig string, body []byte) {
		if verify(key, now, ts, sig, body) == nil && sig != sign(key, ts, body) {
			t.Fatal("a signature that is not ours was taken")
		}
		p, err := parseForm(body)
		if err != nil {
			if !errors.Is(err, errPayload) && !errors.Is(err, errForeign) {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		if !validToken(p.token) || mention(p.user) == "" || p.spot.Channel == "" || p.spot.TS == "" || units(p.reason) > maxReason {
			t.Fatalf("half a press was taken: %+v", p)
		}
	})
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edited returns a payload with values put at paths.
func edited(t *testing.T, file string, values map[string]any) []byte {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(read(t, filepath.Join("testdata/payload", file)), &o); err != nil {
		t.Fatal(err)
	}
	for path, v := range values {
		at, keys := o, strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			next, ok := at[k].(map[string]any)
			if !ok {
				t.Fatalf("%s has no %s", file, path)
			}
			at = next
		}
		at[keys[len(keys)-1]] = v
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
