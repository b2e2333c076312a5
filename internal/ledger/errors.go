package ledger

import (
	"errors"
	"fmt"

	"beffroi.dev/internal/errs"
)

var (
	// ErrBroken says that writing failed once. What became of that write is
	// unknown until the ledger is opened again.
	ErrBroken = errs.Hint(errs.Unavailable, "start the node again; it recovers by itself", "the ledger stopped after a failed write")
	// ErrLocked says that another process writes this ledger.
	ErrLocked = errs.Hint(errs.Conflict, "stop it first, or open the ledger read-only", "another process has the ledger open")
	// ErrTooLarge says that a record has more than MaxLine bytes.
	ErrTooLarge = errs.Hint(errs.TooLarge, "put the payload in the blob store", "a record has at most %d bytes", MaxLine)
	// ErrClosed says that the ledger was closed.
	ErrClosed = errors.New("the ledger is closed")

	errReadOnly = errors.New("the ledger is open for reading only")
)

// notFound is the error for a record or resource that is not there.
func notFound(format string, args ...any) error {
	return errs.E(errs.NotFound, format, args...)
}

// A DamageError says what on disk is not as it was written.
type DamageError struct {
	File     string // relative to the ledger's directory
	From, To uint64 // the records concerned are From to To-1; none is known when equal
	Msg      string
	Err      error // may be nil
}

func (e *DamageError) Error() string {
	s := "ledger is damaged: " + e.File
	switch {
	case e.To == e.From+1:
		s += fmt.Sprintf(": record %d", e.From)
	case e.To > e.From:
		s += fmt.Sprintf(": records %d to %d", e.From, e.To-1)
	}
	if s += ": " + e.Msg; e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DamageError) Unwrap() error { return e.Err }
