package slack

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The methods of the Web API that we call.
const (
	mAuthTest  = "auth.test"
	mPost      = "chat.postMessage"
	mUpdate    = "chat.update"
	mEphemeral = "chat.postEphemeral"
	mHistory   = "conversations.history"
	mReplies   = "conversations.replies"
	mList      = "conversations.list"
	mJoin      = "conversations.join"
	mOpenDM    = "conversations.open"
	mUser      = "users.info"
	mByEmail   = "users.lookupByEmail"
	mOpenView  = "views.open"
	mRespond   = "response_url"
)

// perMinute is the tier of a method (docs.slack.dev, "Rate limits"): what
// Slack surely allows for the whole workspace. Posting is limited per channel
// instead, and beside that to several hundred a minute.
func perMinute(method string) int {
	switch method {
	case mList:
		return 20
	case mUpdate, mHistory, mReplies, mJoin, mOpenDM, mByEmail:
		return 50
	case mPost:
		return 300
	default:
		return 100
	}
}

// limits keep what Slack allows: a token bucket per method, one per method and
// channel for what is posted, and a pause per method after a 429.
type limits struct {
	everyChannel time.Duration // between two messages to one channel

	mu       sync.Mutex
	methods  map[string]*rate.Limiter // guarded by mu
	channels map[[2]string]*channelLimit
	paused   map[string]time.Time // guarded by mu
}

type channelLimit struct {
	*rate.Limiter
	used time.Time
}

func newLimits(everyChannel time.Duration) *limits {
	return &limits{
		everyChannel: everyChannel, methods: map[string]*rate.Limiter{},
		channels: map[[2]string]*channelLimit{}, paused: map[string]time.Time{},
	}
}

// wait returns how long to wait before method may be called; zero takes the
// tokens for one call.
func (l *limits) wait(now time.Time, method, channel string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.paused[method].Sub(now); d > 0 {
		return d
	}
	m := l.method(method).ReserveN(now, 1)
	if d := m.DelayFrom(now); d > 0 {
		m.CancelAt(now)
		return d
	}
	if channel == "" || method != mPost && method != mUpdate {
		return 0
	}
	c := l.channel(now, method, channel).ReserveN(now, 1)
	if d := c.DelayFrom(now); d > 0 {
		c.CancelAt(now)
		m.CancelAt(now)
		return d
	}
	return 0
}

// pause stops a method after a 429. A pause is never shortened.
func (l *limits) pause(method string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused[method]) {
		l.paused[method] = until
	}
}

func (l *limits) method(m string) *rate.Limiter {
	lim := l.methods[m]
	if lim == nil {
		n := perMinute(m)
		lim = rate.NewLimiter(rate.Limit(float64(n)/60), n/2)
		l.methods[m] = lim
	}
	return lim
}

// channel forgets buckets that have long been full again.
func (l *limits) channel(now time.Time, method, channel string) *rate.Limiter {
	k := [2]string{method, channel}
	lim := l.channels[k]
	if lim == nil {
		if len(l.channels) >= 1000 {
			for k, c := range l.channels {
				if now.Sub(c.used) > time.Minute {
					delete(l.channels, k)
				}
			}
		}
		lim = &channelLimit{Limiter: rate.NewLimiter(rate.Every(l.everyChannel), 1)}
		l.channels[k] = lim
	}
	lim.used = now
	return lim.Limiter
}
