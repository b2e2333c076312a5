// Package view keeps the state that is derived from a region's ledger: SQLite
// tables for questions. It is disposable. Every row comes from a record, so a
// view that is missing, of another version, ahead of its ledger or damaged is
// dropped and built again by replay; nothing is lost with it.
//
// There is one writer, the sequencer, which holds a [Tx] for each block, and
// many readers, each with a snapshot of its own. The file is in WAL mode with
// synchronous=NORMAL: a power cut may take the newest blocks from the view,
// never its consistency, and the ledger has them.
//
// The package knows no owner of tables: a domain's store hands in a [Store].
package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"beffroi.dev/internal/ledger"
)

// A Store is one domain's part of the view: its tables, and how each kind of
// record changes them. Several stores may apply the same kind.
type Store struct {
	Name    string // prefix of its tables, unique
	Version int    // raise it when the meaning of a row changes
	Schema  string // CREATE TABLE … STRICT statements
	Apply   map[string]func(tx *Tx, rec ledger.Record) error
}

// Source is where a view reads the records that it has not applied yet.
type Source interface {
	Size() uint64
	Read(seq uint64) ([]byte, error)
	Range(from, to uint64, f func(seq uint64, line []byte) error) error
}

// Config says where the view is kept and what it is made of.
type Config struct {
	Dir     string // a directory that holds nothing else
	Stores  []Store
	Source  Source
	Readers int // concurrent readers; 0 means 4
	Log     *slog.Logger
}

// A View is open for one writer and many readers.
type View struct {
	c        Config
	write    *sqlite.Conn // owned by the holder of the open Tx
	pool     *sqlitex.Pool
	applied  uint64 // the next sequence number to apply; owned by the writer
	apply    map[string][]func(*Tx, ledger.Record) error
	replayed uint64
}

// errStale says that the stored view cannot be brought up to date.
var errStale = errors.New("view is stale")

// Open opens the view, or builds it anew, and brings it up to the ledger.
func Open(ctx context.Context, c Config) (*View, error) {
	if c.Readers == 0 {
		c.Readers = 4
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make view directory: %w", err)
	}
	v, err := open(ctx, c)
	if err == nil {
		return v, nil
	}
	if !rebuildable(err) {
		return nil, err
	}
	c.Log.WarnContext(ctx, "building the view anew from the ledger", "reason", err.Error())
	if err := Drop(c.Dir); err != nil {
		return nil, err
	}
	return open(ctx, c)
}

// Drop removes a closed view; the next Open replays the ledger.
func Drop(dir string) error {
	for _, name := range []string{"view.db", "view.db-wal", "view.db-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop view: %w", err)
		}
	}
	return nil
}

func rebuildable(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() { //nolint:exhaustive // the other codes are failures of the disk or of ours
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultSchema, sqlite.ResultFormat:
		return true
	default:
		return errors.Is(err, errStale)
	}
}

