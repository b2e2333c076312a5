package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"beffroi.dev/internal/errs"
)

// keys are the Ed25519 keys of a ledger in the form of package note. Both are
// named after the origin of its checkpoints.
type keys struct {
	signer   note.Signer // nil in a log that is open for reading
	verifier note.Verifier
	public   string // the verifier key as text
}

// loadKeys reads the keys in c.Dir, and makes them when there is no ledger yet.
func loadKeys(c Config) (k keys, err error) {
	l := Log{c: c}
	secret, err := readFile(c.FS, l.path(keyName))
	if errors.Is(err, fs.ErrNotExist) {
		if used, err := l.inUse(); err != nil || used {
			return keys{}, errors.Join(err, errs.Hint(errs.Unavailable, "put it back from a backup", "the ledger's key %s is gone", l.path(keyName)))
		}
		secret, err = makeKey(c)
	}
	if err != nil {
		return keys{}, fmt.Errorf("read the ledger's key: %w", err)
	}
	if k, err = parseKeyFile(secret); err != nil {
		return keys{}, &DamageError{File: keyName, Msg: "is not a signing key", Err: err}
	}
	public, err := readFile(c.FS, l.path(pubName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = replaceFile(c.FS, l.path(pubName), []byte(k.public+"\n"), 0o644)
	case err == nil && !bytes.Equal(public, []byte(k.public+"\n")):
		err = &DamageError{File: pubName, Msg: "does not belong to " + keyName}
	}
	if err != nil {
		return keys{}, fmt.Errorf("read the ledger's public key: %w", err)
	}
	if c.Origin != "" && k.verifier.Name() != c.Origin {
		return keys{}, errs.Hint(errs.Conflict, "configure that one, or another directory", "the ledger in %s has the origin %s", c.Dir, k.verifier.Name())
	}
	return k, nil
}

// inUse says whether the directory holds more of a ledger than a key.
func (l *Log) inUse() (bool, error) {
	tails, err := l.c.FS.Names(l.path(tailDir))
	if err != nil {
		return false, fmt.Errorf("list tail files: %w", err)
	}
	_, err = readFile(l.c.FS, l.path(pubName))
	return len(tails) > 0 || !errors.Is(err, fs.ErrNotExist), nil
}

// makeKey writes a new signing key.
func makeKey(c Config) ([]byte, error) {
	if c.Origin == "" {
		var id [8]byte
		rand.Read(id[:])
		c.Origin = "beffroi/" + hex.EncodeToString(id[:])
	}
	skey, _, err := note.GenerateKey(rand.Reader, c.Origin)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	if _, err := note.NewSigner(skey); err != nil {
		return nil, errs.Hint(errs.Invalid, "no spaces, no plus sign", "%q cannot be the origin of a ledger", c.Origin)
	}
	l := Log{c: c}
	return []byte(skey + "\n"), replaceFile(c.FS, l.path(keyName), []byte(skey+"\n"), 0o600)
}

// parseKeyFile reads a signing key and the newline after it.
func parseKeyFile(b []byte) (keys, error) {
	text, ok := strings.CutSuffix(string(b), "\n")
	if !ok {
		return keys{}, errors.New("malformed key")
	}
	return parseKeys(text)
}

// parseKeys reads a signing key in the form of package note,
// PRIVATE+KEY+<name>+<hash>+<algorithm and seed>, and derives the public one.
// It accepts the one spelling that package note writes.
func parseKeys(skey string) (k keys, err error) {
	if k.signer, err = note.NewSigner(skey); err != nil {
		return keys{}, err
	}
	parts := strings.SplitN(skey, "+", 5) // NewSigner has seen that there are five
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize || parts[3] != fmt.Sprintf("%08x", k.signer.KeyHash()) {
		return keys{}, errors.New("malformed key")
	}
	public, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return keys{}, errors.New("internal error: no Ed25519 key")
	}
	if k.public, err = note.NewEd25519VerifierKey(k.signer.Name(), public); err != nil {
		return keys{}, err
	}
	k.verifier, err = note.NewVerifier(k.public)
	return k, err
}

// loadPublicKey reads the verifier key in c.Dir.
func loadPublicKey(c Config) (keys, error) {
	l := Log{c: c}
	b, err := readFile(c.FS, l.path(pubName))
	if errors.Is(err, fs.ErrNotExist) {
		return keys{}, notFound("there is no ledger in %s", c.Dir)
	}
	if err != nil {
		return keys{}, fmt.Errorf("read the ledger's public key: %w", err)
	}
	public, ok := strings.CutSuffix(string(b), "\n")
	v, err := note.NewVerifier(public)
	if err != nil || !ok {
		return keys{}, &DamageError{File: pubName, Msg: "is not a verifier key", Err: err}
	}
	return keys{verifier: v, public: public}, nil
}
