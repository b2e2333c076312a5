package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// KeySize is the length of a key in bytes.
	KeySize = 32

	version   = "v1"
	saltSize  = 32
	nonceSize = 12
	tagSize   = 16
	idSize    = 8
)

// ErrNotSealed reports a text that is not a sealed value of a known version.
var ErrNotSealed = errors.New("not a sealed value")

// ErrSealBroken reports a sealed value that does not open: it was changed, or
// it was sealed with another key or for another place.
var ErrSealBroken = errors.New("the sealed value does not open: it was changed, or sealed for another place")

// encoding refuses padding and stray bits, so that a value has one text only.
var encoding = base64.RawURLEncoding.Strict()

// A Key seals and opens. Its id is derived from the key, so that two keys
// never share an id and a mistyped key is found. It prints as "redacted". The
// zero Key seals and opens nothing.
type Key struct {
	id string
	// bytes returns the key. It stands in a function because fmt prints the
	// contents of unexported fields, even behind a pointer when the verb does
	// not fit, and of a function only the address.
	bytes func() []byte
}

// NewKey returns the key made of the given 32 bytes.
func NewKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("a key has %d bytes, not %d", KeySize, len(b))
	}
	own := bytes.Clone(b)
	id, err := hkdf.Key(sha256.New, b, nil, "beffroi key id", idSize)
	if err != nil {
		return Key{}, fmt.Errorf("derive key id: %w", err)
	}
	return Key{hex.EncodeToString(id), func() []byte { return own }}, nil
}

// GenerateKey returns a new key from random, which must be a cryptographic
// source.
func GenerateKey(random io.Reader) (Key, error) {
	var b [KeySize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	return NewKey(b[:])
}

// ID returns the key's public name: 16 hexadecimal digits.
func (k Key) ID() string { return k.id }

// Format prints the word "redacted" for every verb and flag.
func (k Key) Format(f fmt.State, verb rune) { format(f, verb) }

// MarshalText encodes the word "redacted".
func (k Key) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// Seal encrypts plaintext and binds it to place: the same place must be given
// to open it, so that a sealed value that is moved elsewhere does not open.
//
// Each message has its own AES key and nonce, derived from 32 bytes of random:
// there is no limit on the number of messages that a person could reach.
func (k Key) Seal(random io.Reader, plaintext, place []byte) (string, error) {
	if k.bytes == nil {
		return "", errors.New("seal: no key")
	}
	salt := make([]byte, saltSize, saltSize+len(plaintext)+tagSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("seal: read random salt: %w", err)
	}
	aead, nonce, err := k.message(salt)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	body := aead.Seal(salt, nonce, plaintext, place)
	return version + "." + k.id + "." + encoding.EncodeToString(body), nil
}

// Open decrypts what Seal returned for the same place. The error is
// ErrNotSealed or ErrSealBroken, and says nothing about the plaintext.
func (k Key) Open(sealed string, place []byte) ([]byte, error) {
	id, body, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	if k.bytes == nil || id != k.id {
		return nil, ErrSealBroken
	}
	aead, nonce, err := k.message(body[:saltSize])
	if err != nil {
		return nil, fmt.Errorf("open sealed value: %w", err)
	}
	plaintext, err := aead.Open(nil, nonce, body[saltSize:], place)
	if err != nil {
		return nil, ErrSealBroken
	}
	return plaintext, nil
}

// SealedWith returns the id of the key that sealed the value.
func SealedWith(sealed string) (string, error) {
	id, _, err := parse(sealed)
	return id, err
}

// message derives the cipher and nonce of one message from its salt.
func (k Key) message(salt []byte) (cipher.AEAD, []byte, error) {
	sub, err := hkdf.Key(sha256.New, k.bytes(), salt, "beffroi seal "+version, KeySize+nonceSize)
	if err != nil {
		return nil, nil, fmt.Errorf("derive message key: %w", err)
	}
	block, err := aes.NewCipher(sub[:KeySize])
	if err != nil {
		return nil, nil, fmt.Errorf("message cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("message cipher: %w", err)
	}
	return aead, sub[KeySize:], nil
}

// parse splits v1.<key id>.<base64url>. The body is long enough for the salt
// and the tag.
func parse(sealed string) (id string, body []byte, err error) {
	rest, ok := strings.CutPrefix(sealed, version+".")
	if !ok {
		return "", nil, ErrNotSealed
	}
	id, text, ok := strings.Cut(rest, ".")
	if !ok || !isID(id) || strings.ContainsAny(text, "\r\n") {
		return "", nil, ErrNotSealed
	}
	body, err = encoding.DecodeString(text)
	if err != nil || len(body) < saltSize+tagSize {
		return "", nil, ErrNotSealed
	}
	return id, body, nil
}

func isID(s string) bool {
	return len(s) == 2*idSize && strings.Trim(s, "0123456789abcdef") == ""
}
