// Package store is the memory of API tokens. It holds their hashes, never the
// tokens. People and teams are documents and have no table of their own.
package store

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	return view.Store{Name: "person", Version: 1, Schema: schema, Apply: map[string]func(*view.Tx, ledger.Record) error{
		person.KindTokenCreated: apply,
		person.KindTokenRevoked: apply,
	}}
}

func apply(tx *view.Tx, rec ledger.Record) error {
	id := strings.TrimPrefix(rec.Subject, "token/")
	t, err := get(tx, id)
	if err != nil && rec.Kind != person.KindTokenCreated {
		return err
	}
	if t, err = person.ApplyToken(t, rec.Kind, rec.Data, rec.Time, rec.Actor); err != nil {
		return err
	}
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return tx.Exec(`INSERT INTO person_token (id, token, seq) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET token = excluded.token`, id, string(b), rec.Seq)
}

func get(tx *view.Tx, id string) (t person.Token, err error) {
	found, err := tx.One(`SELECT token FROM person_token WHERE id = ?`, func(r view.Row) error {
		return json.Unmarshal([]byte(r.Text(0)), &t)
	}, id)
	if err == nil && !found {
		return t, errs.E(errs.NotFound, "there is no token %s", id)
	}
	return t, err
}

// Tokens makes, checks and revokes API tokens.
type Tokens struct {
	View      *view.View
	Sequencer *sequencer.Sequencer
	Directory func() *person.Directory // of the moment
	Now       func() time.Time
}

// Create makes a token and returns its text, which is shown once and is
// nowhere else.
func (s *Tokens) Create(ctx context.Context, want person.Token, actor string) (person.Token, secret.String, error) {
	if name, ok := strings.CutPrefix(want.Owner, "person/"); ok {
		if _, known := s.Directory().Person(want.Owner); !known {
			return want, secret.String{}, errs.Hint(errs.Invalid, "apply a document of kind person first", "there is no person %s", name)
		}
	}
	t, text, err := person.NewToken(rand.Reader, want, s.Now())
	if err != nil {
		return t, text, err
	}
	_, err = s.Sequencer.Do(ctx, func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: person.KindTokenCreated, Subject: "token/" + t.ID, Actor: actor, Data: t.Created()}}, nil
	})
	return t, text, err
}

// Revoke ends a token.
func (s *Tokens) Revoke(ctx context.Context, id, why, actor string) error {
	_, err := s.Sequencer.Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		t, err := get(tx, id)
		if err != nil {
			return nil, err
		}
		if !t.RevokedAt.IsZero() {
			return nil, errs.E(errs.Conflict, "token %s was revoked already, by %s", id, t.RevokedBy)
		}
		return []ledger.Draft{{Kind: person.KindTokenRevoked, Subject: "token/" + id, Actor: actor, Data: person.TokenRevoked{Why: why}}}, nil
	})
	return err
}

// Check returns the token of a text that may be used now. What is wrong is said
// to the owner of a token, not to who guesses.
func (s *Tokens) Check(ctx context.Context, text string) (t person.Token, err error) {
	id, err := person.TokenID(text)
	if err != nil {
		return t, err
	}
	err = s.View.Read(ctx, func(tx *view.Tx) error {
		t, err = get(tx, id)
		return err
	})
	if errs.KindOf(err) == errs.NotFound {
		return t, person.ErrTokenWrong
	}
	if err != nil {
		return t, err
	}
	return t, t.Verify(text, s.Now(), s.Directory())
}

// List lists all tokens, oldest first.
func (s *Tokens) List(ctx context.Context) ([]person.Token, error) {
	out := []person.Token{}
	err := s.View.Read(ctx, func(tx *view.Tx) error {
		return tx.Query(`SELECT token FROM person_token ORDER BY seq`, func(r view.Row) error {
			var t person.Token
			if err := json.Unmarshal([]byte(r.Text(0)), &t); err != nil {
				return fmt.Errorf("decode token: %w", err)
			}
			out = append(out, t)
			return nil
		})
	})
	return out, err
}
