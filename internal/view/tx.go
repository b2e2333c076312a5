package view

import (
	"crypto/sha256"
	"fmt"

	"zombiezen.com/go/sqlite"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
)

// A Tx sees the view, and, for the writer, all that it has applied itself.
type Tx struct {
	v    *View
	conn *sqlite.Conn

	// of the writer only
	next    uint64   // sequence number of the next record
	pending [][]byte // lines applied in this Tx, not yet durable
	first   uint64   // sequence number of pending[0]
}

// Begin starts the one writing transaction. The caller ends it before it
// begins another.
func (v *View) Begin() (*Tx, error) {
	tx := &Tx{v: v, conn: v.write, next: v.applied, first: v.applied}
	if err := tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return nil, fmt.Errorf("begin block: %w", err)
	}
	return tx, nil
}

// Next is the sequence number that the next applied record will have.
func (tx *Tx) Next() uint64 { return tx.next }

// Apply lets every store that knows the record's kind change its tables. line
// is the record as it stands in the ledger; the Tx keeps it until it ends.
func (tx *Tx) Apply(rec ledger.Record, line []byte) error {
	if rec.Seq != tx.next {
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

// Lines are the records applied so far, as they will stand in the ledger.
func (tx *Tx) Lines() [][]byte { return tx.pending }

// Record reads a record by its sequence number: one of this block or one that
// is durable.
func (tx *Tx) Record(seq uint64) (ledger.Record, error) {
	var line []byte
	var err error
	switch {
	case len(tx.pending) > 0 && seq >= tx.first && seq < tx.next:
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
	if n := len(tx.pending); n > 0 {
		h := sha256.Sum256(tx.pending[n-1])
		if err := tx.Exec(`UPDATE view_meta SET applied = ?, last = ?`, tx.next, h[:]); err != nil {
			return fmt.Errorf("stamp view: %w", err)
		}
	}
	if err := tx.Exec("COMMIT"); err != nil {
		return fmt.Errorf("commit block to view: %w", err)
	}
	tx.v.applied = tx.next
	return nil
}

// Rollback forgets what was applied.
func (tx *Tx) Rollback() error {
	if err := tx.Exec("ROLLBACK"); err != nil {
		return fmt.Errorf("roll back block: %w", err)
	}
	return nil
}

// Exec runs one statement. Arguments are int, int64, uint64, bool, string,
// []byte, float64 or nil.
func (tx *Tx) Exec(query string, args ...any) error {
	_, err := tx.One(query, nil, args...)
	return err
}

// One calls f with the first row, if there is one, and reports whether there was.
func (tx *Tx) One(query string, f func(Row) error, args ...any) (found bool, err error) {
	err = tx.query(query, func(r Row) (bool, error) {
		found = true
		if f == nil {
			return false, nil
		}
		return false, f(r)
	}, args)
	return found, err
}

// Query calls f with each row.
func (tx *Tx) Query(query string, f func(Row) error, args ...any) error {
	return tx.query(query, func(r Row) (bool, error) { return true, f(r) }, args)
}

func (tx *Tx) query(query string, f func(Row) (more bool, err error), args []any) (err error) {
	stmt, err := tx.conn.Prepare(query)
	if err != nil {
		return fmt.Errorf("prepare %q: %w", query, err)
	}
	defer func() {
		if e := stmt.Reset(); e != nil && err == nil {
			err = fmt.Errorf("reset %q: %w", query, e)
		}
	}()
	for i, a := range args {
		bind(stmt, i+1, a)
	}
	for {
		ok, err := stmt.Step()
		if err != nil {
			return fmt.Errorf("run %q: %w", query, err)
		}
		if !ok {
			return nil
		}
		if more, err := f(Row{stmt}); err != nil || !more {
			return err
		}
	}
}

func bind(stmt *sqlite.Stmt, i int, a any) {
	switch a := a.(type) {
	case nil:
		stmt.BindNull(i)
	case int:
		stmt.BindInt64(i, int64(a))
	case int64:
		stmt.BindInt64(i, a)
	case uint64:
		stmt.BindInt64(i, int64(a)) //nolint:gosec // sequence numbers stay far below 2^63
	case bool:
		stmt.BindBool(i, a)
	case string:
		stmt.BindText(i, a)
	case []byte:
		stmt.BindBytes(i, a)
	case float64:
		stmt.BindFloat(i, a)
	default:
		panic(fmt.Sprintf("internal error: a %T cannot be bound", a))
	}
}

// A Row is valid until its callback returns; the values that it gave stay.
type Row struct{ stmt *sqlite.Stmt }

// Int is column i as an integer.
func (r Row) Int(i int) int64 { return r.stmt.ColumnInt64(i) }

// Uint is column i as a sequence number.
func (r Row) Uint(i int) uint64 { return uint64(r.stmt.ColumnInt64(i)) } //nolint:gosec // only sequence numbers are read so

// Text is column i as text.
func (r Row) Text(i int) string { return r.stmt.ColumnText(i) }

// Bool is column i as a truth value.
func (r Row) Bool(i int) bool { return r.stmt.ColumnBool(i) }

// Bytes is a copy of column i.
func (r Row) Bytes(i int) []byte {
	b := make([]byte, r.stmt.ColumnLen(i))
	r.stmt.ColumnBytes(i, b)
	return b
}
