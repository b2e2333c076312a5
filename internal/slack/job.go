package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// A job is one message's way to Slack. It owns copies only.
type job struct {
	lane *lane // for the queue; a job does not look into it
	item *item // likewise; nil for a digest
	msg  Message
	note *note     // of a digest
	have *found    // it stands there: nothing to call
	look []string  // threads in which it may stand already, "" for none: look before posting
	from time.Time // since when
	all  bool      // keep all that was found: it serves the lane's other messages
}

// A result is what became of a job.
type result struct {
	job
	at     time.Time // when it began
	spot   Spot
	thread string                      // the thread's first message
	rev    uint64                      // that stands there
	index  map[string]map[string]found // by thread and key
	err    error
}

// job makes the job of an item, or says when its turn comes.
func (q *queue) job(l *lane, it *item, now time.Time) (*job, time.Time) {
	if now.Before(it.before) {
		return nil, it.before
	}
	j := job{lane: l, item: it, msg: it.msg}
	if it.msg.At == (Spot{}) {
		q.caution(l, it, &j)
	}
	if j.have == nil {
		if d := q.s.client.limits.wait(now, it.method(), cmp.Or(it.msg.At.Channel, l.to)); d > 0 {
			return nil, now.Add(d)
		}
	}
	it.flying = true
	return &j, time.Time{}
}

// caution decides what must be known before an item may be posted. Messages
// that were due before this process began may have been posted by the one
// before it: one search of the channel, and of each thread, serves them all.
func (q *queue) caution(l *lane, it *item, j *job) {
	if it.unsure {
		j.look, j.from = []string{it.where}, it.since.Add(-time.Minute)
		return
	}
	if !it.msg.Due.Before(q.start) {
		return
	}
	threads := []string{""}
	if it.msg.ThreadTS != "" { // it may have been tried before there was a thread
		threads = append(threads, it.msg.ThreadTS)
	}
	for _, thread := range threads {
		index, searched := l.seen[thread]
		if !searched {
			j.look, j.all, j.from = append(j.look, thread), true, l.oldest().Add(-time.Minute)
		} else if f, ok := index[it.msg.Key]; ok {
			j.have = &f
		}
	}
}

// oldest is since when the lane's oldest message has been due.
func (l *lane) oldest() time.Time {
	var t time.Time
	for _, it := range l.items {
		t = earlier(t, it.msg.Due)
	}
	return t
}

// perform does a job.
func (s *Slack) perform(ctx context.Context, j job) result {
	r := result{job: j, at: s.c.Now(), rev: j.msg.Rev}
	switch {
	case j.have != nil:
		r.stands(*j.have)
	case j.note != nil:
		r.err = s.sendNote(ctx, &r)
	default:
		r.err = s.send(ctx, &r)
	}
	return r
}

// stands fills in a message that was found.
func (r *result) stands(f found) {
	r.spot, r.thread, r.rev = f.spot, cmp.Or(r.msg.ThreadTS, f.thread, f.spot.TS), f.tag.rev
}

func (s *Slack) send(ctx context.Context, r *result) error {
	m := r.msg
	if err := m.check(); err != nil {
		s.c.Log.ErrorContext(ctx, "a message cannot be posted", "key", m.Key, "err", err)
		return &callError{method: mPost, fate: refused, code: "invalid_message"}
	}
	t := tag{key: m.Key, rev: m.Rev}
	if m.At != (Spot{}) {
		mentions, err := s.mentions(ctx, m.Mention)
		if err != nil {
			return err
		}
		r.spot, r.thread = m.At, cmp.Or(m.ThreadTS, m.At.TS)
		return s.client.update(ctx, m.At, render(m, mentions), t)
	}
	channel, err := s.dir.resolve(ctx, m.Channel, m.Email)
	if err != nil {
		return err
	}
	if f, err := s.look(ctx, r, channel, m.Key); f != nil || err != nil {
		if err == nil {
			r.stands(*f)
		}
		return err
	}
	mentions, err := s.mentions(ctx, m.Mention)
	if err != nil {
		return err
	}
	ts, err := s.postJoining(ctx, channel, m.ThreadTS, m.Broadcast, render(m, mentions), t)
	r.spot, r.thread = Spot{channel, ts}, cmp.Or(m.ThreadTS, ts)
	return err
}

// postJoining posts, and joins a public channel first where Slack asks for it.
func (s *Slack) postJoining(ctx context.Context, channel, thread string, broadcast bool, what rendered, t tag) (string, error) {
	ts, err := s.client.post(ctx, channel, thread, broadcast, what, t)
	if e := (*callError)(nil); errors.As(err, &e) && e.code == "not_in_channel" && s.client.join(ctx, channel) == nil {
		return s.client.post(ctx, channel, thread, broadcast, what, t)
	}
	return ts, err
}

// look searches where a job says for a key, and keeps what it found there.
func (s *Slack) look(ctx context.Context, r *result, channel, key string) (*found, error) {
	var have *found
	r.index = map[string]map[string]found{}
	for _, thread := range r.look {
		index, err := s.find(ctx, channel, thread, r.from)
		if err != nil {
			return nil, err
		}
		r.index[thread] = index
		if f, ok := index[key]; ok {
			have = &f
		}
	}
	return have, nil
}

// find searches a channel or a thread for our messages. Where Slack does not
// let us read, we cannot know, and would rather post twice than never.
func (s *Slack) find(ctx context.Context, channel, thread string, from time.Time) (map[string]found, error) {
	index, err := s.client.history(ctx, channel, thread, from)
	var e *callError
	if errors.As(err, &e) && e.code == "not_in_channel" && s.client.join(ctx, channel) == nil {
		index, err = s.client.history(ctx, channel, thread, from)
	}
	if errors.As(err, &e) && e.fate == refused {
		if what, _ := remedyFor(e.code); what == fixAccess {
			return nil, err
		}
		s.c.Log.WarnContext(ctx, "cannot look up what was posted before", "channel", channel, "err", err)
		return map[string]found{}, nil
	}
	return index, err
}

// mentions finds the users to call by name. Somebody whom Slack does not know
// is left out: the message matters more.
func (s *Slack) mentions(ctx context.Context, emails []string) ([]string, error) {
	var ids []string
	for _, email := range emails {
		id, err := s.dir.userFor(ctx, email)
		var e *callError
		switch {
		case err == nil:
			ids = append(ids, id)
		case errors.As(err, &e) && e.fate == refused:
			s.c.Log.WarnContext(ctx, "cannot mention somebody", "err", err)
		default:
			return nil, err
		}
	}
	return ids, nil
}

// check refuses what would be a defect of the program that filled the outbox.
func (m Message) check() error {
	if m.Key == "" || len(m.Key) > 255 {
		return errors.New("the key is empty or over 255 bytes")
	}
	seen := map[string]bool{}
	for i, a := range m.Content.Answers {
		if !validToken(a.Token) || seen[a.Token] || i >= maxAnswers {
			return fmt.Errorf("answer %d: the token is not fit for a button, or there are over %d answers", i, maxAnswers)
		}
		seen[a.Token] = true
	}
	return nil
}
