package connector

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Class says why a call did not succeed. Whether it is tried again is for the
// playbook to say.
type Class string

// Classes of failure.
const (
	Invalid     Class = "invalid"     // the arguments make no request, or the answer is not what parse says
	Denied      Class = "denied"      // the address, host or redirect is not permitted, or there are no credentials
	Network     Class = "network"     // no answer: name, connection, TLS
	Timeout     Class = "timeout"     // no answer in time
	HTTP        Class = "http"        // an answer, with a status that was not expected
	TooLarge    Class = "too_large"   // an answer over the limit
	Unavailable Class = "unavailable" // not tried: too many calls, or the other side is known to be down
)

// A Failure is a call that did not succeed. Its text holds no secrets.
type Failure struct { //nolint:errname // it is a value that is recorded, and an error besides
	Class      Class
	Status     int           // of HTTP; else 0
	RetryAfter time.Duration // how long the other side asks to wait; 0 when it does not say
	Sent       bool          // the other side may have received, and so done, what was asked
	Msg        string
	Hint       string // what a person can do; may be empty
}

func (f *Failure) Error() string {
	if f.Hint == "" {
		return f.Msg
	}
	return f.Msg + " (" + f.Hint + ")"
}

func invalid(hint, format string, args ...any) *Failure {
	return &Failure{Class: Invalid, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// statusMatches reports whether status is what pattern says: "404" or "4xx".
func statusMatches(pattern string, status int) bool {
	if len(pattern) != 3 || status < 100 || status > 999 {
		return false
	}
	if pattern[1:] == "xx" {
		return int(pattern[0]-'0') == status/100
	}
	return pattern == strconv.Itoa(status)
}

// validStatus reports whether pattern can match a status.
func validStatus(pattern string) bool {
	if len(pattern) != 3 || pattern[0] < '1' || pattern[0] > '5' {
		return false
	}
	return pattern[1:] == "xx" || strings.Trim(pattern[1:], "0123456789") == ""
}
