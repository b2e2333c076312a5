package person

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/secret"
)

// A token as its owner holds it: bft_<id>_<secret><checksum>. The id is 10
// characters of base 36, the secret 32 random bytes as 43 characters of base
// 62, the checksum 6 characters of base 62 over all before it.
const (
	tokenPrefix   = "bft_"
	tokenIDLen    = 10
	tokenSecret   = 32 // bytes
	tokenSecLen   = 43
	tokenCheckLen = 6
	tokenLen      = len(tokenPrefix) + tokenIDLen + 1 + tokenSecLen + tokenCheckLen
	digits        = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// What is wrong with a token that is presented. Only ErrTokenMistyped,
// ErrTokenExpired, ErrTokenRevoked and ErrTokenOwner say more than "no": the
// first of what was typed, the others to who holds the right secret.
var (
	ErrTokenForm     = errs.E(errs.Unauthenticated, "this is not a Beffroi token: one starts with bft_")
	ErrTokenMistyped = errs.E(errs.Unauthenticated, "the token was mistyped or cut off")
	ErrTokenWrong    = errs.E(errs.Unauthenticated, "the token is not valid")
	ErrTokenRevoked  = errs.E(errs.Unauthenticated, "the token was revoked")
	ErrTokenExpired  = errs.E(errs.Unauthenticated, "the token has expired")
	ErrTokenOwner    = errs.E(errs.Unauthenticated, "the owner of the token is not active any more")
)

// A Token lets a person or a machine use the API within some roles.
//
// It is stored, and stands in the ledger, as the SHA-256 of the whole text. A
// slow hash, as for passwords, would add nothing: the secret is 256 random
// bits, so nobody finds it by trying, however fast, and each request would pay.
// For the same reason the hash may be read by every auditor.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`  // what it is for
	Owner   string    `json:"owner"` // person/ada, machine/ci: the actor of what it does
	Roles   []Role    `json:"roles"`
	Hash    string    `json:"hash"`             // hex SHA-256 of the text
	Expires time.Time `json:"expires,omitzero"` // zero: never

	CreatedAt time.Time `json:"created_at,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RevokedBy string    `json:"revoked_by,omitempty"`
}

// NewToken makes a token: id, secret and hash. t says its name, owner, roles
// and expiry. The text is returned once, to be shown once.
func NewToken(random io.Reader, t Token, now time.Time) (Token, secret.String, error) {
	if err := t.check(now); err != nil {
		return Token{}, secret.String{}, err
	}
	var b [8 + tokenSecret]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Token{}, secret.String{}, fmt.Errorf("make a token: %w", err)
	}
	t.ID = number(b[:8], 36, tokenIDLen)
	body := tokenPrefix + t.ID + "_" + number(b[8:], 62, tokenSecLen)
	text := body + checksum(body)
	t.Hash = hash(text)
	t.Roles = slices.Clone(t.Roles)
	return t, secret.New(text), nil
}

// check says what is wrong with the wish for a token.
func (t Token) check(now time.Time) error {
	var issues errs.Issues
	add := func(field, msg, hint string) {
		issues = append(issues, errs.Issue{Field: field, Msg: msg, Hint: hint})
	}
	if n := len(strings.TrimSpace(t.Name)); n == 0 || n > 100 {
		add("name", "a token needs a name of at most 100 bytes", "say what it is for")
	}
	kind, name, _ := strings.Cut(t.Owner, "/")
	if (kind != "person" && kind != "machine") || !isName(name) {
		add("owner", fmt.Sprintf("%q cannot own a token", t.Owner), "write person/NAME or machine/NAME")
	}
	if len(t.Roles) == 0 {
		add("roles", "a token without a role may do nothing", "give at least one role")
	}
	for i, r := range t.Roles {
		if _, err := ParseRole(string(r)); err != nil {
			add(fmt.Sprintf("roles[%d]", i), err.Error(), "")
		}
	}
	if !t.Expires.IsZero() && !t.Expires.After(now) {
		add("expires", "the token would be expired from the start", "")
	}
	return issues.Err()
}

// TokenID returns the id inside the text of a token, after checking its form
// and its checksum. It says nothing about whether there is such a token.
func TokenID(text string) (string, error) {
	if !strings.HasPrefix(text, tokenPrefix) {
		return "", ErrTokenForm
	}
	at := len(tokenPrefix) + tokenIDLen
	if len(text) != tokenLen || text[at] != '_' {
		return "", ErrTokenMistyped
	}
	body := text[:tokenLen-tokenCheckLen]
	if !secret.Equal(checksum(body), text[len(body):]) {
		return "", ErrTokenMistyped
	}
	return text[len(tokenPrefix):at], nil
}

// Verify returns nil when text is the token's, and the token may be used now:
// it is neither revoked nor expired, and its owner, if a person, is active.
func (t Token) Verify(text string, now time.Time, d *Directory) error {
	if t.Hash == "" || !secret.Equal(hash(text), t.Hash) {
		return ErrTokenWrong
	}
	if !t.RevokedAt.IsZero() {
		return ErrTokenRevoked
	}
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return ErrTokenExpired
	}
	if strings.HasPrefix(t.Owner, machinePrefix) {
		return nil
	}
	if p, ok := d.Person(t.Owner); !ok || !p.Active || !strings.HasPrefix(t.Owner, personPrefix) {
		return ErrTokenOwner
	}
	return nil
}

// May reports whether one of the token's roles has a permission.
func (t Token) May(p Permission) bool {
	return slices.ContainsFunc(t.Roles, func(r Role) bool { return r.May(p) })
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// checksum is for typing errors only: anybody can compute it.
func checksum(body string) string {
	sum := sha256.Sum256([]byte("beffroi token " + body))
	return number(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(sum[:4])), 62, tokenCheckLen)
}

// number writes bytes as a number of exactly width digits. What does not fit
// is cut off at the high end, which is meant for ids alone.
func number(b []byte, base int64, width int) string {
	n, m, radix := new(big.Int).SetBytes(b), new(big.Int), big.NewInt(base)
	out := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, radix, m)
		out[i] = digits[m.Int64()]
	}
	return string(out)
}
