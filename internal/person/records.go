package person

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kinds of record about tokens. The subject is token/ and the token's id.
const (
	KindTokenCreated = "token.created" // data: TokenCreated
	KindTokenRevoked = "token.revoked" // data: TokenRevoked
)

// TokenCreated says that a token was made. It holds the hash, never the text.
type TokenCreated struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Owner   string    `json:"owner"`
	Roles   []Role    `json:"roles"`
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires,omitzero"`
}

// TokenRevoked says that a token stopped working.
type TokenRevoked struct {
	Why string `json:"why,omitempty"`
}

// Created returns the data of the record that a new token was made.
func (t Token) Created() TokenCreated {
	return TokenCreated{ID: t.ID, Name: t.Name, Owner: t.Owner, Roles: t.Roles, Hash: t.Hash, Expires: t.Expires}
}

// ApplyToken returns the token after one record about it, given the record's
// kind, data, time and actor. Revoking twice keeps the first time.
func ApplyToken(t Token, kind string, data []byte, at time.Time, by string) (Token, error) {
	switch kind {
	case KindTokenCreated:
		var c TokenCreated
		if err := json.Unmarshal(data, &c); err != nil {
			return t, fmt.Errorf("apply %s: decode data: %w", kind, err)
		}
		if t.ID != "" || c.ID == "" {
			return t, fmt.Errorf("apply %s: token %q is there already, or has no id", kind, t.ID)
		}
		return Token{
			ID: c.ID, Name: c.Name, Owner: c.Owner, Roles: c.Roles, Hash: c.Hash, Expires: c.Expires,
			CreatedAt: at, CreatedBy: by,
		}, nil
	case KindTokenRevoked:
		if t.ID == "" {
			return t, fmt.Errorf("apply %s: there is no such token", kind)
		}
		if t.RevokedAt.IsZero() {
			t.RevokedAt, t.RevokedBy = at, by
		}
		return t, nil
	default:
		return t, fmt.Errorf("apply %s: no such kind of record", kind)
	}
}
