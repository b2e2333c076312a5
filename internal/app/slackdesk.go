package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/slack"
	slackstore "beffroi.dev/internal/slack/store"
	"beffroi.dev/internal/view"
)

// slackDesk joins Slack with the questions and cases: it says what must stand
// there and takes what people pressed.
type slackDesk struct {
	view      *view.View
	seq       *sequencer.Sequencer
	questions *askstore.Questions
	people    func() *person.Directory
	now       func() time.Time
}

// Due implements slack.Outbox.
func (d *slackDesk) Due(ctx context.Context, after slack.Place, limit int) (out []slack.Message, err error) {
	err = d.view.Read(ctx, func(tx *view.Tx) error {
		due, err := slackstore.Due(tx, after.Rev, after.Key, limit)
		if err != nil {
			return err
		}
		for _, m := range due {
			msg, err := d.message(tx, m)
			if err != nil {
				return fmt.Errorf("message %s: %w", m.Key, err)
			}
			out = append(out, msg)
		}
		return nil
	})
	return out, err
}

// message says what a message says now.
func (d *slackDesk) message(tx *view.Tx, m slackstore.Message) (slack.Message, error) {
	out := slack.Message{
		Key: m.Key, Rev: m.Rev, Kind: slack.Notice, Due: m.Due, Thread: m.Thread, ThreadTS: m.ThreadTS,
		At: slack.Spot{Channel: m.Channel, TS: m.TS},
	}
	d.address(&out, m.Target)
	var err error
	switch m.Kind {
	case slackstore.Question:
		out.Kind, out.Priority = slack.Question, 2
		out.Content, err = d.question(tx, m.About)
	case slackstore.Escalation:
		out.Kind, out.Priority, out.Broadcast = slack.Escalation, 3, true
		if out.Content, err = d.question(tx, m.About); err == nil {
			out.Content.Context = append([]string{"Escalated: nobody has answered yet"}, out.Content.Context...)
		}
	case slackstore.Reminder:
		out.Kind, out.Priority, out.Broadcast = slack.Reminder, 2, true
		out.Content, err = d.reminder(tx, strings.TrimSuffix(m.About, "/reminder"))
	case slackstore.Overdue:
		out.Kind, out.Priority, out.Broadcast = slack.Escalation, 3, true
		out.Content, err = d.overdue(tx, m)
	case slackstore.Notice:
		out.Content, err = d.notice(tx, m)
	}
	return out, err
}

// address resolves where a message goes at this moment. A target that means
// nobody goes to the default channel: better there than nowhere.
func (d *slackDesk) address(out *slack.Message, target string) {
	if strings.Contains(target, "@") && !strings.HasPrefix(target, "@") {
		out.Email = target
		return
	}
	reach, err := d.people().Resolve(target, d.now())
	if err != nil {
		return
	}
	out.Channel = reach.Channel
	if reach.Channel == "" && len(reach.People) == 1 {
		out.Email = reach.People[0].Email
		return
	}
	if strings.HasPrefix(target, "#") {
		return
	}
	for _, p := range reach.People {
		out.Mention = append(out.Mention, p.Email)
	}
}

func (d *slackDesk) question(tx *view.Tx, about string) (slack.Content, error) {
	id, err := askstore.ID(about)
	if err != nil {
		return slack.Content{}, err
	}
	q, err := askstore.Get(tx, id)
	if err != nil {
		return slack.Content{}, err
	}
	c := slack.Content{Title: q.Question.Title, Text: q.Question.Text}
	for _, f := range q.Question.Fields {
		c.Fields = append(c.Fields, slack.Field{Name: f.Label, Value: f.Value})
	}
	if err := d.caseContext(tx, q.Question.Case, &c); err != nil {
		return c, err
	}
	if q.Status != ask.Open {
		c.Result = d.result(q)
		return c, nil
	}
	if at, ok := q.Deadline(); ok {
		c.Deadline = at
	}
	for i, a := range q.Question.Answers {
		c.Answers = append(c.Answers, slack.Answer{
			Token: fmt.Sprintf("%d.%d", id, i), Label: a.Text(), Style: slack.Style(a.Style), Confirm: a.Confirm,
		})
	}
	if who, open := q.Who(); !open && len(who) > 0 {
		c.Status = "May be answered by " + strings.Join(d.names(who), ", ")
	}
	return c, nil
}