func open(ctx context.Context, c Config) (_ *View, err error) {
	path := filepath.Join(c.Dir, "view.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, fmt.Errorf("open view %s: %w", path, err)
	}
	v := &View{c: c, write: conn, apply: map[string][]func(*Tx, ledger.Record) error{}}
	for _, s := range c.Stores {
		for kind, f := range s.Apply {
			v.apply[kind] = append(v.apply[kind], f)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if err := v.prepare(); err != nil {
		return nil, err
	}
	v.pool, err = sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadOnly, PoolSize: c.Readers,
		PrepareConn: func(conn *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(conn, "PRAGMA cache_size = -4096", nil)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open readers of view: %w", err)
	}
	if err := v.catchUp(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// prepare sets up the writing connection and the tables, and refuses a view
// that was made by another version or for another ledger.
func (v *View) prepare() error {
	for _, p := range []string{"synchronous = NORMAL", "cache_size = -16384", "temp_store = MEMORY", "wal_autocheckpoint = 4000"} {
		if err := sqlitex.ExecuteTransient(v.write, "PRAGMA "+p, nil); err != nil {
			return fmt.Errorf("prepare view: %s: %w", p, err)
		}
	}
	const meta = `CREATE TABLE IF NOT EXISTS view_meta (one INTEGER PRIMARY KEY CHECK (one = 1), fingerprint TEXT NOT NULL, applied INTEGER NOT NULL, last BLOB) STRICT;`
	if err := sqlitex.ExecuteScript(v.write, meta, nil); err != nil {
		return fmt.Errorf("prepare view: %w", err)
	}
	want, found := v.fingerprint(), ""
	var last []byte
	tx := &Tx{v: v, conn: v.write}
	_, err := tx.One(`SELECT fingerprint, applied, last FROM view_meta`, func(r Row) error {
		found, v.applied, last = r.Text(0), r.Uint(1), r.Bytes(2)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read view version: %w", err)
	}
	switch {
	case found == "":
		return v.create(want)
	case found != want:
		return fmt.Errorf("made by another version: %w", errStale)
	case v.applied > v.c.Source.Size():
		return fmt.Errorf("%d records applied, the ledger has %d: %w", v.applied, v.c.Source.Size(), errStale)
	case v.applied > 0:
		line, err := v.c.Source.Read(v.applied - 1)
		if err != nil {
			return fmt.Errorf("read record %d: %w", v.applied-1, err)
		}
		if h := sha256.Sum256(line); string(h[:]) != string(last) {
			return fmt.Errorf("record %d is another one in the ledger: %w", v.applied-1, errStale)
		}
	}
	return nil
}

func (v *View) create(fingerprint string) error {
	for _, s := range v.c.Stores {
		if err := sqlitex.ExecuteScript(v.write, s.Schema, nil); err != nil {
			return fmt.Errorf("create tables of %s: %w", s.Name, err)
		}
	}
	tx := &Tx{v: v, conn: v.write}
	if err := tx.Exec(`INSERT INTO view_meta (one, fingerprint, applied) VALUES (1, ?, 0)`, fingerprint); err != nil {
		return fmt.Errorf("stamp view: %w", err)
	}
	return nil
}

func (v *View) fingerprint() string {
	h := sha256.New()
	for _, s := range v.c.Stores {
		fmt.Fprintf(h, "%s\x00%d\x00%s\x00", s.Name, s.Version, s.Schema)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// replayBlock is how many records one transaction of a replay applies.
const replayBlock = 4096

func (v *View) catchUp(ctx context.Context) error {
	from, to := v.applied, v.c.Source.Size()
	if from == to {
		return nil
	}
	tx, err := v.Begin()
	if err != nil {
		return err
	}
	err = v.c.Source.Range(from, to, func(seq uint64, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := ledger.ParseRecord(b)
		if err != nil {
			return fmt.Errorf("parse record %d: %w", seq, err)
		}
		if err := tx.Apply(rec, b); err != nil {
			return err
		}
		if (seq-from)%replayBlock != replayBlock-1 {
			return nil
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		if tx, err = v.Begin(); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("replay records %d to %d: %w", from, to, err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	v.replayed = to - from
	return nil
}

// Applied is the number of records that the view holds.
func (v *View) Applied() uint64 { return v.applied }

// Replayed is how many records Open had to apply.
func (v *View) Replayed() uint64 { return v.replayed }

// Read calls f with a snapshot that does not change while f runs.
func (v *View) Read(ctx context.Context, f func(*Tx) error) (err error) {
	conn, err := v.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("take a reader: %w", err)
	}
	defer v.pool.Put(conn)
	tx := &Tx{v: v, conn: conn}
	if err := tx.Exec("BEGIN"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Exec("ROLLBACK")) }()
	return f(tx)
}

// Close waits for no one: the caller has stopped the writer and the readers.
func (v *View) Close() error {
	var errPool error
	if v.pool != nil {
		errPool = v.pool.Close()
	}
	return errors.Join(errPool, v.write.Close())
}
