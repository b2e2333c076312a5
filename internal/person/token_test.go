package person_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
)

// counter is a source of "randomness" that a test can foresee.
type counter byte

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c)
		*c++
	}
	return len(p), nil
}

var now = time.Date(2026, 11, 22, 8, 15, 0, 0, time.UTC)

func newToken(t testing.TB, wish person.Token) (person.Token, string) {
	t.Helper()
	tok, text, err := person.NewToken(new(counter), wish, now)
	if err != nil {
		t.Fatal(err)
	}
	return tok, text.Reveal()
}

func ci() person.Token {
	return person.Token{Name: "deploy from CI", Owner: "machine/ci", Roles: []person.Role{person.Author}}
}

// TestTokenForm holds the text of tokens still: docs/people.md prints this one.
func TestTokenForm(t *testing.T) {
	tok, text := newToken(t, ci())
	if !regexp.MustCompile(`^bft_[0-9a-z]{10}_[0-9A-Za-z]{49}$`).MatchString(text) {
		t.Errorf("the text is %s", text)
	}
	if id, err := person.TokenID(text); err != nil || id != tok.ID || !strings.HasPrefix(text, "bft_"+id+"_") {
		t.Errorf("id %q in %s, %v", id, text, err)
	}
	doc, err := os.ReadFile("../../docs/people.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{text, tok.Hash} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/people.md lacks the vector %s", want)
		}
	}
}

// TestTypingErrorsAreToldApart changes each character of a token, and swaps
// each pair of neighbours.
func TestTypingErrorsAreToldApart(t *testing.T) {
	_, text := newToken(t, ci())
	for i := len("bft_"); i < len(text); i++ {
		for _, c := range []byte("0aZ_-é ") {
			typed := text[:i] + string(c) + text[i+1:]
			if _, err := person.TokenID(typed); typed != text && !errors.Is(err, person.ErrTokenMistyped) {
				t.Errorf("%s: %v", typed, err)
			}
		}
		if i+1 < len(text) && text[i] != text[i+1] {
			typed := text[:i] + text[i+1:i+2] + text[i:i+1] + text[i+2:]
			if _, err := person.TokenID(typed); !errors.Is(err, person.ErrTokenMistyped) {
				t.Errorf("%s: %v", typed, err)
			}
		}
		if _, err := person.TokenID(text[:i]); !errors.Is(err, person.ErrTokenMistyped) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
	for _, other := range []string{"", "hunter2", "ghp_" + text, " " + text, "BFT_" + text[4:]} {
		if _, err := person.TokenID(other); !errors.Is(err, person.ErrTokenForm) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestVerify(t *testing.T) {
	d := companyDirectory(t)
	machine, text := newToken(t, ci())
	with := func(change func(*person.Token)) person.Token {
		tok := machine
		change(&tok)
		return tok
	}
	for _, tt := range []struct {
		name  string
		token person.Token
		text  string
		want  error
	}{
		{"right", machine, text, nil},
		{"another secret", machine, text[:20] + "x" + text[21:], person.ErrTokenWrong},
		{"nothing", machine, "", person.ErrTokenWrong},
		{"a token without a hash", with(func(t *person.Token) { t.Hash = "" }), "", person.ErrTokenWrong},
		{"revoked", with(func(t *person.Token) { t.RevokedAt = now }), text, person.ErrTokenRevoked},
		{"revoked, with a wrong secret", with(func(t *person.Token) { t.RevokedAt = now }), "x", person.ErrTokenWrong},
		{"not yet expired", with(func(t *person.Token) { t.Expires = now.Add(1) }), text, nil},
		{"expired at this moment", with(func(t *person.Token) { t.Expires = now }), text, person.ErrTokenExpired},
		{"of a person", with(func(t *person.Token) { t.Owner = "person/ada" }), text, nil},
		{"of who left", with(func(t *person.Token) { t.Owner = "person/lea" }), text, person.ErrTokenOwner},
		{"of who is unknown", with(func(t *person.Token) { t.Owner = "person/eve" }), text, person.ErrTokenOwner},
		{"of a bare name", with(func(t *person.Token) { t.Owner = "ada" }), text, person.ErrTokenOwner},
		{"of nobody", with(func(t *person.Token) { t.Owner = "" }), text, person.ErrTokenOwner},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.token.Verify(tt.text, now, d); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			} else if err != nil && errs.KindOf(err) != errs.Unauthenticated {
				t.Errorf("kind %q", errs.KindOf(err))
			}
		})
	}
}

