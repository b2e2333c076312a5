package playbook

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"beffroi.dev/internal/expr"
)

// An ErrorKind says what went wrong with a step, for retry and for playbooks.
type ErrorKind string

// Kinds of error. Those that performers report come first.
const (
	HTTP        ErrorKind = "http"        // an answer with an unexpected status
	Timeout     ErrorKind = "timeout"     // no answer in time, or the timeout of a step passed
	Network     ErrorKind = "network"     // no connection, or it broke
	Unavailable ErrorKind = "unavailable" // what performs the action cannot now
	TooLarge    ErrorKind = "too_large"   // the result is over the limit
	Denied      ErrorKind = "denied"      // we do not allow it: egress, rights
	Invalid     ErrorKind = "invalid"     // the arguments are wrong
	Failed      ErrorKind = "failed"      // a played playbook failed or was cancelled; a stop with status failed
	NoAnswer    ErrorKind = "no_answer"   // a question passed its deadline
	Expression  ErrorKind = "expression"  // an expression of the playbook failed on what it met
	Limit       ErrorKind = "limit"       // the run has done too much; nothing catches it
)

// retryable lists what `retry.on` may name beside statuses.
var retryable = []string{"timeout", "network", "unavailable", "http", "failed", "no_answer"}

// An Error says why a step or a run failed. It is data: playbooks read it as
// steps.X.error, and as error in on_error.
type Error struct {
	Kind       ErrorKind     `json:"kind"`
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	Status     int           `json:"status,omitempty"`      // of HTTP
	RetryAfter time.Duration `json:"retry_after,omitempty"` // what the server asked for, in nanoseconds
	Step       string        `json:"step,omitempty"`        // path of the step that failed first
}

func (e *Error) Error() string {
	s := e.Message
	if e.Step != "" {
		s = e.Step + ": " + s
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// value is the error as expressions see it.
func (e *Error) value() map[string]any {
	v := map[string]any{"kind": string(e.Kind), "message": e.Message, "hint": nil, "status": nil, "step": e.Step}
	if e.Hint != "" {
		v["hint"] = e.Hint
	}
	if e.Status != 0 {
		v["status"] = int64(e.Status)
	}
	return v
}

// matches reports whether one word of `retry.on` names the error: 429, 5xx,
// timeout.
func (e *Error) matches(word string) bool {
	if word == string(e.Kind) {
		return true
	}
	if e.Kind != HTTP {
		return false
	}
	status := strconv.Itoa(e.Status)
	return word == status || len(status) == 3 && word == status[:1]+"xx"
}

// retriable reports whether the error may be retried under a filter. What
// would only fail again never is.
func (e *Error) retriable(on []string) bool {
	switch e.Kind {
	case TooLarge, Denied, Invalid, Expression, Limit:
		return false
	default:
		return slices.ContainsFunc(on, e.matches)
	}
}

// exprError turns what an expression of a step met into the step's error.
func exprError(where string, err error) *Error {
	out := &Error{Kind: Expression, Message: where + ": " + err.Error()}
	var e *expr.Error
	if errors.As(err, &e) {
		if e.Path != "" {
			where += "." + e.Path
		}
		out.Message, out.Hint = where+": "+e.Msg, e.Hint
		if e.Column > 0 {
			out.Message = where + ", column " + strconv.Itoa(e.Column) + ": " + e.Msg
		}
	}
	return out
}