func (d *slackDesk) caseContext(tx *view.Tx, name string, c *slack.Content) error {
	if name == "" {
		return nil
	}
	id, err := alertstore.ID("case", name)
	if err != nil {
		return err
	}
	k, err := alertstore.Get(tx, id)
	if err != nil {
		return err
	}
	c.Context = append(c.Context, alert.SeverityName(k.Severity), k.Source, fmt.Sprintf("case %d", k.ID))
	if k.Alerts > 1 {
		c.Context = append(c.Context, fmt.Sprintf("%d alerts", k.Alerts))
	}
	return nil
}

func (d *slackDesk) result(q askstore.Question) *slack.Result {
	r := &slack.Result{Reason: q.Reason, At: q.EndedAt, By: d.name(q.By)}
	if a, ok := q.Question.Find(q.Choice); ok {
		r.Answer = a.Text()
	}
	switch q.Status {
	case ask.IsAnswered:
		r.Ending = slack.Answered
	case ask.IsExpired:
		r.Ending = slack.Expired
	case ask.IsGone, ask.Open:
		r.Ending = slack.Withdrawn
	}
	return r
}

func (d *slackDesk) name(id string) string {
	if p, ok := d.people().Person(id); ok {
		return p.FullName()
	}
	return id
}

func (d *slackDesk) names(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		if out[i] = d.name(id); out[i] == id {
			out[i] = strings.TrimPrefix(strings.Replace(id, "team/", "the team ", 1), "person/")
		}
	}
	return out
}

func (d *slackDesk) reminder(tx *view.Tx, about string) (slack.Content, error) {
	id, err := askstore.ID(about)
	if err != nil {
		return slack.Content{}, err
	}
	q, err := askstore.Get(tx, id)
	if err != nil {
		return slack.Content{}, err
	}
	c := slack.Content{Title: "Still waiting: " + q.Question.Title, Text: "Nobody has answered since " + since(d.now().Sub(q.AskedAt)) + "."}
	if q.Status != ask.Open {
		c = slack.Content{Title: q.Question.Title, Text: "This has been answered meanwhile."}
	}
	return c, nil
}

func (d *slackDesk) overdue(tx *view.Tx, m slackstore.Message) (slack.Content, error) {
	rec, err := tx.Record(m.Source)
	if err != nil {
		return slack.Content{}, err
	}
	var o alert.CaseOverdue
	if err := json.Unmarshal(rec.Data, &o); err != nil {
		return slack.Content{}, fmt.Errorf("decode record %d: %w", m.Source, err)
	}
	id, err := alertstore.ID("case", rec.Subject)
	if err != nil {
		return slack.Content{}, err
	}
	k, err := alertstore.Get(tx, id)
	if err != nil {
		return slack.Content{}, err
	}
	c := slack.Content{
		Title: "Nobody has acted on: " + k.Title,
		Text:  fmt.Sprintf("Somebody had to act by %s. The alert has waited for %s.", o.Deadline.Format("15:04 MST"), since(rec.Time.Sub(o.Since))),
	}
	if o.Early {
		c.Title = "Soon overdue: " + k.Title
		c.Text = fmt.Sprintf("Somebody has to act by %s.", o.Deadline.Format("15:04 MST"))
	}
	return c, d.caseContext(tx, rec.Subject, &c)
}

func since(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
}

func (d *slackDesk) notice(tx *view.Tx, m slackstore.Message) (slack.Content, error) {
	rec, err := tx.Record(m.Source)
	if err != nil {
		return slack.Content{}, err
	}
	var q slackstore.Requested
	if err := json.Unmarshal(rec.Data, &q); err != nil {
		return slack.Content{}, fmt.Errorf("decode record %d: %w", m.Source, err)
	}
	c := slack.Content{Text: q.Text}
	for _, k := range slices.Sorted(maps.Keys(q.Fields)) {
		c.Fields = append(c.Fields, slack.Field{Name: k, Value: q.Fields[k]})
	}
	return c, d.caseContext(tx, q.Case, &c)
}

