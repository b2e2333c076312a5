package secret

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	keyLine = "beffroi-key-v1"
	header  = "# Beffroi keyring. Whoever has this file can open every sealed secret.\n" +
		"# One key a line, oldest first; the last one seals, all of them open.\n"
)

// ErrUnknownKey reports a value sealed with a key that the keyring lacks. The
// error that wraps it names the key.
var ErrUnknownKey = errors.New("the key that sealed this value is not in the keyring")

// A Keyring holds the keys of a node, oldest first: the newest seals, all of
// them open. It has at least one key and never changes; rotation makes a new
// one. It prints as "redacted".
type Keyring struct{ keys []Key }

// NewKeyring returns a keyring of distinct keys, oldest first.
func NewKeyring(keys ...Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs at least one key")
	}
	for i, k := range keys {
		if k.bytes == nil {
			return nil, errors.New("a keyring cannot hold an empty key")
		}
		if slices.ContainsFunc(keys[:i], func(o Key) bool { return o.id == k.id }) {
			return nil, fmt.Errorf("key %s is in the keyring twice", k.id)
		}
	}
	return &Keyring{slices.Clone(keys)}, nil
}

// With returns a keyring that seals with k and still opens all that r opens.
func (r *Keyring) With(k Key) (*Keyring, error) {
	return NewKeyring(append(slices.Clone(r.keys), k)...)
}

// Newest returns the id of the key that seals.
func (r *Keyring) Newest() string { return r.keys[len(r.keys)-1].id }

// Stale reports whether a sealed value should be opened and sealed again,
// because an older key than the newest sealed it.
func (r *Keyring) Stale(sealed string) bool {
	id, err := SealedWith(sealed)
	return err == nil && id != r.Newest()
}

// Seal is [Key.Seal] with the newest key.
func (r *Keyring) Seal(random io.Reader, plaintext, place []byte) (string, error) {
	return r.keys[len(r.keys)-1].Seal(random, plaintext, place)
}

// Open is [Key.Open] with the key that sealed the value.
func (r *Keyring) Open(sealed string, place []byte) ([]byte, error) {
	id, err := SealedWith(sealed)
	if err != nil {
		return nil, err
	}
	for _, k := range r.keys {
		if k.id == id {
			return k.Open(sealed, place)
		}
	}
	return nil, fmt.Errorf("key %s: %w", id, ErrUnknownKey)
}

// Format prints the word "redacted" for every verb and flag.
func (r *Keyring) Format(f fmt.State, verb rune) { format(f, verb) }

// MarshalText encodes the word "redacted".
func (r *Keyring) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// File returns the keyring as the text of a key file. It is secret.
func (r *Keyring) File() []byte {
	var b strings.Builder
	b.WriteString(header)
	for _, k := range r.keys {
		fmt.Fprintf(&b, "%s %s %s\n", keyLine, k.id, encoding.EncodeToString(k.bytes()))
	}
	return []byte(b.String())
}

// ParseKeyring reads a key file. Empty lines and lines that start with "#" are
// skipped. Errors name the line and never quote it.
func ParseKeyring(file []byte) (*Keyring, error) {
	var keys []Key
	n := 0
	for line := range strings.Lines(string(file)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("key file line %d: %w", n, err)
		}
		keys = append(keys, k)
	}
	r, err := NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return r, nil
}

func parseKey(line string) (Key, error) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != keyLine {
		return Key{}, fmt.Errorf("want %q, the key's id and the key", keyLine)
	}
	b, err := encoding.DecodeString(f[2])
	if err != nil {
		return Key{}, errors.New("the key is not base64url")
	}
	k, err := NewKey(b)
	if err != nil {
		return Key{}, err
	}
	if k.id != f[1] {
		return Key{}, errors.New("the key does not belong to its id: one of them was mistyped")
	}
	return k, nil
}
