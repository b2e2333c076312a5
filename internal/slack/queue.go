package slack

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

const (
	maxPending = 5000 // messages in memory; the rest waits in the outbox
	pageSize   = 500
	maxJobs    = 4 // calls side by side, one a channel
)

// queue brings the outbox to Slack. It is owned by the goroutine of run; jobs
// work beside it, touch nothing of it, and report back.
//
// Invariant: a message is posted only when it is known not to stand there. What
// a former process may have posted is looked up first, and so is what this one
// posted without an answer.
type queue struct {
	s     *Slack
	start time.Time
	jobs  sync.WaitGroup
	done  chan result

	lanes   map[string]*lane
	items   map[string]*item // by key
	recall  []*item          // on Slack, but not recorded as such yet
	running int              // jobs

	after  Place     // how far the outbox was read
	more   bool      // it was not read to the end
	gen    int       // of the reading from the start
	reread time.Time // when to read from the start again
	retry  time.Time // when to read again after an error

	hold  time.Time // no call before: Slack is down, or we lost access
	fails int       // in a row; then one job at a time is a probe
}

// An item is a message that is on its way.
type item struct {
	msg    Message
	lane   *lane
	gen    int
	flying bool      // a job has it
	next   *Message  // a newer revision that came meanwhile
	before time.Time // not tried again before
	tries  int
	told   string // the reason that the outbox was told
	unsure bool   // it may have been posted
	since  time.Time
	where  string  // in which thread
	posted *Posted // to be recorded
	top    bool    // its thread is gone: it stands alone
}

func newQueue(s *Slack) *queue {
	return &queue{
		s: s, start: s.c.Now(), done: make(chan result, maxJobs),
		lanes: map[string]*lane{}, items: map[string]*item{}, gen: 1,
	}
}

