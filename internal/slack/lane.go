package slack

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

const (
	// smallRest is how many waiting messages are not worth a digest.
	smallRest = 3
	// digestEvery is the time between two updates of a digest's number.
	digestEvery = 15 * time.Second
)

// A lane is what is on its way to one channel or person: one call at a time,
// so that a thread's first message comes first.
type lane struct {
	to    string
	items []*item // in order: larger priority first, then by place
	busy  bool
	burst *burst
	// seen is what a former process may have posted, by thread and key.
	seen map[string]map[string]found
}

// A burst begins when more new messages are pending than a reader can take. A
// few are posted, a digest stands for the rest, and the rest follows slowly.
type burst struct {
	quota  int     // how many are still posted at full pace
	note   Spot    // the digest; zero until it stands
	key    string  // of the digest
	to     Message // which says where it goes
	rev    uint64
	unsure bool // the digest may stand already
	since  time.Time
	folded int // notices that stand in the digest only
	shown  int // the number that the digest shows as waiting
	tries  int
	at     time.Time // when the digest may be changed next
	next   time.Time // when the next message from behind it may follow
}

func order(a, b *item) int {
	return cmp.Or(cmp.Compare(b.msg.Priority, a.msg.Priority), a.msg.Place().Compare(b.msg.Place()))
}

func (l *lane) insert(it *item) {
	i, _ := slices.BinarySearchFunc(l.items, it, order)
	l.items = slices.Insert(l.items, i, it)
	it.lane = l
}

func (l *lane) remove(it *item) {
	if i := slices.Index(l.items, it); i >= 0 {
		l.items = slices.Delete(l.items, i, i+1)
	}
}

// thread gives a thread's first message to those that wait to reply.
func (l *lane) thread(key, ts string) {
	if key == "" || ts == "" {
		return
	}
	for _, it := range l.items {
		for _, m := range []*Message{&it.msg, it.next} {
			if m != nil && m.Thread == key && m.ThreadTS == "" && !it.top {
				m.ThreadTS = ts
			}
		}
	}
}

// resume goes on with a digest that a former process left open.
func (l *lane) resume(index map[string]found) {
	for key, f := range index {
		if (l.burst == nil || l.burst.note == (Spot{})) && f.tag.open && strings.HasPrefix(key, digestKey) {
			l.burst = &burst{note: f.spot, key: key, rev: f.tag.rev, folded: f.tag.folded, shown: -1}
		}
	}
}

// fresh reports whether an item would be a new message of the channel: those
// are what a burst is made of.
func (it *item) fresh() bool {
	return it.msg.At == (Spot{}) && it.msg.ThreadTS == "" && (it.msg.Kind == Question || it.msg.Kind == Notice)
}

// foldable reports whether a digest may stand for an item for good.
func (it *item) foldable() bool {
	return it.msg.Kind == Notice && it.msg.Priority <= 0 && len(it.msg.Mention) == 0 && len(it.msg.Content.Answers) == 0 && !it.unsure
}

// first returns the item that opens its thread, when that one still waits.
func (l *lane) first(it *item) *item {
	if it.msg.Thread == "" || it.msg.ThreadTS != "" || it.top {
		return it
	}
	for _, o := range l.items {
		if o.msg.Thread == it.msg.Thread && o.msg.At == (Spot{}) && o.posted == nil && o.msg.Place().Compare(it.msg.Place()) < 0 {
			it = o
		}
	}
	return it
}

// next picks the lane's next job, if its turn has come, or says when it may.
func (q *queue) next(l *lane, now time.Time) (*job, time.Time) {
	var soon time.Time
	var fresh []*item
	blocked := map[string]bool{}
	for _, it := range l.items {
		switch {
		case it.posted != nil:
			continue
		case now.Before(it.before):
			soon = earlier(soon, it.before)
			continue
		case it.fresh():
			fresh = append(fresh, it)
			continue
		}
		it = l.first(it)
		if method := it.method(); !blocked[method] {
			j, at := q.job(l, it, now)
			if j != nil {
				return j, at
			}
			blocked[method] = true
			soon = earlier(soon, at)
		}
	}
	if blocked[mPost] {
		return nil, soon
	}
	j, at := q.nextFresh(l, fresh, now)
	return j, earlier(soon, at)
}

// nextFresh picks among new messages: all at full pace, or as a burst.
func (q *queue) nextFresh(l *lane, fresh []*item, now time.Time) (*job, time.Time) {
	if l.burst == nil && len(fresh) > q.s.c.Burst {
		l.burst = &burst{quota: q.s.c.Burst}
	}
	b := l.burst
	switch {
	case b == nil && len(fresh) == 0:
		return nil, time.Time{}
	case b == nil:
		return q.job(l, fresh[0], now)
	case len(fresh) == 0 && b.note == (Spot{}) && !b.unsure:
		l.burst = nil
		return nil, time.Time{}
	case len(fresh) > 0 && (b.quota > 0 || b.note == (Spot{}) && !b.unsure && len(fresh) <= smallRest):
		j, at := q.job(l, fresh[0], now)
		if j != nil {
			b.quota--
		}
		return j, at
	}
	if b.note == (Spot{}) || len(fresh) != b.shown {
		if at := b.due(len(fresh)); now.Before(at) {
			j, follow := q.follow(l, fresh, now)
			return j, earlier(at, follow)
		}
		return q.digestJob(l, fresh, now)
	}
	return q.follow(l, fresh, now)
}

// due is when the digest's number may change: the first and the last at once.
func (b *burst) due(waiting int) time.Time {
	if b.tries == 0 && waiting == 0 {
		return time.Time{}
	}
	return b.at
}

// follow posts one message from behind the digest, slowly.
func (q *queue) follow(l *lane, fresh []*item, now time.Time) (*job, time.Time) {
	switch b := l.burst; {
	case len(fresh) == 0 || b.note == (Spot{}):
		return nil, time.Time{}
	case now.Before(b.next):
		return nil, b.next
	default:
		j, at := q.job(l, fresh[0], now)
		if j != nil {
			b.next = now.Add(q.s.c.Trickle)
		}
		return j, at
	}
}

func (it *item) method() string {
	if it.msg.At != (Spot{}) {
		return mUpdate
	}
	return mPost
}
