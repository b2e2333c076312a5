package view

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"

	"beffroi.dev/internal/errs"
)

// maxDifferences bounds how many differences one check lists.
const maxDifferences = 20

// A DamageError says in what a stored view is not what the ledger says. The
// remedy is [Drop]: the next [Open] builds the view anew.
type DamageError struct {
	File        string
	Differences []Difference // the first few
}

// A Difference is one thing that is not as the ledger has it.
type Difference struct {
	Table string // empty: the file as a whole
	Row   string // its key: "entity='ip:192.0.2.1' case_id=7"; empty: the table as a whole
	Msg   string
}

func (e *DamageError) Error() string {
	parts := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		if parts[i] = d.Msg; d.Table != "" {
			parts[i] = strings.TrimSuffix("table "+d.Table+" row "+d.Row, " row ") + ": " + d.Msg
		}
	}
	return "the view is damaged: " + e.File + ": " + strings.Join(parts, "; ")
}

// Check compares every row of the stored view with what the ledger says, by
// building the view anew in a directory beside it, which is removed. What is
// wrong is a [DamageError]. A node may be using the view meanwhile: its newest
// block is looked at first, then source opens the ledger, which must have it.
// c.Source is not used.
func Check(ctx context.Context, c Config, source func() (Source, error)) (err error) {
	stored, err := openStored(ctx, c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stored.conn.Close()) }()
	h, err := readHeader(stored)
	if err != nil {
		return damaged(c.Dir, err)
	}
	if c.Source, err = source(); err != nil {
		return err
	}
	if h.format != format || h.fingerprint != fingerprint(c.Stores) {
		return errs.Hint(errs.Conflict, "check it with the program that made it, or start this one, which builds it anew", "the view was made by another version")
	}
	if err := h.fits(c.Stores, c.Source); errors.Is(err, errStale) {
		return damaged(c.Dir, err)
	} else if err != nil {
		return err
	}
	if err := integrity(stored, "integrity_check"); err != nil {
		return damaged(c.Dir, err)
	}
	return compareAnew(ctx, c, stored, h.applied)
}

// openStored opens the view for reading only, and begins a snapshot.
func openStored(ctx context.Context, dir string) (*Tx, error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, errs.E(errs.NotFound, "there is no view in %s: the next start builds it", dir)
	}
	if err := readable(path); errors.Is(err, errStale) {
		return nil, damaged(dir, err)
	} else if err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return nil, damaged(dir, err)
	}
	conn.SetInterrupt(ctx.Done())
	tx := &Tx{conn: conn, reader: true}
	if err := tx.Exec("BEGIN"); err != nil {
		return nil, errors.Join(damaged(dir, err), conn.Close())
	}
	return tx, nil
}

// damaged makes of what SQLite says about a file a DamageError, unless it
// could not be read at all.
func damaged(dir string, err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultInterrupt, sqlite.ResultCantOpen, sqlite.ResultIOErr, sqlite.ResultNoMem, sqlite.ResultBusy, sqlite.ResultPerm:
		return fmt.Errorf("read view: %w", err)
	default:
		return &DamageError{File: filepath.Join(dir, fileName), Differences: []Difference{{Msg: err.Error()}}}
	}
}

// upTo is a ledger as it was when it had size records.
type upTo struct {
	Source
	size uint64
}

func (s upTo) Size() uint64 { return s.size }

// compareAnew builds the view anew and compares it with the stored one.
func compareAnew(ctx context.Context, c Config, stored *Tx, applied uint64) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(c.Dir)), "view-check-")
	if err != nil {
		return fmt.Errorf("make a place to build the view anew: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	anew := Config{Dir: dir, Stores: c.Stores, Source: upTo{c.Source, applied}, Readers: 1, Log: c.Log}
	v, err := Open(ctx, anew)
	if err != nil {
		return fmt.Errorf("build the view anew: %w", err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	damage := &DamageError{File: filepath.Join(c.Dir, fileName)}
	err = v.Read(ctx, func(right *Tx) error { return damage.compare(stored, right) })
	if err == nil && len(damage.Differences) > 0 {
		return damage
	}
	return err
}