func (q *queue) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer q.jobs.Wait()
	defer stop()
	wake, woken := q.s.c.Wake, true
	for {
		q.read(ctx, woken)
		q.record(ctx)
		timer := time.NewTimer(q.dispatch(ctx).Sub(q.s.c.Now()))
		woken = false
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case _, ok := <-wake:
			if woken = ok; !ok {
				wake = nil
			}
		case r := <-q.done:
			q.finish(ctx, r)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// read takes in what is new, and from time to time all, so that what need not
// be posted any more is dropped.
func (q *queue) read(ctx context.Context, woken bool) {
	now := q.s.c.Now()
	if now.Before(q.retry) {
		return
	}
	again := !now.Before(q.reread)
	if again {
		q.after, q.gen, q.reread = Place{}, q.gen+1, now.Add(q.s.c.Reread)
	}
	if !again && !woken && (!q.more || len(q.items) >= maxPending) {
		return
	}
	for len(q.items) < maxPending {
		ms, err := q.s.c.Outbox.Due(ctx, q.after, pageSize)
		if err != nil {
			q.s.c.Log.ErrorContext(ctx, "could not read what must be on slack", "err", err)
			q.retry, q.reread = now.Add(5*time.Second), now
			return
		}
		for _, m := range ms {
			q.admit(m)
			q.after = m.Place()
		}
		if len(ms) < pageSize {
			q.more = false
			if again {
				q.sweep()
			}
			return
		}
	}
	q.more = true
}

// sweep drops what is not in the outbox any more.
func (q *queue) sweep() {
	for _, it := range q.items {
		if it.gen != q.gen && !it.flying && it.posted == nil {
			q.drop(it)
		}
	}
}

// admit takes in one message of the outbox. A newer revision supersedes an
// older one that was not posted yet.
func (q *queue) admit(m Message) {
	if m.Channel == "" && m.Email == "" {
		m.Channel = q.s.c.Channel
	}
	to := m.Channel
	if m.Email != "" {
		to = "@" + strings.ToLower(m.Email)
	}
	it := q.items[m.Key]
	if it == nil {
		it = &item{msg: m}
		q.items[m.Key] = it
		q.lane(to).insert(it)
	}
	it.gen = q.gen
	switch {
	case m.Rev < it.msg.Rev:
	case it.flying || it.posted != nil:
		if m.Rev > it.msg.Rev {
			it.next = &m
		}
	case m.Rev == it.msg.Rev && it.msg.At == m.At && it.msg.ThreadTS == m.ThreadTS && it.lane.to == to:
	default:
		q.revise(it, m, to)
	}
}

// revise gives an item a new content, and keeps what is known of where it
// stands.
func (q *queue) revise(it *item, m Message, to string) {
	if m.At == (Spot{}) {
		m.At = it.msg.At
	}
	if m.ThreadTS == "" {
		m.ThreadTS = it.msg.ThreadTS
	}
	if m.Rev > it.msg.Rev {
		it.before, it.tries, it.told = time.Time{}, 0, ""
	}
	it.lane.remove(it)
	it.msg = m
	q.lane(to).insert(it)
}

func (q *queue) lane(to string) *lane {
	l := q.lanes[to]
	if l == nil {
		l = &lane{to: to, seen: map[string]map[string]found{}}
		q.lanes[to] = l
	}
	return l
}

func (q *queue) drop(it *item) {
	delete(q.items, it.msg.Key)
	it.lane.remove(it)
}

// dispatch starts all jobs whose turn it is, and returns when to look again.
func (q *queue) dispatch(ctx context.Context) time.Time {
	now := q.s.c.Now()
	at := q.reread
	if now.Before(q.retry) {
		at = q.retry
	}
	for _, it := range q.recall {
		at = earlier(at, it.before)
	}
	if now.Before(q.hold) {
		return earlier(at, q.hold)
	}
	for to, l := range q.lanes {
		if l.busy {
			continue
		}
		if len(l.items) == 0 && l.burst == nil {
			delete(q.lanes, to)
			continue
		}
		if q.running >= maxJobs || q.running > 0 && q.fails > 0 {
			return at // a job's end looks again
		}
		j, soon := q.next(l, now)
		at = earlier(at, soon)
		if j == nil {
			continue
		}
		l.busy = true
		q.running++
		q.jobs.Go(func() { q.done <- q.s.perform(ctx, *j) })
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// finish takes the result of a job.
func (q *queue) finish(ctx context.Context, r result) {
	q.running--
	l := r.lane
	l.busy = false
	if r.all {
		for thread, index := range r.index {
			l.seen[thread] = index
			l.resume(index)
		}
	}
	if r.err == nil && r.have == nil {
		q.fails = 0
	}
	if r.note != nil {
		q.finishDigest(ctx, r)
		return
	}
	it := r.item
	it.flying = false
	if r.err != nil {
		q.failed(ctx, it, r)
		return
	}
	it.unsure = false
	if r.rev < it.msg.Rev { // an older revision was found: update it in place
		it.msg.At = r.spot
		return
	}
	it.msg.At = r.spot
	l.thread(it.msg.Thread, r.thread)
	q.stands(ctx, it, Posted{Key: it.msg.Key, Rev: it.msg.Rev, Spot: r.spot, Thread: it.msg.Thread, ThreadTS: r.thread})
}

// stands records that a message stands on Slack, and lets go of it.
func (q *queue) stands(ctx context.Context, it *item, p Posted) {
	if err := q.s.c.Outbox.Posted(ctx, p); err != nil {
		q.s.c.Log.ErrorContext(ctx, "could not record what was posted", "key", p.Key, "err", err)
		if it.posted == nil {
			q.recall = append(q.recall, it)
		}
		it.posted, it.before = &p, q.s.c.Now().Add(q.s.backoff(it.tries))
		it.tries++
		return
	}
	it.posted = nil
	if it.next != nil {
		m := *it.next
		it.next = nil
		if m.At == (Spot{}) {
			m.At = p.Spot
		}
		q.revise(it, m, it.lane.to)
		return
	}
	q.drop(it)
}

// record tries again what could not be recorded.
func (q *queue) record(ctx context.Context) {
	now := q.s.c.Now()
	again := q.recall
	q.recall = nil
	for _, it := range again {
		if now.Before(it.before) {
			q.recall = append(q.recall, it)
			continue
		}
		p := *it.posted
		it.posted = nil
		q.stands(ctx, it, p)
	}
}

// failed decides what becomes of a message whose job failed.
func (q *queue) failed(ctx context.Context, it *item, r result) {
	now := q.s.c.Now()
	if it.next != nil {
		m := *it.next
		it.next = nil
		q.revise(it, m, it.lane.to)
	}
	var e *callError
	if !errors.As(r.err, &e) {
		e = &callError{method: mPost, fate: unknown, code: "no_answer"}
	}
	wait := q.s.backoff(it.tries)
	it.tries++
	switch e.fate {
	case throttled:
		q.fails = 0
		it.tries--
		it.before = now.Add(e.after)
	case unsent:
		q.outage(ctx, now, e)
		it.before = now.Add(wait)
	case unknown:
		q.outage(ctx, now, e)
		it.before = now.Add(wait)
		if e.method == mPost {
			it.unsure, it.since, it.where = true, r.at, r.msg.ThreadTS
		}
	case refused:
		q.refused(ctx, it, r, e)
	}
}

// outage holds all calls back: it is not this message that is at fault.
func (q *queue) outage(ctx context.Context, now time.Time, e *callError) {
	if now.Before(q.hold) {
		return
	}
	d := q.s.backoff(q.fails)
	q.fails++
	q.hold = now.Add(d)
	q.s.c.Log.WarnContext(ctx, "slack does not answer", "err", e, "fails", q.fails, "retry_in", d)
}

// refused decides what to do when Slack said no.
func (q *queue) refused(ctx context.Context, it *item, r result, e *callError) {
	now := q.s.c.Now()
	if r.msg.ThreadTS != "" && e.method == mPost && lostThread(e.code) {
		it.top, it.msg.ThreadTS = true, "" // a reply without its thread stands alone
		return
	}
	what, remedy := remedyFor(e.code)
	f := Failure{Key: it.msg.Key, Rev: it.msg.Rev, Reason: e.code, Remedy: remedy}
	switch what {
	case fixAccess:
		d := max(q.s.backoff(q.fails), 30*time.Second)
		q.fails++
		q.hold = now.Add(d)
		q.s.c.Log.ErrorContext(ctx, "slack refuses us", "err", e, "remedy", remedy, "retry_in", d)
		return
	case fixPlace:
		q.fails = 0
		q.s.dir.forget(it.msg.Channel, it.msg.Email)
		it.before = now.Add(min(5*time.Minute<<min(it.tries-1, 4), time.Hour))
		f.Retry = it.before
	case giveUp:
		q.fails = 0
	}
	if it.told == e.code {
		return
	}
	q.s.c.Log.WarnContext(ctx, "a message is not on slack", "key", f.Key, "err", e, "remedy", remedy)
	if err := q.s.c.Outbox.Failed(ctx, f); err != nil {
		q.s.c.Log.ErrorContext(ctx, "could not record a failure", "key", f.Key, "err", err)
		it.before = now.Add(30 * time.Second)
		return
	}
	if it.told = e.code; what == giveUp {
		q.drop(it)
	}
}

// lostThread reports words for a thread that takes no reply.
func lostThread(code string) bool {
	switch code {
	case "thread_not_found", "message_not_found", "cannot_reply_to_message", "thread_locked", "invalid_thread_ts":
		return true
	}
	return false
}
