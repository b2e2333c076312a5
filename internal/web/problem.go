package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"beffroi.dev/internal/errs"
)

// A Problem is an error as it stands in an answer (RFC 9457 section 3.1). It
// is an error itself, for programs that read one.
type Problem struct { //nolint:errname // it is the name that RFC 9457 gives it
	Type     string      `json:"type"`
	Title    string      `json:"title"`
	Status   int         `json:"status"`
	Detail   string      `json:"detail,omitempty"`
	Instance string      `json:"instance,omitempty"` // the id of the request, as urn:beffroi:request:ID
	Hint     string      `json:"hint,omitempty"`     // what the reader can do next
	Issues   errs.Issues `json:"issues,omitempty"`   // of a check of documents
}

func (p *Problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

const (
	problemType = "urn:beffroi:problem:"
	requestURN  = "urn:beffroi:request:"
	// internal is the kind of errors that only we can mend.
	internal errs.Kind = "internal"
)

// statuses is the status and title of each kind of error.
var statuses = map[errs.Kind]struct {
	status int
	title  string
}{
	errs.Invalid:         {http.StatusBadRequest, "The request is wrong"},
	errs.Unauthenticated: {http.StatusUnauthorized, "Who are you?"},
	errs.Denied:          {http.StatusForbidden, "Not permitted"},
	errs.NotFound:        {http.StatusNotFound, "Not found"},
	errs.Conflict:        {http.StatusConflict, "Somebody was first"},
	errs.TooLarge:        {http.StatusRequestEntityTooLarge, "Too large"},
	errs.Busy:            {http.StatusTooManyRequests, "Busy"},
	errs.Unavailable:     {http.StatusServiceUnavailable, "Unavailable"},
	errs.Unsupported:     {http.StatusUnsupportedMediaType, "Unsupported media type"},
	internal:             {http.StatusInternalServerError, "Internal error"},
}

// ProblemOf returns what the sender of a request may know about err. known is
// false if that is nothing, so that err must be logged.
func ProblemOf(ctx context.Context, err error) (p *Problem, known bool) {
	p = &Problem{}
	if errors.As(err, &p) { // from a node that we asked
		c := *p
		return &c, true
	}
	p = &Problem{}
	kind := errs.KindOf(err)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		kind = errs.TooLarge
		p.Detail = fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)
	}
	s, known := statuses[kind]
	if !known {
		kind, s = internal, statuses[internal]
		p.Detail = "internal error"
		p.Hint = "tell the operator the id of this request"
	}
	p.Type, p.Title, p.Status = problemType+string(kind), s.title, s.status
	if id := RequestID(ctx); id != "" {
		p.Instance = requestURN + id
	}
	var e *errs.Error
	if errors.As(err, &e) {
		p.Detail, p.Hint = e.Msg, e.Hint
	} else if errors.As(err, &p.Issues) && len(p.Issues) > 0 {
		p.Detail = p.Issues[0].String()
		if more := len(p.Issues) - 1; more > 0 {
			p.Detail += fmt.Sprintf(" (and %d more)", more)
		}
	}
	return p, known
}

// write sends the problem as the answer.
func (p *Problem) write(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil {
		panic("internal error: a problem does not encode: " + err.Error())
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Etag")
	h.Del("Last-Modified")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="beffroi"`) // RFC 9110 section 11.6.1
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "1")
		}
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // who hung up will not read it
}
