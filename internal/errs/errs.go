// Package errs is for failures that a caller or a person acts on. Every other
// error is internal: logged in full, and shown only as "internal error" with
// the id of the request.
//
// An [Error] is one sentence for one reader. [Issues] are the findings of a
// check of documents: each names the file, the line, the field and the remedy.
package errs

import (
	"errors"
	"fmt"
)

// A Kind says what the caller can do about an error.
type Kind string

// Kinds of error. The console maps each to one HTTP status and the command
// line to one exit code.
const (
	Invalid         Kind = "invalid"          // the request is wrong: change it
	Unauthenticated Kind = "unauthenticated"  // say who you are
	Denied          Kind = "denied"           // who you are may not do this
	NotFound        Kind = "not_found"        // there is no such thing
	Conflict        Kind = "conflict"         // somebody was first; look and decide anew
	TooLarge        Kind = "too_large"        // send less
	Busy            Kind = "busy"             // try again later
	Unavailable     Kind = "unavailable"      // this node cannot serve now
	Unsupported     Kind = "unsupported_type" // the media type is not one we read
)

// An Error has a kind for programs and a sentence for people.
type Error struct {
	Kind Kind
	Msg  string // safe to show to the user
	Hint string // what the user can do next; may be empty
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + " (" + e.Hint + ")"
}

// E returns an Error. Add context on the way up with fmt.Errorf and %w.
func E(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// Hint returns an Error whose reader is told what to do next.
func Hint(k Kind, hint, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// KindOf returns the kind of the first Error or Issues in err's tree, and ""
// for an internal error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var is Issues
	if errors.As(err, &is) {
		return Invalid
	}
	return ""
}
