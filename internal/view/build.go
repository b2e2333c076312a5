package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite/sqlitex"

	"beffroi.dev/internal/ledger"
)

// build makes the view of all records, in a file of its own that gets its name
// when it is whole: until then nothing need be kept from a crash, which makes
// it faster. It returns how many records it applied.
func build(ctx context.Context, c Config) (applied uint64, err error) {
	v, err := connect(c, newName, 0, "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -65536")
	if err != nil {
		return 0, err
	}
	err = v.create()
	if err == nil {
		err = v.catchUp(ctx)
	}
	if err = errors.Join(err, v.write.Close()); err != nil {
		return 0, err
	}
	return v.Applied(), keep(c.Dir)
}

// keep gives a view that was built its name.
func keep(dir string) error {
	built := filepath.Join(dir, newName)
	f, err := os.OpenFile(built, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("keep the view that was built: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep the view that was built: %w", err)
	}
	if err := os.Rename(built, filepath.Join(dir, fileName)); err != nil {
		return fmt.Errorf("keep the view that was built: %w", err)
	}
	return nil
}

// create makes the tables.
func (v *View) create() error {
	if err := sqlitex.ExecuteScript(v.write, fmt.Sprintf("PRAGMA user_version = %d; %s", format, meta), nil); err != nil {
		return fmt.Errorf("create the view: %w", err)
	}
	for _, s := range v.c.Stores {
		if err := sqlitex.ExecuteScript(v.write, s.Schema, nil); err != nil {
			return fmt.Errorf("create tables of %s: %w", s.Name, err)
		}
	}
	tx := &Tx{v: v, conn: v.write}
	if err := tx.Exec(`INSERT INTO view_meta (one, fingerprint, applied, last, clean) VALUES (1, ?, 0, x'', 1)`, fingerprint(v.c.Stores)); err != nil {
		return fmt.Errorf("stamp view: %w", err)
	}
	return nil
}

// fingerprint is of all that rows depend on beside the records.
func fingerprint(stores []Store) string {
	h := sha256.New()
	for _, s := range stores {
		fmt.Fprintf(h, "%s\x00%d\x00%s\x00", s.Name, s.Version, s.Schema)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// replayBlock is how many records one transaction of a replay applies.
const replayBlock = 16_384

// catchUp applies what the ledger has and the view has not.
func (v *View) catchUp(ctx context.Context) error {
	from, to := v.Applied(), v.c.Source.Size()
	if from == to {
		return nil
	}
	tx, err := v.Begin()
	if err != nil {
		return err
	}
	err = v.c.Source.Range(from, to, func(seq uint64, line []byte) (err error) {
		if tx, err = v.nextBlock(ctx, tx); err != nil {
			return err
		}
		rec, err := ledger.ParseRecord(line)
		if err != nil {
			return fmt.Errorf("parse record %d: %w", seq, err)
		}
		err = tx.Apply(rec, line)
		if from > 0 {
			err = stale(err) // perhaps what is stored is not what the records say
		}
		return err
	})
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		if tx != nil {
			err = errors.Join(err, tx.Rollback())
		}
		return fmt.Errorf("replay records %d to %d: %w", from, to-1, err)
	}
	v.replayed = to - from
	return nil
}

// nextBlock goes on with tx until it is full. It returns nil with an error
// when it cannot.
func (v *View) nextBlock(ctx context.Context, tx *Tx) (*Tx, error) {
	if err := ctx.Err(); err != nil {
		return tx, err
	}
	if len(tx.pending) < replayBlock {
		return tx, nil
	}
	if err := tx.Commit(); err != nil {
		return tx, err
	}
	return v.Begin()
}
