// Package secret keeps passwords, tokens and keys from being seen by accident.
//
// A [String] holds one: it prints as "redacted" wherever it is printed, logged
// or encoded, and only [String.Reveal] opens it. [Equal] and [String.Matches]
// compare in constant time. A [Key] seals bytes so that they may be stored and
// a [Keyring] holds several keys, so that a key can be replaced. A [Redactor]
// takes secrets out of text that came from outside before it is recorded.
//
// The package is pure: randomness comes from the caller. It never writes a
// secret into an error, and never opens a sealed value whose bytes, key or
// place differ from those that it was sealed with.
//
// Sealed values are AES-256-GCM (NIST SP 800-38D) under a key that is derived
// for each message by HKDF-SHA256 (RFC 5869 sections 2.2 and 2.3); the text
// form and the keyring file are described in docs/format/secrets.md.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
)

// Redacted stands wherever a secret would have stood.
const Redacted = "redacted"

// ErrRedacted reports that somebody tried to read back a secret that had been
// printed: the word "redacted" is not the secret.
var ErrRedacted = errors.New(`the word "redacted" stands where a secret was hidden; it is not a secret`)

// A String is a secret text. The zero value is the empty secret.
//
// The text stands behind a pointer because fmt cannot call methods on
// unexported fields of other structs: it would print their contents, but of a
// pointer to a string only the address. Do not compare Strings with ==.
type String struct{ text *string }

// New returns the secret text s.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the text. Every call is a place to review: search for it.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret at all.
func (s String) IsZero() bool { return s.text == nil }

// Matches reports in constant time whether given is the secret. The empty
// secret matches nothing, so that a secret that was never set lets nobody in.
func (s String) Matches(given string) bool {
	return Equal(s.Reveal(), given) && s.text != nil
}

// String returns the word "redacted".
func (s String) String() string { return Redacted }

// GoString returns the word "redacted" in quotes.
func (s String) GoString() string { return strconv.Quote(Redacted) }

// Format prints the word "redacted" for every verb and flag.
func (s String) Format(f fmt.State, verb rune) { format(f, verb) }

// LogValue logs the word "redacted".
func (s String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText encodes the word "redacted", in JSON too.
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML encodes the word "redacted".
func (s String) MarshalYAML() (any, error) { return Redacted, nil }

// UnmarshalText takes a secret from JSON, YAML or a flag. It refuses the word
// "redacted", so that a printed value read back never replaces a real one.
func (s *String) UnmarshalText(b []byte) error {
	if string(b) == Redacted {
		return ErrRedacted
	}
	*s = New(string(b))
	return nil
}

// Equal reports whether a and b are the same bytes. How long it takes depends
// on their lengths alone, never on where they differ: both are hashed before
// they are compared, so that a length is not found by trying either.
func Equal[T ~string | ~[]byte](a, b T) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// format prints the word "redacted", in quotes where the verb or flag would
// have quoted a string.
func format(f fmt.State, verb rune) {
	word := Redacted
	if verb == 'q' || f.Flag('#') {
		word = strconv.Quote(word)
	}
	// A formatter cannot report a failed write: fmt writes to its own buffer.
	_, _ = f.Write([]byte(word))
}
