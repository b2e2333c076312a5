package view

import (
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
)

// Exec runs one statement. Arguments are int, int64, uint64, bool, string,
// []byte or nil.
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

// Query calls f with each row. f may run queries, the same one too.
func (tx *Tx) Query(query string, f func(Row) error, args ...any) error {
	return tx.query(query, func(r Row) (bool, error) { return true, f(r) }, args)
}

func (tx *Tx) query(query string, f func(Row) (more bool, err error), args []any) (err error) {
	stmt, done, err := tx.statement(query)
	if err != nil {
		return fmt.Errorf("prepare %q: %w", query, err)
	}
	tx.running = append(tx.running, query)
	defer func() {
		tx.running = tx.running[:len(tx.running)-1]
		// What ends a statement repeats the error of its last step.
		if e := done(stmt); e != nil && err == nil {
			err = fmt.Errorf("end %q: %w", query, e)
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

// statement returns a prepared statement and how it ends. The connection keeps
// one a query; whoever runs it while its rows are read gets another.
func (tx *Tx) statement(query string) (*sqlite.Stmt, func(*sqlite.Stmt) error, error) {
	if !slices.Contains(tx.running, query) {
		stmt, err := tx.conn.Prepare(query)
		return stmt, (*sqlite.Stmt).Reset, err
	}
	stmt, _, err := tx.conn.PrepareTransient(query)
	return stmt, (*sqlite.Stmt).Finalize, err
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
		stmt.BindInt64(i, int64(a))
	case bool:
		stmt.BindBool(i, a)
	case string:
		stmt.BindText(i, a)
	case []byte:
		stmt.BindBytes(i, a)
	default:
		panic(fmt.Sprintf("internal error: a %T cannot be bound", a))
	}
}

// A Row is valid until its callback returns; the values that it gave stay.
type Row struct{ stmt *sqlite.Stmt }

// Int is column i as an integer; 0 when it is null.
func (r Row) Int(i int) int64 { return r.stmt.ColumnInt64(i) }

// Uint is column i as a sequence number; 0 when it is null.
func (r Row) Uint(i int) uint64 { return uint64(r.stmt.ColumnInt64(i)) }

// Text is column i as text; empty when it is null.
func (r Row) Text(i int) string { return r.stmt.ColumnText(i) }

// Bool is column i as a truth value; false when it is null.
func (r Row) Bool(i int) bool { return r.stmt.ColumnBool(i) }

// Bytes is a copy of column i; empty when it is null.
func (r Row) Bytes(i int) []byte {
	b := make([]byte, r.stmt.ColumnLen(i))
	r.stmt.ColumnBytes(i, b)
	return b
}
