package playbook

import (
	"time"

	"beffroi.dev/internal/document"
)

// callBody calls an operation.
type callBody struct {
	leaf
	op, connection string
	with           *tree
}

func (b *callBody) begin(x *exec, t *task) outcome {
	with, err := x.args(b.with, "with", t)
	if err != nil {
		return fail(err)
	}
	x.sent(t, with)
	return x.wait(t, Call{
		Action: x.id(t), Op: b.op, Connection: b.connection, With: with,
		Timeout: t.step.timeout, Attempt: t.attempt, Key: x.key(t),
	})
}

func (b *callBody) resume(_ *exec, _ *task, e *Event) outcome {
	if e.Kind == Errored {
		return reported(e)
	}
	result := map[string]any{"status": nil, "headers": nil, "body": nil}
	m, isMap := e.Result.(map[string]any)
	if _, has := m["status"]; !isMap || !has {
		result["body"] = e.Result // an operation without HTTP gives its result alone
		return ok(result)
	}
	for k := range result {
		result[k] = m[k]
	}
	return ok(result)
}

// reported is the error that an event brings.
func reported(e *Event) outcome {
	if e.Error == nil {
		return fail(&Error{Kind: Failed, Message: "no reason was given"})
	}
	err := *e.Error
	if err.Kind == "" || err.Kind == Limit { // our own word
		err.Kind = Failed
	}
	return fail(&err)
}

// playBody runs another playbook.
type playBody struct {
	leaf
	name string
	with *tree
}

func (b *playBody) begin(x *exec, t *task) outcome {
	with, err := x.args(b.with, "with", t)
	if err != nil {
		return fail(err)
	}
	x.sent(t, with)
	return x.wait(t, Play{Action: x.id(t), Playbook: b.name, Inputs: with, Key: x.key(t)})
}

func (b *playBody) resume(_ *exec, _ *task, e *Event) outcome {
	switch {
	case e.Kind == Errored:
		return reported(e)
	case e.Status == OK || e.Status == Stopped:
		return ok(map[string]any{"run": orNull(e.Run), "status": string(e.Status), "output": e.Result})
	}
	err := &Error{Kind: Failed, Message: b.name + " was cancelled"}
	if e.Status != WasCancelled {
		err.Message = b.name + " failed"
		if e.Error != nil {
			err.Message += ": " + e.Error.Error()
		}
	}
	return fail(err)
}

// waitBody waits for a time or for an event.
type waitBody struct {
	leaf
	length, until *text
	event         string
	match         *tree
	limit         *text
}

func (b *waitBody) begin(x *exec, t *task) outcome {
	if b.event != "" {
		return b.await(x, t)
	}
	until, err := b.end(x, t)
	if err != nil {
		return fail(err)
	}
	x.sent(t, until.UTC().Format(time.RFC3339Nano))
	if !until.After(x.s.at) {
		return ok(b.result(x, nil, false))
	}
	return x.wait(t, Wait{Action: x.id(t), Until: until})
}

// end returns when the wait is over.
func (b *waitBody) end(x *exec, t *task) (time.Time, *Error) {
	if b.length != nil {
		d, err := x.span(b.length, "wait.for", t)
		return x.s.at.Add(d), err
	}
	src, err := x.text(b.until, "wait.until", t)
	if err != nil {
		return time.Time{}, err
	}
	until, perr := time.Parse(time.RFC3339, src)
	if perr != nil {
		return until, &Error{Kind: Expression, Message: "wait.until: the value is not a time such as 2026-11-22T08:00:00Z"}
	}
	if until.Sub(x.s.at) > maxWait {
		return until, &Error{Kind: Invalid, Message: "wait.until: the time is more than ten years away"}
	}
	return until, nil
}

// span evaluates a length of time: 15m, or a number of seconds.
func (x *exec) span(tx *text, where string, t *task) (time.Duration, *Error) {
	src, err := x.text(tx, where, t)
	if err != nil {
		return 0, err
	}
	d, perr := document.ParseDuration(src)
	if perr != nil {
		d, perr = time.ParseDuration(src) // as a duration reads that an expression gives
	}
	if perr != nil || d < 0 || d > maxWait {
		return 0, &Error{Kind: Expression, Message: where + ": the value is not a length of time such as 15m"}
	}
	return d, nil
}

