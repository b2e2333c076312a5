package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/secret"
)

const hunter = "hunter2-and-more"

// TestNothingPrintsASecret tries every verb of fmt, and every encoder that
// could meet a secret, on secrets in every position.
func TestNothingPrintsASecret(t *testing.T) {
	type hidden struct {
		s   secret.String
		p   *secret.String
		key secret.Key
		red *secret.Redactor
	}
	type shown struct {
		S   secret.String
		P   *secret.String
		Key secret.Key
		Red *secret.Redactor
	}
	s := secret.New(hunter)
	key, err := secret.NewKey([]byte(hunter + hunter))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	red := secret.NewRedactor(s)
	values := []any{
		s, &s, key, &key, ring, red,
		hidden{s, &s, key, red},
		shown{s, &s, key, red},
		[]secret.String{s},
		map[string]any{"s": s, "ring": ring},
		map[secret.String]secret.Key{s: key},
		fmt.Errorf("login with %s: %w", s, errors.New("denied")),
	}
	check := func(how, out string) {
		t.Helper()
		decimal := strings.Trim(fmt.Sprintf("%d", []byte(hunter)), "[]")
		for _, leak := range []string{"hunter2", "68756e746572", "0x68, 0x75", decimal} {
			if strings.Contains(strings.ToLower(out), leak) {
				t.Errorf("%s leaks: %s", how, out)
			}
		}
	}
	for _, v := range values {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "20", ".40"} {
			for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
				f := "%" + flag + string(verb)
				check(fmt.Sprintf("%s of %T", f, v), fmt.Sprintf(f, v))
			}
		}
		if b, err := json.Marshal(v); err == nil {
			check(fmt.Sprintf("JSON of %T", v), string(b))
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		check(fmt.Sprintf("slog of %T", v), b.String())
	}
	out, err := yaml.Marshal(map[string]any{"s": s, "p": &s, "key": key, "ring": ring, "shown": shown{S: s, Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	check("YAML", string(out))
}

func TestPrintedForm(t *testing.T) {
	s := secret.New(hunter)
	for _, tt := range []struct{ format, want string }{
		{"%v", "redacted"},
		{"%s", "redacted"},
		{"%d", "redacted"},
		{"%q", `"redacted"`},
		{"%#v", `"redacted"`},
	} {
		if got := fmt.Sprintf(tt.format, s); got != tt.want {
			t.Errorf("%s prints %s, want %s", tt.format, got, tt.want)
		}
	}
	if s.String() != "redacted" || s.GoString() != `"redacted"` || secret.New("").String() != "redacted" {
		t.Error("a secret prints as the word redacted, even an empty one")
	}
	if s.Reveal() != hunter {
		t.Error("Reveal does not open the secret")
	}
}

func TestAPrintedSecretIsNotReadBack(t *testing.T) {
	var config struct {
		Token secret.String `json:"token"`
	}
	if err := json.Unmarshal([]byte(`{"token":"hunter2"}`), &config); err != nil || config.Token.Reveal() != "hunter2" {
		t.Fatalf("read %q, %v", config.Token.Reveal(), err)
	}
	printed, err := json.Marshal(config)
	if err != nil || string(printed) != `{"token":"redacted"}` {
		t.Fatalf("printed %s, %v", printed, err)
	}
	if err := json.Unmarshal(printed, &config); !errors.Is(err, secret.ErrRedacted) {
		t.Errorf("a printed secret was read back: %v", err)
	}
	if config.Token.Reveal() != "hunter2" {
		t.Error("the refused text replaced the secret")
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"", "a", false},
		{strings.Repeat("x", 5000), strings.Repeat("x", 5000), true},
	} {
		if got := secret.Equal(tt.a, tt.b); got != tt.want {
			t.Errorf("Equal(%q, %q) = %v", tt.a, tt.b, got)
		}
		if got := secret.Equal([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("Equal of bytes (%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestAnUnsetSecretMatchesNothing(t *testing.T) {
	if secret.New("").Matches("") {
		t.Error("an empty password opened the door")
	}
	if !secret.New("a").Matches("a") || secret.New("a").Matches("b") || secret.New("a").Matches("") {
		t.Error("Matches does not compare")
	}
	if !secret.New("").IsZero() || secret.New("a").IsZero() {
		t.Error("IsZero does not tell whether there is a secret")
	}
}
