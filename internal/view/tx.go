package view

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
)

// A Tx sees the view, and, for the writer, all that it has applied itself. It
// is used by one goroutine, and not after it has ended.
type Tx struct {
	v       *View
	conn    *sqlite.Conn
	reader  bool
	running []string // queries whose rows are being read

	// of the writer only
	first   uint64   // sequence number of pending[0]
	next    uint64   // sequence number of the next record
	pending [][]byte // lines applied in this Tx, not yet durable
}

// errEnded says that a transaction is over, for SQLite at least.
var errEnded = errors.New("internal error: the transaction has ended")

// Begin starts the one writing transaction. The caller ends it before it
// begins another.
func (v *View) Begin() (*Tx, error) {
	tx := &Tx{v: v, conn: v.write, next: v.Applied(), first: v.Applied()}
	if err := tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return nil, fmt.Errorf("begin block: %w", err)
	}
	return tx, nil
}

// Next is the sequence number that the next applied record will have. Only
// the writer may ask: a reader cannot know.
func (tx *Tx) Next() uint64 {
	if tx.reader {
		panic("internal error: a reader asks for the next sequence number")
	}
	return tx.next
}

// Apply lets every store that knows the record's kind change its tables. line
// is the record as it stands in the ledger; the Tx keeps it until it ends.
func (tx *Tx) Apply(rec ledger.Record, line []byte) error {
	if rec.Seq != tx.Next() {
		return fmt.Errorf("internal error: apply record %d, expected %d", rec.Seq, tx.next)
	}
	for _, f := range tx.v.apply[rec.Kind] {
		if err := f(tx, rec); err != nil {
			return fmt.Errorf("apply record %d (%s): %w", rec.Seq, rec.Kind, err)
		}
	}
	tx.pending = append(tx.pending, line)
	tx.next++
	return nil
}

// Try calls f and, when f fails, takes back what f applied and nothing else.
func (tx *Tx) Try(f func() error) error {
	if err := tx.Exec("SAVEPOINT attempt"); err != nil {
		return err
	}
	next, pending := tx.next, len(tx.pending)
	err := f()
	if err == nil {
		return tx.Exec("RELEASE attempt")
	}
	for _, undo := range []string{"ROLLBACK TO attempt", "RELEASE attempt"} {
		if e := tx.Exec(undo); e != nil {
			return fmt.Errorf("%w: %w: %w", err, errUndone, e)
		}
	}
	clear(tx.pending[pending:])
	tx.next, tx.pending = next, tx.pending[:pending]
	return err
}

// Lines are the records applied so far, as they will stand in the ledger.
func (tx *Tx) Lines() [][]byte { return tx.pending }

// Record reads a record by its sequence number: one of this block or one that
// is durable.
func (tx *Tx) Record(seq uint64) (ledger.Record, error) {
	var line []byte
	var err error
	switch {
	case !tx.reader && seq >= tx.first && seq < tx.next:
		line = tx.pending[seq-tx.first]
	case seq < tx.v.c.Source.Size():
		if line, err = tx.v.c.Source.Read(seq); err != nil {
			return ledger.Record{}, fmt.Errorf("read record %d: %w", seq, err)
		}
	default:
		return ledger.Record{}, errs.E(errs.NotFound, "there is no record %d", seq)
	}
	rec, err := ledger.ParseRecord(line)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("parse record %d: %w", seq, err)
	}
	return rec, nil
}

// Commit makes what was applied visible to readers. The lines must be durable.
func (tx *Tx) Commit() error {
	if tx.conn == nil || tx.conn.AutocommitEnabled() {
		return fmt.Errorf("commit block to view: %w", errEnded)
	}
	if n := len(tx.pending); n > 0 {
		h := sha256.Sum256(tx.pending[n-1])
		if err := tx.Exec(`UPDATE view_meta SET applied = ?, last = ?`, tx.next, h[:]); err != nil {
			return fmt.Errorf("stamp view: %w", err)
		}
	}
	if err := tx.Exec("COMMIT"); err != nil {
		return fmt.Errorf("commit block to view: %w", err)
	}
	tx.v.applied.Store(tx.next)
	tx.conn = nil
	return nil
}

// Rollback forgets what was applied. After an error of the disk SQLite may
// have done so already.
func (tx *Tx) Rollback() error {
	if tx.conn == nil {
		return errEnded
	}
	if !tx.conn.AutocommitEnabled() {
		if err := tx.Exec("ROLLBACK"); err != nil {
			return fmt.Errorf("roll back block: %w", err)
		}
	}
	tx.conn = nil
	return nil
}