func (b *waitBody) await(x *exec, t *task) outcome {
	match, err := x.args(b.match, "wait.match", t)
	if err != nil {
		return fail(err)
	}
	c := Await{Action: x.id(t), Event: b.event, Match: match}
	if b.limit != nil {
		d, err := x.span(b.limit, "wait.timeout", t)
		if err != nil {
			return fail(err)
		}
		c.Until = x.s.at.Add(d)
	}
	x.sent(t, match)
	return x.wait(t, c)
}

func (b *waitBody) resume(x *exec, _ *task, e *Event) outcome {
	switch e.Kind {
	case Errored:
		return reported(e)
	case Arrived:
		return ok(b.result(x, e.Result, false))
	default:
		return ok(b.result(x, nil, b.event != ""))
	}
}

func (b *waitBody) result(x *exec, event any, late bool) map[string]any {
	return map[string]any{"at": x.s.at, "event": event, "timed_out": late}
}

// askBody asks people.
type askBody struct {
	leaf
	spec        askSpec
	to          *text
	title, text *text
	fields      []namedText
	answers     []answerText
	who         []*text
	escalate    []*text
}

type namedText struct {
	name  string
	value *text
}

type answerText struct {
	Answer
	label, confirm *text
}

func (b *askBody) begin(x *exec, t *task) outcome {
	q, err := b.question(x, t)
	if err != nil {
		return fail(err)
	}
	x.sent(t, q)
	return x.wait(t, Ask{Action: x.id(t), Question: q})
}

func (b *askBody) resume(x *exec, _ *task, e *Event) outcome {
	switch e.Kind {
	case Errored:
		return reported(e)
	case Answered:
		return ok(map[string]any{
			"answer": e.Answer, "by": orNull(e.By), "reason": orNull(e.Reason), "at": x.s.at, "expired": false,
		})
	default:
	}
	if a := b.spec.Expire.answer; a != "" {
		return ok(map[string]any{"answer": a, "by": nil, "reason": nil, "at": x.s.at, "expired": true})
	}
	return fail(&Error{Kind: NoAnswer, Message: "nobody answered in " + Span(b.spec.Expire.after).String()})
}

// question evaluates all that the question says.
func (b *askBody) question(x *exec, t *task) (Question, *Error) {
	r := &renderer{x: x, t: t}
	q := Question{
		To:           r.recipient(b.to, "ask.to"),
		Title:        r.text(b.title, "ask.title", 250),
		Text:         r.text(b.text, "ask.text", maxText),
		Reason:       b.spec.Reason,
		NotRequester: b.spec.NotRequester,
		Requester:    x.s.init.Requester,
	}
	for _, f := range b.fields {
		q.Fields = append(q.Fields, Field{Name: f.name, Value: r.text(f.value, pathKey("ask.fields", f.name), 2000)})
	}
	for _, a := range b.answers {
		a.Label = r.text(a.label, "ask.answers", 75)
		a.Confirm = r.text(a.confirm, "ask.answers", 300)
		q.Answers = append(q.Answers, a.Answer)
	}
	for _, who := range b.who {
		q.Who = append(q.Who, r.who(who))
	}
	if m := b.spec.Remind; m != nil {
		q.RemindEvery = Span(m.every)
		for _, d := range m.at {
			q.Remind = append(q.Remind, Span(d))
		}
	}
	for i, e := range b.spec.Escalate {
		q.Escalate = append(q.Escalate, Escalation{After: Span(e.After), To: r.recipient(b.escalate[i], "ask.escalate")})
	}
	if e := b.spec.Expire; e != nil {
		q.Expire = &Expiry{After: Span(e.after), Answer: e.answer}
	}
	return q, r.err
}

// renderer evaluates texts until one fails.
type renderer struct {
	x   *exec
	t   *task
	err *Error
}

// text evaluates a text and cuts what is longer than most runes.
func (r *renderer) text(tx *text, where string, most int) string {
	if r.err != nil {
		return ""
	}
	var s string
	if s, r.err = r.x.text(tx, where, r.t); len(s) <= most {
		return s
	}
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func (r *renderer) recipient(tx *text, where string) string {
	s := r.text(tx, where, 200)
	if r.err == nil && !recipientRE.MatchString(s) {
		r.err = &Error{Kind: Invalid, Message: where + ": the value is nobody who can be asked", Hint: recipientHint}
	}
	return s
}

func (r *renderer) who(tx *text) string {
	s := r.text(tx, "ask.who", 200)
	if r.err == nil && !personRE.MatchString(s) {
		r.err = &Error{Kind: Invalid, Message: "ask.who: the value is nobody who can answer", Hint: personHint}
	}
	return s
}
