package slack

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// memberFor is how long a clicker's standing is believed: long enough for
	// a double click, short enough for somebody who was just deactivated.
	memberFor = 30 * time.Second
	personFor = time.Hour       // an e-mail address leads to the same user
	listEvery = 1 * time.Minute // at most, however many names are unknown
	maxCached = 10_000
)

var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{4,30}$`)

// directory knows who is behind a user id, and where names and people are
// reached. What it remembers, Slack can tell again.
type directory struct {
	c   *client
	now func() time.Time

	listing chan struct{} // holds one value while channels are listed, so that they are listed once

	mu      sync.Mutex
	me      *self             // guarded by mu
	members cache[member]     // guarded by mu; by user id
	people  cache[string]     // guarded by mu; user id by e-mail address
	dms     cache[string]     // guarded by mu; channel by user id
	names   map[string]string // guarded by mu; channel by name
	listed  time.Time         // guarded by mu
}

func newDirectory(c *client, now func() time.Time) *directory {
	return &directory{
		c: c, now: now, names: map[string]string{}, listing: make(chan struct{}, 1),
		members: cache[member]{}, people: cache[string]{}, dms: cache[string]{},
	}
}

// cache holds values for a time. When it is full it starts anew.
type cache[T any] map[string]cached[T]

type cached[T any] struct {
	value T
	until time.Time
}

func (c cache[T]) get(key string, now time.Time) (T, bool) {
	v, ok := c[key]
	return v.value, ok && now.Before(v.until)
}

func (c cache[T]) put(key string, v T, until time.Time) {
	if len(c) >= maxCached {
		clear(c)
	}
	c[key] = cached[T]{v, until}
}

// who says who a clicker is, and whether such a person may press anything. Any
// doubt is an error: the click then does not count.
func (d *directory) who(ctx context.Context, id string) (Who, Refusal, error) {
	me, err := d.self(ctx)
	if err != nil {
		return Who{ID: id}, "", err
	}
	m, err := d.member(ctx, id)
	var e *callError
	if errors.As(err, &e) && (e.code == "user_not_found" || e.code == "user_not_visible") {
		return Who{ID: id}, Stranger, nil
	}
	if err != nil {
		return Who{ID: id}, "", err
	}
	ours := m.Team == me.team || me.enterprise != "" && m.enterprise == me.enterprise
	switch {
	case m.deleted:
		return m.Who, Deactivated, nil
	case m.bot:
		return m.Who, Bot, nil
	case m.stranger || !ours:
		return m.Who, Stranger, nil
	case m.guest:
		return m.Who, Guest, nil
	case m.Email == "":
		return m.Who, NoEmail, nil
	}
	return m.Who, "", nil
}

func (d *directory) self(ctx context.Context) (self, error) {
	d.mu.Lock()
	me := d.me
	d.mu.Unlock()
	if me != nil {
		return *me, nil
	}
	s, err := d.c.self(ctx)
	if err != nil {
		return self{}, err
	}
	d.mu.Lock()
	d.me = &s
	d.mu.Unlock()
	return s, nil
}

func (d *directory) member(ctx context.Context, id string) (member, error) {
	return lookup(d, d.members, id, memberFor, func() (member, error) { return d.c.user(ctx, id) })
}

// userFor returns the user with an e-mail address.
func (d *directory) userFor(ctx context.Context, email string) (string, error) {
	key := strings.ToLower(email)
	return lookup(d, d.people, key, personFor, func() (string, error) { return d.c.userByEmail(ctx, email) })
}

// lookup answers from a cache of d, or asks and remembers.
func lookup[T any](d *directory, in cache[T], key string, keep time.Duration, ask func() (T, error)) (T, error) {
	d.mu.Lock()
	v, ok := in.get(key, d.now())
	d.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ask()
	if err != nil {
		return v, err
	}
	d.mu.Lock()
	in.put(key, v, d.now().Add(keep))
	d.mu.Unlock()
	return v, nil
}

// resolve returns the conversation for a channel's name or id, or for a person.
func (d *directory) resolve(ctx context.Context, channel, email string) (string, error) {
	switch {
	case email != "":
		user, err := d.userFor(ctx, email)
		if err != nil {
			return "", err
		}
		return lookup(d, d.dms, user, personFor, func() (string, error) { return d.c.openDM(ctx, user) })
	case channel == "":
		return "", &callError{method: mPost, fate: refused, code: "no_channel"}
	case channelID.MatchString(channel):
		return channel, nil
	}
	return d.named(ctx, strings.TrimPrefix(channel, "#"))
}

func (d *directory) named(ctx context.Context, name string) (string, error) {
	select {
	case d.listing <- struct{}{}:
		defer func() { <-d.listing }()
	case <-ctx.Done():
		return "", &callError{method: mList, fate: unsent, code: "stopped"}
	}
	d.mu.Lock()
	id, ok := d.names[name]
	fresh := d.now().Sub(d.listed) < listEvery
	d.mu.Unlock()
	if !ok && !fresh {
		names, err := d.list(ctx)
		if err != nil {
			return "", err
		}
		id, ok = names[name]
		d.mu.Lock()
		d.names, d.listed = names, d.now()
		d.mu.Unlock()
	}
	if !ok {
		return "", &callError{method: mList, fate: refused, code: "channel_not_found"}
	}
	return id, nil
}

func (d *directory) list(ctx context.Context) (map[string]string, error) {
	names, cursor := map[string]string{}, ""
	for {
		page, next, err := d.c.channels(ctx, cursor)
		if err != nil {
			return nil, err
		}
		maps.Copy(names, page)
		if next == "" || next == cursor {
			return names, nil
		}
		cursor = next
	}
}

// forget drops what led to a channel that is not there any more.
func (d *directory) forget(channel, email string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, strings.TrimPrefix(channel, "#"))
	if email != "" {
		delete(d.people, strings.ToLower(email))
		clear(d.dms)
	}
}