// Posted implements slack.Outbox.
func (d *slackDesk) Posted(ctx context.Context, p slack.Posted) error {
	_, err := d.seq.Do(ctx, slackstore.Post(slackstore.Posted{
		Key: p.Key, Rev: p.Rev, Channel: p.Channel, TS: p.TS, Thread: p.Thread, ThreadTS: p.ThreadTS, Folded: p.Folded,
	}))
	return err
}

// Failed implements slack.Outbox.
func (d *slackDesk) Failed(ctx context.Context, f slack.Failure) error {
	rec := slackstore.Failed{Key: f.Key, Rev: f.Rev, Reason: f.Reason, Remedy: f.Remedy}
	if !f.Retry.IsZero() {
		rec.Retry = &f.Retry
	}
	_, err := d.seq.Do(ctx, slackstore.Fail(rec))
	return err
}

// Answer implements slack.Desk.
func (d *slackDesk) Answer(ctx context.Context, c slack.Click) (slack.Outcome, error) {
	id, answer, needsReason, err := d.button(ctx, c.Token)
	if err != nil {
		return slack.Outcome{}, err
	}
	if needsReason && c.Reason == "" {
		return slack.Outcome{Verdict: slack.NeedsReason, Form: reasonForm}, nil
	}
	a := ask.Attempt{From: "slack/" + c.Who.ID, Via: "slack", Answer: answer, Reason: c.Reason}
	if p, ok := d.people().BySlack(c.Who.ID, c.Who.Email); ok {
		a.Person = p.ID()
	}
	_, err = d.questions.Answer(ctx, id, a)
	var late *ask.AlreadyAnsweredError
	var refused *ask.RefusedError
	switch {
	case err == nil:
		return slack.Outcome{Verdict: slack.Accepted}, nil
	case errors.As(err, &late):
		return slack.Outcome{Verdict: slack.TooLate, Say: late.Error()}, nil
	case errors.As(err, &refused) && refused.Why == ask.WhyReasonMissing:
		return slack.Outcome{Verdict: slack.NeedsReason, Say: refused.Error(), Form: reasonForm}, nil
	case errors.As(err, &refused):
		return slack.Outcome{Verdict: slack.Refused, Say: refused.Error()}, nil
	default:
		return slack.Outcome{}, err
	}
}

// Refuse implements slack.Desk.
func (d *slackDesk) Refuse(ctx context.Context, c slack.Click, why slack.Refusal) error {
	id, answer, _, err := d.button(ctx, c.Token)
	if err != nil {
		return err
	}
	return d.questions.Refuse(ctx, id, ask.Refused{From: "slack/" + c.Who.ID, Via: "slack", Answer: answer, Why: ask.Why(why)})
}

var reasonForm = slack.Form{Title: "Why?", Prompt: "The reason will stand in the record of this case.", Submit: "Answer"}

// button finds the question and the answer behind a button, and whether a
// reason has to be asked for first.
func (d *slackDesk) button(ctx context.Context, token string) (id uint64, answer string, needsReason bool, err error) {
	unknown := errs.E(errs.NotFound, "this button belongs to no question")
	left, right, ok := strings.Cut(token, ".")
	id, errID := strconv.ParseUint(left, 10, 63)
	n, errN := strconv.Atoi(right)
	if !ok || errID != nil || errN != nil || n < 0 {
		return 0, "", false, unknown
	}
	err = d.view.Read(ctx, func(tx *view.Tx) error {
		q, err := askstore.Get(tx, id)
		if err != nil {
			return err
		}
		if n >= len(q.Question.Answers) {
			return unknown
		}
		answer = q.Question.Answers[n].ID
		needsReason = q.Status == ask.Open && q.Question.ReasonFor(q.Question.Answers[n]) == ask.ReasonRequired
		return nil
	})
	return id, answer, needsReason, err
}