func TestTokenMayWhatItsRolesMay(t *testing.T) {
	tok := person.Token{Roles: []person.Role{person.Viewer, person.Author}}
	if !tok.May(person.AlertsRead) || !tok.May(person.DocumentsApply) || tok.May(person.TokensManage) {
		t.Error("a token may what one of its roles may")
	}
	if (person.Token{}).May(person.AlertsRead) {
		t.Error("a token without roles may nothing")
	}
}

func TestNewTokenRefuses(t *testing.T) {
	for name, change := range map[string]func(*person.Token){
		"no name":      func(t *person.Token) { t.Name = " " },
		"a long name":  func(t *person.Token) { t.Name = strings.Repeat("x", 101) },
		"no owner":     func(t *person.Token) { t.Owner = "" },
		"a team":       func(t *person.Token) { t.Owner = "team/blue" },
		"a bad name":   func(t *person.Token) { t.Owner = "person/Ada L" },
		"no role":      func(t *person.Token) { t.Roles = nil },
		"unknown role": func(t *person.Token) { t.Roles = append(t.Roles, "root") },
		"expired":      func(t *person.Token) { t.Expires = now },
	} {
		wish := ci()
		change(&wish)
		if _, _, err := person.NewToken(new(counter), wish, now); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := person.NewToken(iotest.ErrReader(errors.New("no entropy")), ci(), now); err == nil {
		t.Error("a token was made of nothing")
	}
}

func TestTokenLife(t *testing.T) {
	wish := ci()
	wish.Expires = now.Add(time.Hour)
	tok, text := newToken(t, wish)
	created, err := json.Marshal(tok.Created())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(created), text[16:]) {
		t.Fatalf("the record holds the text: %s", created)
	}
	got, err := person.ApplyToken(person.Token{}, person.KindTokenCreated, created, now, "beffroi")
	if err != nil {
		t.Fatal(err)
	}
	want := tok
	want.CreatedAt, want.CreatedBy = now, "beffroi"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if got, err = person.ApplyToken(got, person.KindTokenRevoked, []byte(`{"why":"lost"}`), now, "person/ada"); err != nil {
			t.Fatal(err)
		}
	}
	if !got.RevokedAt.Equal(now) || got.RevokedBy != "person/ada" {
		t.Errorf("revoked at %s by %s", got.RevokedAt, got.RevokedBy)
	}
	for name, call := range map[string]func() (person.Token, error){
		"created twice": func() (person.Token, error) { return person.ApplyToken(got, person.KindTokenCreated, created, now, "") },
		"no id": func() (person.Token, error) {
			return person.ApplyToken(person.Token{}, person.KindTokenCreated, []byte(`{}`), now, "")
		},
		"not JSON": func() (person.Token, error) {
			return person.ApplyToken(person.Token{}, person.KindTokenCreated, []byte(`{`), now, "")
		},
		"never created": func() (person.Token, error) {
			return person.ApplyToken(person.Token{}, person.KindTokenRevoked, []byte(`{}`), now, "")
		},
		"something else": func() (person.Token, error) { return person.ApplyToken(got, "token.lost", []byte(`{}`), now, "") },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzTokenID(f *testing.F) {
	_, text := newToken(f, ci())
	f.Add(text)
	f.Add("bft_")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := person.TokenID(s)
		if err == nil && (len(id) != 10 || !strings.HasPrefix(s, "bft_"+id+"_")) {
			t.Errorf("%q has id %q", s, id)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	tok, text := newToken(b, ci())
	for b.Loop() {
		if _, err := person.TokenID(text); err != nil {
			b.Fatal(err)
		}
		if err := tok.Verify(text, now, nil); err != nil {
			b.Fatal(err)
		}
	}
}
