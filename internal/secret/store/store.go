// Package store keeps secrets by name: sealed in the ledger with the node's
// keyring, opened only for the call that needs them. Documents name a secret,
// they never hold one.
//
// It promises that a secret's value is in no query, no error and no listing.
package store

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Kinds of record that this package owns.
const (
	KindSet     = "secret.set"
	KindRemoved = "secret.removed"
)

// Set is the data of secret.set. The value is sealed for its name.
type Set struct {
	Name   string `json:"name"`
	Sealed string `json:"sealed"`
	Key    string `json:"key"` // id of the key that sealed it
}

// Removed is the data of secret.removed.
type Removed struct {
	Name string `json:"name"`
}

//go:embed schema.sql
var schema string

// View is the part of the view that this package owns.
func View() view.Store {
	return view.Store{Name: "secret", Version: 1, Schema: schema, Apply: map[string]func(*view.Tx, ledger.Record) error{
		KindSet: func(tx *view.Tx, rec ledger.Record) error {
			var d Set
			if err := json.Unmarshal(rec.Data, &d); err != nil {
				return fmt.Errorf("decode: %w", err)
			}
			return tx.Exec(`INSERT INTO secret (name, sealed, actor, time) VALUES (?, ?, ?, ?)
				ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, actor = excluded.actor, time = excluded.time`,
				d.Name, d.Sealed, rec.Actor, rec.Time.UnixMicro())
		},
		KindRemoved: func(tx *view.Tx, rec ledger.Record) error {
			var d Removed
			if err := json.Unmarshal(rec.Data, &d); err != nil {
				return fmt.Errorf("decode: %w", err)
			}
			return tx.Exec(`DELETE FROM secret WHERE name = ?`, d.Name)
		},
	}}
}

// A Vault sets and opens secrets. Opened ones are kept in memory until they
// change: calls need them thousands of times a second.
type Vault struct {
	view *view.View
	seq  *sequencer.Sequencer
	keys *secret.Keyring

	mu     sync.Mutex
	opened map[string]secret.String // guarded by mu
	stamps map[string]uint64        // guarded by mu; the record that changed a secret last, since the start
}

// NewVault returns a Vault over the secrets of a view.
func NewVault(v *view.View, s *sequencer.Sequencer, keys *secret.Keyring) *Vault {
	return &Vault{view: v, seq: s, keys: keys, opened: map[string]secret.String{}, stamps: map[string]uint64{}}
}

// Committed forgets the values of secrets that changed. It is one of the
// sequencer's Committed hooks.
func (v *Vault) Committed(recs []ledger.Record) {
	for _, rec := range recs {
		if rec.Kind != KindSet && rec.Kind != KindRemoved {
			continue
		}
		name := strings.TrimPrefix(rec.Subject, "secret/")
		v.mu.Lock()
		delete(v.opened, name)
		v.stamps[name] = rec.Seq
		v.mu.Unlock()
	}
}

// Stamp changes whenever the secret does.
func (v *Vault) Stamp(name string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strconv.FormatUint(v.stamps[name], 10)
}

// Info is what may be seen of a secret.
type Info struct {
	Name  string    `json:"name"`
	Actor string    `json:"set_by"`
	Time  time.Time `json:"set_at"`
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// maxValue is the longest secret, in bytes: a large private key fits.
const maxValue = 16 << 10

// Set seals value and keeps it under name; an older value is replaced.
func (v *Vault) Set(ctx context.Context, name string, value secret.String, actor string) error {
	if !nameForm.MatchString(name) {
		return errs.E(errs.Invalid, "secret name %q: use letters, digits, dots, dashes and underscores, at most 63", name)
	}
	switch n := len(value.Reveal()); {
	case n < secret.MinRedacted:
		return errs.E(errs.Invalid, "the value of %s has %d bytes: at least %d are needed, or it could not be told from other text and hidden", name, n, secret.MinRedacted)
	case n > maxValue:
		return errs.E(errs.TooLarge, "the value of %s has %d bytes, more than %d", name, n, maxValue)
	}
	sealed, err := v.keys.Seal(rand.Reader, []byte(value.Reveal()), place(name))
	if err != nil {
		return fmt.Errorf("seal secret %s: %w", name, err)
	}
	_, err = v.seq.Do(ctx, func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: KindSet, Subject: "secret/" + name, Actor: actor, Data: Set{Name: name, Sealed: sealed, Key: v.keys.Newest()}}}, nil
	})
	return err
}

// Remove forgets a secret. Calls that need it fail from then on.
func (v *Vault) Remove(ctx context.Context, name, actor string) error {
	_, err := v.seq.Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		found, err := tx.One(`SELECT 1 FROM secret WHERE name = ?`, nil, name)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, errs.E(errs.NotFound, "there is no secret %s", name)
		}
		return []ledger.Draft{{Kind: KindRemoved, Subject: "secret/" + name, Actor: actor, Data: Removed{Name: name}}}, nil
	})
	return err
}

// Open returns the value of a secret.
func (v *Vault) Open(ctx context.Context, name string) (secret.String, error) {
	v.mu.Lock()
	known, ok := v.opened[name]
	stamp := v.stamps[name]
	v.mu.Unlock()
	if ok {
		return known, nil
	}
	var sealed string
	var found bool
	err := v.view.Read(ctx, func(tx *view.Tx) (err error) {
		found, err = tx.One(`SELECT sealed FROM secret WHERE name = ?`, func(r view.Row) error {
			sealed = r.Text(0)
			return nil
		}, name)
		return err
	})
	if err != nil {
		return secret.String{}, err
	}
	if !found {
		return secret.String{}, errs.Hint(errs.NotFound, "set it with: beffroi secret set "+name, "there is no secret %s", name)
	}
	b, err := v.keys.Open(sealed, place(name))
	if err != nil {
		return secret.String{}, fmt.Errorf("open secret %s: %w", name, err)
	}
	value := secret.New(string(b))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stamps[name] == stamp { // otherwise it changed while it was being opened
		v.opened[name] = value
	}
	return value, nil
}

// List names the secrets, without their values.
func (v *Vault) List(ctx context.Context) ([]Info, error) {
	out := []Info{}
	err := v.view.Read(ctx, func(tx *view.Tx) error {
		return tx.Query(`SELECT name, actor, time FROM secret ORDER BY name`, func(r view.Row) error {
			out = append(out, Info{Name: r.Text(0), Actor: r.Text(1), Time: time.UnixMicro(r.Int(2)).UTC()})
			return nil
		})
	})
	return out, err
}

func place(name string) []byte { return []byte("secret/" + name) }
