// Package view keeps the state that is derived from a region's ledger: SQLite
// tables for questions. It is disposable. Every row comes from a record, so a
// view that is missing, of another version, ahead of its ledger or damaged is
// dropped and built again by replay, and the log says why; nothing is lost
// with it.
//
// It promises that replay gives the same rows as live application, that a
// reader sees whole blocks only, and that what a view holds can be checked
// against the ledger ([Check]). It never changes the ledger.
//
// There is one writer, the sequencer, which holds a [Tx] for each block, and
// many readers, each with a snapshot of its own. The file is in WAL mode with
// synchronous=NORMAL (sqlite.org/wal.html, "Performance Considerations"): a
// power cut may take the newest blocks from the view, never its consistency,
// and the ledger has them.
//
// The package knows no owner of tables: a domain's store hands in a [Store].
package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

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
	// Apply changes the tables by what a record says and by what they hold,
	// by nothing else: it is called again on replay.
	Apply map[string]func(tx *Tx, rec ledger.Record) error
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
	apply    map[string][]func(*Tx, ledger.Record) error
	write    *sqlite.Conn // owned by the holder of the open Tx
	pool     *sqlitex.Pool
	applied  atomic.Uint64 // the next sequence number to apply; set by the writer alone
	replayed uint64
	ready    bool // Open has finished
}

// The files of a view, in its directory.
const (
	fileName = "view.db"
	walName  = "view.db-wal"
	shmName  = "view.db-shm"
	newName  = "view.db.new" // is being built
)

// Open opens the view, or builds it anew, and brings it up to the ledger.
func Open(ctx context.Context, c Config) (*View, error) {
	if c.Readers == 0 {
		c.Readers = 4
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make view directory: %w", err)
	}
	v, err := open(ctx, c)
	if err == nil || !rebuildable(err) {
		return v, err
	}
	if !errors.Is(err, errNone) {
		c.Log.WarnContext(ctx, "building the view anew from the ledger", "reason", err.Error())
	}
	if err := Drop(c.Dir); err != nil {
		return nil, err
	}
	built, err := build(ctx, c)
	if err != nil {
		return nil, err
	}
	if v, err = open(ctx, c); err == nil {
		v.replayed += built
	}
	return v, err
}

// Drop removes a closed view; the next Open replays the ledger.
func Drop(dir string) error {
	for _, name := range []string{fileName, walName, shmName, newName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop view: %w", err)
		}
	}
	return nil
}

// connect opens the file for the writer.
func connect(c Config, name string, flags sqlite.OpenFlags, settings ...string) (*View, error) {
	path := filepath.Join(c.Dir, name)
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|flags)
	if err != nil {
		return nil, fmt.Errorf("open view %s: %w", path, err)
	}
	v := &View{c: c, write: conn, apply: map[string][]func(*Tx, ledger.Record) error{}}
	for _, s := range c.Stores {
		for kind, f := range s.Apply {
			v.apply[kind] = append(v.apply[kind], f)
		}
	}
	for _, s := range append(settings, "temp_store = MEMORY") {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+s, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up view %s: %w", path, err), conn.Close())
		}
	}
	return v, nil
}

// open opens a view that was built, and brings it up to the ledger.
func open(ctx context.Context, c Config) (_ *View, err error) {
	if err := readable(filepath.Join(c.Dir, fileName)); err != nil {
		return nil, err
	}
	v, err := connect(c, fileName, sqlite.OpenWAL, "synchronous = NORMAL", "cache_size = -16384", "wal_autocheckpoint = 4000")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if err := v.recognise(); err != nil {
		return nil, err
	}
	v.pool, err = sqlitex.NewPool(filepath.Join(c.Dir, fileName), sqlitex.PoolOptions{
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
	v.ready = true
	return v, nil
}

// Applied is the number of records that the view holds.
func (v *View) Applied() uint64 { return v.applied.Load() }

// Replayed is how many records Open had to apply.
func (v *View) Replayed() uint64 { return v.replayed }

// Read calls f with a snapshot that does not change while f runs. When ctx
// ends, so does the query under way.
func (v *View) Read(ctx context.Context, f func(*Tx) error) (err error) {
	conn, err := v.pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("take a reader: %w", err)
	}
	defer v.pool.Put(conn)
	tx := &Tx{v: v, conn: conn, reader: true}
	defer func() {
		// The end of ctx must not keep the snapshot from being given back.
		conn.SetInterrupt(nil)
		if e := tx.Rollback(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	if err = tx.Exec("BEGIN"); err == nil {
		err = f(tx)
	}
	if err != nil && ctx.Err() != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt {
		return fmt.Errorf("read view: %w", ctx.Err())
	}
	return err
}

// Close waits for no one: the caller has stopped the writer and the readers.
func (v *View) Close() error {
	var errPool error
	if v.pool != nil {
		errPool = v.pool.Close()
	}
	if v.ready && v.write.AutocommitEnabled() {
		// If the mark cannot be set, the next Open looks the view over: no
		// failure that anybody need hear of.
		_ = sqlitex.ExecuteTransient(v.write, `UPDATE view_meta SET clean = 1`, nil)
	}
	return errors.Join(errPool, v.write.Close())
}
