package slack

import (
	"context"
	"errors"
	"time"
)

// digestKey begins the keys of digests. They are not in the outbox: what a
// digest counts is, and a process finds the one that another left open.
const digestKey = "digest/"

// A note is what a job needs to bring a digest to Slack.
type note struct {
	what    rendered
	tag     tag
	at      Spot // where it stands; zero if it does not
	waiting int
	folds   []*item // for the queue
}

// digestJob posts or updates the digest, and folds into it what needs no
// message of its own.
func (q *queue) digestJob(l *lane, fresh []*item, now time.Time) (*job, time.Time) {
	b := l.burst
	n := &note{at: b.note}
	for _, it := range fresh {
		if it.foldable() {
			n.folds = append(n.folds, it)
		}
	}
	n.waiting = len(fresh) - len(n.folds)
	if b.key == "" {
		b.key, b.to = digestKey+fresh[0].msg.Key, fresh[0].msg
	}
	method := mPost
	if n.at != (Spot{}) {
		method = mUpdate
	}
	if d := q.s.client.limits.wait(now, method, l.to); d > 0 {
		return nil, now.Add(d)
	}
	b.rev++
	folded := b.folded + len(n.folds)
	n.tag = tag{key: b.key, rev: b.rev, folded: folded, open: n.waiting > 0}
	n.what = digest(n.waiting, folded, q.s.c.Waiting)
	for _, it := range n.folds {
		it.flying = true
	}
	j := &job{lane: l, note: n, msg: b.to}
	if b.unsure {
		j.look, j.from = []string{""}, b.since.Add(-time.Minute)
	}
	return j, time.Time{}
}

func (s *Slack) sendNote(ctx context.Context, r *result) error {
	n := r.note
	if n.at != (Spot{}) {
		r.spot = n.at
		return s.client.update(ctx, n.at, n.what, n.tag)
	}
	channel, err := s.dir.resolve(ctx, r.msg.Channel, r.msg.Email)
	if err != nil {
		return err
	}
	f, err := s.look(ctx, r, channel, n.tag.key)
	switch {
	case err != nil:
		return err
	case f != nil:
		r.spot = f.spot
		return s.client.update(ctx, f.spot, n.what, n.tag)
	case n.waiting == 0 && n.tag.folded == 0:
		return nil // there is nothing to say any more
	}
	ts, err := s.postJoining(ctx, channel, "", false, n.what, n.tag)
	r.spot = Spot{channel, ts}
	return err
}

// finishDigest takes the result of a digest's job.
func (q *queue) finishDigest(ctx context.Context, r result) {
	now := q.s.c.Now()
	l, n := r.lane, r.note
	b := l.burst
	for _, it := range n.folds {
		it.flying = false
	}
	if r.err != nil {
		q.failedDigest(ctx, r)
		return
	}
	b.note, b.shown, b.folded, b.tries, b.unsure = r.spot, n.waiting, n.tag.folded, 0, false
	b.at = now.Add(digestEvery)
	if b.next.IsZero() {
		b.next = now.Add(q.s.c.Trickle)
	}
	if n.waiting == 0 {
		l.burst = nil
	}
	for _, it := range n.folds {
		q.stands(ctx, it, Posted{Key: it.msg.Key, Rev: it.msg.Rev, Spot: r.spot, Thread: it.msg.Thread, Folded: true})
	}
}

func (q *queue) failedDigest(ctx context.Context, r result) {
	now := q.s.c.Now()
	b := r.lane.burst
	e := &callError{method: mPost, fate: unknown, code: "no_answer"}
	errors.As(r.err, &e)
	wait := q.s.backoff(b.tries)
	b.tries++
	switch e.fate {
	case throttled:
		wait = e.after
	case unsent:
		q.outage(ctx, now, e)
	case unknown:
		q.outage(ctx, now, e)
		if e.method == mPost {
			b.unsure, b.since = true, r.at
		}
	case refused:
		// The messages themselves will say why, each to the operators.
		q.s.c.Log.WarnContext(ctx, "a digest is not on slack", "err", e)
		r.lane.burst = &burst{quota: r.note.waiting + len(r.note.folds)}
	}
	b.at = now.Add(wait)
}
