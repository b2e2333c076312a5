package playbook

import (
	"fmt"
	"slices"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// Given is what a simulated run meets in place of the world.
type Given struct {
	// Steps has, by id of a step or path of one action (hosts[3].contain),
	// what comes of it: one result for every time, or a list of one result
	// for each time.
	//
	//	call:  {status: 200, headers: {}, body: {}}
	//	ask:   contain, or {answer: contain, by: person/ada, reason: …}
	//	wait:  {event: {…}} or {timed_out: true}
	//	play:  {status: ok, output: …}
	//	any:   {error: timeout}, {error: 429}, {error: {status: 503, retry_after: 30s}},
	//	       {silent: true} when nothing ever comes; after: 10m for how long it takes
	Steps map[string]any

	// Assume has every step that Steps does not mention go well: a call gives
	// an empty answer, a question its first one. Without it such a step ends
	// the simulation.
	Assume bool
}

// A reply is one result that was given, as the event that it makes.
type reply struct {
	after  time.Duration
	silent bool
	event  Event
}

// shapes show what may be given for each kind of step.
var shapes = map[kind]string{
	kindCall: "{status: 200, headers: {}, body: {…}} or {error: timeout}",
	kindAsk:  "{answer: …, by: person/ada} or {silent: true}",
	kindWait: "{event: {…}} or {timed_out: true}",
	kindPlay: "{status: ok, output: …} or {error: failed}",
}

var shapeKeys = map[kind][]string{
	kindCall: {"status", "headers", "body"},
	kindAsk:  {"answer", "by", "reason"},
	kindWait: {"event", "timed_out"},
	kindPlay: {"status", "output", "run"},
}

// replies reads what was given for a step. single says that it was no list.
func (s *step) replies(given any) (list []reply, single bool, err error) {
	values, isList := given.([]any)
	if !isList {
		values = []any{given}
	}
	if len(values) == 0 {
		return nil, false, errs.E(errs.Invalid, "the list of results is empty")
	}
	for i, v := range values {
		r, err := s.reply(v)
		if err != nil {
			if isList {
				err = fmt.Errorf("result %d: %w", i+1, err)
			}
			return nil, false, err
		}
		list = append(list, r)
	}
	return list, !isList, nil
}

func (s *step) reply(given any) (reply, error) {
	if shapes[s.kind] == "" {
		return reply{}, errs.E(errs.Invalid, "a %s step needs no result", s.kind)
	}
	if answer, isText := given.(string); isText && s.kind == kindAsk {
		given = map[string]any{"answer": answer}
	}
	m, isMap := given.(map[string]any)
	if !isMap && given != nil {
		return reply{}, errs.Hint(errs.Invalid, "write "+shapes[s.kind], "expected a map, got %s", typeOf(given))
	}
	known := append([]string{"error", "silent", "after"}, shapeKeys[s.kind]...)
	for _, k := range sortedKeys(m) {
		if !slices.Contains(known, k) {
			return reply{}, errs.Hint(errs.Invalid, "write "+shapes[s.kind], "a %s step has no result %q", s.kind, clip(k))
		}
	}
	var r reply
	var err error
	if after, has := m["after"]; has {
		if r.after, err = givenSpan("after", after); err != nil {
			return r, err
		}
	}
	r.silent, _ = m["silent"].(bool)
	if e, has := m["error"]; has {
		r.event.Kind = Errored
		r.event.Error, err = givenError(e)
		return r, err
	}
	return r, s.result(&r, orEmpty(m))
}

// result makes the event of a result that is no error.
func (s *step) result(r *reply, m map[string]any) error {
	text := func(key string) string { v, _ := m[key].(string); return v }
	switch s.kind {
	case kindCall:
		r.event.Kind = Finished
		result := map[string]any{"status": int64(200), "headers": map[string]any{}, "body": nil}
		for _, k := range shapeKeys[kindCall] {
			if v, has := m[k]; has {
				result[k] = v
			}
		}
		r.event.Result = result
	case kindAsk:
		r.event.Kind = Answered
		r.event.Answer, r.event.By, r.event.Reason = text("answer"), text("by"), text("reason")
		if r.event.Answer == "" && !r.silent {
			return errs.Hint(errs.Invalid, "write "+shapes[s.kind], "the answer is missing")
		}
	case kindWait:
		r.event.Kind, r.event.Result = Arrived, m["event"]
		if late, _ := m["timed_out"].(bool); late {
			r.silent = true
		}
	default: // play
		r.event.Kind, r.event.Result, r.event.Run = Ended, m["output"], text("run")
		if r.event.Status = Status(text("status")); r.event.Status == "" {
			r.event.Status = OK
		}
		if !slices.Contains([]Status{OK, RunFailed, Stopped, WasCancelled}, r.event.Status) {
			return errs.Hint(errs.Invalid, "ok, failed, stopped or cancelled", "a run cannot end %q", clip(string(r.event.Status)))
		}
	}
	return nil
}

func givenSpan(key string, v any) (time.Duration, error) {
	d, err := document.ParseDuration(compact(v))
	if err != nil {
		return 0, errs.Hint(errs.Invalid, "write 90s, 15m, 2h", "%s is not a length of time", key)
	}
	return d, nil
}

// givenError reads timeout, 429, or a map.
func givenError(v any) (*Error, error) {
	e := &Error{Message: "as given"}
	switch x := v.(type) {
	case int64:
		e.Kind, e.Status = HTTP, int(x)
	case string:
		e.Kind = ErrorKind(x)
	case map[string]any:
		return e, e.read(x)
	default:
		return nil, errs.Hint(errs.Invalid, "write timeout, 429 or {status: 429, retry_after: 30s}", "the error is a %s", typeOf(v))
	}
	return e, e.check()
}

func (e *Error) read(m map[string]any) error {
	for _, k := range sortedKeys(m) {
		isText, isNumber := false, false
		switch k {
		case "kind":
			var s string
			s, isText = m[k].(string)
			e.Kind = ErrorKind(s)
		case "message":
			e.Message, isText = m[k].(string)
		case "status":
			var n int64
			n, isNumber = m[k].(int64)
			e.Status = int(n)
		case "retry_after":
			d, err := givenSpan(k, m[k])
			if err != nil {
				return err
			}
			e.RetryAfter, isText = d, true
		default:
			return errs.Hint(errs.Invalid, "write kind, status, message, retry_after", "an error has no %q", clip(k))
		}
		if !isText && !isNumber {
			return errs.E(errs.Invalid, "%s of an error cannot be a %s", k, typeOf(m[k]))
		}
	}
	if e.Kind == "" && e.Status != 0 {
		e.Kind = HTTP
	}
	return e.check()
}

func (e *Error) check() error {
	kinds := []string{"http", "timeout", "network", "unavailable", "too_large", "denied", "invalid", "failed"}
	if !slices.Contains(kinds, string(e.Kind)) {
		return errs.Hint(errs.Invalid, suggestOrList(string(e.Kind), kinds), "%q is no kind of error", clip(string(e.Kind)))
	}
	if e.Kind == HTTP && (e.Status < 100 || e.Status > 599) {
		return errs.E(errs.Invalid, "%d is no HTTP status", e.Status)
	}
	if e.Kind == HTTP && e.Message == "as given" {
		e.Message = fmt.Sprintf("status %d", e.Status)
	}
	return nil
}
