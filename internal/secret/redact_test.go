package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/secret"
)

func TestRedactorText(t *testing.T) {
	const pw = `p/w "é"+1>2`
	basic := base64.StdEncoding.EncodeToString([]byte("svc:" + hunter))
	for _, tt := range []struct{ name, secret, text, want string }{
		{"as it is", hunter, "login " + hunter + "!", "login redacted!"},
		{"twice in a row", hunter, hunter + hunter, "redacted"},
		{"not there", hunter, "nothing to see", "nothing to see"},
		{"in a query", pw, "https://x/?p=" + url.QueryEscape(pw) + "&q=1", "https://x/?p=redacted&q=1"},
		{"in a path", pw, "https://x/" + url.PathEscape(pw) + "/y", "https://x/redacted/y"},
		{"in a path, lower case", "päss", "/p%c3%a4ss/", "/redacted/"},
		{"in JSON", pw, `{"p":"p/w \"é\"+1\u003e2"}`, `{"p":"redacted"}`},
		{"in JSON without HTML escapes", pw, `{"p":"p/w \"é\"+1>2"}`, `{"p":"redacted"}`},
		{"in hexadecimal", "abcd", "61626364 61626364", "redacted redacted"},
		{"in upper hexadecimal", "jklm", "6A6B6C6D", "redacted"},
		{"space around it was stored too", hunter + "\n", "x" + hunter + "x", "xredactedx"},
		{"too short to look for", "abc", "abcabc", "abcabc"},
		{"nothing but space", "    ", "a    b", "a    b"},
		{"in basic authentication", hunter, "Basic " + basic, "Basic c3ZjOmredactedU="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := secret.NewRedactor(secret.New(tt.secret))
			if got := r.String(tt.text); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := string(r.Bytes([]byte(tt.text))); got != tt.want {
				t.Errorf("bytes: got %s", got)
			}
		})
	}
}

func TestOverlappingSecretsLeaveNoRest(t *testing.T) {
	r := secret.NewRedactor(secret.New("abcdef"), secret.New("defghi"), secret.New("cdef"))
	if got := r.String("<abcdefghi>"); got != "<redacted>" {
		t.Errorf("got %s", got)
	}
}

func TestRedactorValue(t *testing.T) {
	in := map[string]any{
		"token":       hunter,
		"list":        []any{"a " + hunter, int64(5), 20261122.5, true, nil},
		hunter:        map[string]any{"pin": int64(20261122)},
		"untouched":   "yes",
		"untouched n": 1.5,
	}
	before, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"token":       "redacted",
		"list":        []any{"a redacted", int64(5), "redacted", true, nil},
		"redacted":    map[string]any{"pin": "redacted"},
		"untouched":   "yes",
		"untouched n": 1.5,
	}
	r := secret.NewRedactor(secret.New(hunter), secret.New("20261122"))
	if diff := cmp.Diff(want, r.Value(in)); diff != "" {
		t.Error(diff)
	}
	if after, err := json.Marshal(in); err != nil || string(after) != string(before) {
		t.Errorf("the value itself was changed: %s", after)
	}
	if got := (*secret.Redactor)(nil).Value(in); cmp.Diff(in, got) != "" {
		t.Error("no redactor changes nothing")
	}
}

// FuzzRedactor looks for any form of the secret in what is left.
func FuzzRedactor(f *testing.F) {
	f.Add(hunter, "before ", " after")
	f.Add("a/b+c=d&e", "x=", "&y")
	f.Add("\xff\x00\n\"", "", "")
	f.Fuzz(func(t *testing.T, s, before, after string) {
		trimmed := strings.TrimSpace(s)
		if len(trimmed) < secret.MinRedacted || strings.ContainsAny(s, secret.Redacted) {
			return // the word "redacted" beside other text may spell such a secret
		}
		r := secret.NewRedactor(secret.New(s))
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			s, trimmed, url.QueryEscape(s), url.PathEscape(s), string(quoted[1 : len(quoted)-1]),
		} {
			if got := r.String(before + text + after); strings.Contains(got, text) {
				t.Errorf("%q is left in %q", text, got)
			}
		}
		// The text that any decoder of the output sees is free of it as well.
		enc := base64.StdEncoding.EncodeToString([]byte(before + s + after))
		if got := r.String(enc); len(s) >= 8 && got == enc {
			t.Errorf("%q in base64 is left as %q", s, got)
		}
		if got, ok := r.Value([]any{map[string]any{s: before + s}}).([]any); !ok || cmp.Diff([]any{map[string]any{secret.Redacted: r.String(before + s)}}, got) != "" {
			t.Errorf("value is %v", got)
		}
	})
}

func BenchmarkRedactor64KiB(b *testing.B) {
	r := secret.NewRedactor(secret.New(hunter), secret.New("ghp_0123456789abcdef"), secret.New("p/w \"e\"+1>2"))
	text := strings.Repeat(`{"id":12345,"name":"a name of some length","ok":true},`, 64<<10/54)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if r.String(text) != text {
			b.Fatal("found a secret where none is")
		}
	}
}
