package secret_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"beffroi.dev/internal/secret"
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

func newKey(t testing.TB, random io.Reader) secret.Key {
	t.Helper()
	k, err := secret.GenerateKey(random)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVector holds the format still: docs/format/secrets.md prints these.
func TestVector(t *testing.T) {
	doc, err := os.ReadFile("../../docs/format/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	var random counter
	k := newKey(t, &random)
	sealed, err := k.Seal(&random, []byte("hunter2"), []byte("secret/siem"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(ring.File())), "\n")
	for _, want := range []string{sealed, lines[len(lines)-1]} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/format/secrets.md lacks the vector %s", want)
		}
	}
}

func TestSealedValueOpensAtItsPlaceOnly(t *testing.T) {
	random := new(counter)
	k, other := newKey(t, random), newKey(t, random)
	sealed, err := k.Seal(random, []byte("hunter2"), []byte("secret/siem"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(sealed, []byte("secret/siem")); err != nil || string(got) != "hunter2" {
		t.Fatalf("opened %q, %v", got, err)
	}
	if _, err := k.Open(sealed, []byte("secret/okta")); !errors.Is(err, secret.ErrSealBroken) {
		t.Errorf("opened at another place: %v", err)
	}
	if _, err := other.Open(sealed, []byte("secret/siem")); !errors.Is(err, secret.ErrSealBroken) {
		t.Errorf("opened with another key: %v", err)
	}
	forged := strings.Replace(sealed, k.ID(), other.ID(), 1)
	if _, err := other.Open(forged, []byte("secret/siem")); !errors.Is(err, secret.ErrSealBroken) {
		t.Errorf("opened under another key's name: %v", err)
	}
	if _, err := (secret.Key{}).Open(sealed, []byte("secret/siem")); !errors.Is(err, secret.ErrSealBroken) {
		t.Errorf("opened with no key: %v", err)
	}
	if _, err := (secret.Key{}).Seal(random, nil, nil); err == nil {
		t.Error("sealed with no key")
	}
}

// TestEveryChangedByteIsFound changes each character of a sealed value to each
// other character of its alphabet, and cuts it at each length.
func TestEveryChangedByteIsFound(t *testing.T) {
	random := new(counter)
	k := newKey(t, random)
	sealed, err := k.Seal(random, []byte("hunter2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for _, c := range []byte("A_-z09.\n=") {
			b := []byte(sealed)
			if b[i] == c {
				continue
			}
			b[i] = c
			if _, err := k.Open(string(b), nil); err == nil {
				t.Fatalf("byte %d may be %q", i, c)
			}
		}
		if _, err := k.Open(sealed[:i], nil); err == nil {
			t.Fatalf("opened when cut to %d bytes", i)
		}
		if _, err := k.Open(sealed[:i]+"\n"+sealed[i:], nil); err == nil {
			t.Fatalf("opened with a new line at %d", i)
		}
	}
}

func TestOneMessageSealedTwiceDiffers(t *testing.T) {
	random := new(counter)
	k := newKey(t, random)
	a, errA := k.Seal(random, []byte("hunter2"), nil)
	b, errB := k.Seal(random, []byte("hunter2"), nil)
	if errA != nil || errB != nil || a == b {
		t.Errorf("sealed %q and %q, %v %v", a, b, errA, errB)
	}
}

func TestNoRandomnessNoSeal(t *testing.T) {
	broken := iotest.ErrReader(errors.New("no entropy"))
	if _, err := secret.GenerateKey(broken); err == nil {
		t.Error("a key was made of nothing")
	}
	if _, err := secret.GenerateKey(strings.NewReader("short")); err == nil {
		t.Error("a key was made of five bytes")
	}
	if _, err := newKey(t, new(counter)).Seal(broken, []byte("x"), nil); err == nil {
		t.Error("a value was sealed without salt")
	}
	if _, err := secret.NewKey(make([]byte, 16)); err == nil {
		t.Error("a key of 16 bytes was taken")
	}
}

func TestRotation(t *testing.T) {
	random := new(counter)
	oldKey, newKey1 := newKey(t, random), newKey(t, random)
	old, err := secret.NewKeyring(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	first, err := old.Seal(random, []byte("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	both, err := old.With(newKey1)
	if err != nil {
		t.Fatal(err)
	}
	if both.Newest() != newKey1.ID() || old.Newest() != oldKey.ID() {
		t.Error("the last key seals, and the old keyring stays as it was")
	}
	second, err := both.Seal(random, []byte("two"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for sealed, want := range map[string]string{first: "one", second: "two"} {
		if got, err := both.Open(sealed, nil); err != nil || string(got) != want {
			t.Errorf("opened %q, %v", got, err)
		}
	}
	if !both.Stale(first) || both.Stale(second) || both.Stale("plain") {
		t.Error("Stale tells what the newest key did not seal")
	}
	if _, err := old.Open(second, nil); !errors.Is(err, secret.ErrUnknownKey) || !strings.Contains(err.Error(), newKey1.ID()) {
		t.Errorf("want an error that names the key, got %v", err)
	}
	if _, err := both.Open("plain", nil); !errors.Is(err, secret.ErrNotSealed) {
		t.Errorf("opened plain text: %v", err)
	}
	if _, err := both.With(oldKey); err == nil {
		t.Error("one key twice")
	}
}

func TestKeyFile(t *testing.T) {
	random := new(counter)
	a, b := newKey(t, random), newKey(t, random)
	ring, err := secret.NewKeyring(a, b)
	if err != nil {
		t.Fatal(err)
	}
	file := string(ring.File())
	again, err := secret.ParseKeyring([]byte("\n# mine\n  " + strings.ReplaceAll(file, "\n", "\r\n")))
	if err != nil || !bytes.Equal(again.File(), ring.File()) || again.Newest() != b.ID() {
		t.Errorf("the file does not come back: %v", err)
	}
	line := strings.Split(file, "\n")[2]
	fields := strings.Fields(line)
	for name, bad := range map[string]string{
		"no keys":        "# nothing\n",
		"other version":  strings.Replace(line, "v1", "v2", 1),
		"no id":          fields[0] + " " + fields[2],
		"not base64":     fields[0] + " " + fields[1] + " ***",
		"short key":      fields[0] + " " + fields[1] + " AAAA",
		"key mistyped":   fields[0] + " " + fields[1] + " B" + fields[2][1:],
		"id mistyped":    fields[0] + " 0000000000000000 " + fields[2],
		"one key twice":  line + "\n" + line,
		"trailing words": line + " more",
	} {
		_, err := secret.ParseKeyring([]byte(bad))
		if err == nil {
			t.Errorf("%s: parsed", name)
			continue
		}
		if strings.Contains(err.Error(), fields[2][1:]) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
	if _, err := secret.NewKeyring(secret.Key{}); err == nil {
		t.Error("a keyring of an empty key")
	}
}

func FuzzOpen(f *testing.F) {
	k := newKey(f, new(counter))
	sealed, err := k.Seal(new(counter), []byte("hunter2"), []byte("secret/siem"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, []byte("secret/siem"))
	f.Add("v1.0011223344556677.AAAA", []byte{})
	f.Fuzz(func(t *testing.T, text string, place []byte) {
		plain, err := k.Open(text, place)
		if err == nil && (text != sealed || string(place) != "secret/siem" || string(plain) != "hunter2") {
			t.Errorf("%q opens at %q", text, place)
		}
		again, err := k.Seal(new(counter), []byte(text), place)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := k.Open(again, place); err != nil || string(plain) != text {
			t.Errorf("does not come back: %q, %v", plain, err)
		}
	})
}

func FuzzParseKeyring(f *testing.F) {
	ring, err := secret.NewKeyring(newKey(f, new(counter)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ring.File())
	f.Add([]byte("beffroi-key-v1 a b"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := secret.ParseKeyring(file)
		if err != nil {
			return
		}
		again, err := secret.ParseKeyring(r.File())
		if err != nil || !bytes.Equal(again.File(), r.File()) {
			t.Errorf("does not come back: %v", err)
		}
	})
}

func BenchmarkSealAndOpen(b *testing.B) {
	random := new(counter)
	k := newKey(b, random)
	for b.Loop() {
		sealed, err := k.Seal(random, []byte("hunter2"), []byte("secret/siem"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.Open(sealed, []byte("secret/siem")); err != nil {
			b.Fatal(err)
		}
	}
}
