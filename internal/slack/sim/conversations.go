package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// paged cuts a list as limit and cursor say, and returns the next cursor.
func paged[T any](a args, all []T, standard int) ([]T, map[string]any, error) {
	limit, from := standard, 0
	if s := a["limit"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return nil, nil, no("invalid_limit")
		}
		limit = n
	}
	if s := a["cursor"]; s != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(s, "next:"))
		if err != nil || n < 0 || n > len(all) {
			return nil, nil, no("invalid_cursor")
		}
		from = n
	}
	to, next := min(from+limit, len(all)), ""
	if to < len(all) {
		next = "next:" + strconv.Itoa(to)
	}
	return append([]T{}, all[from:to]...), map[string]any{"next_cursor": next}, nil
}

func (w *Workspace) listChannels(a args, _ *http.Request) (map[string]any, error) {
	types := a["types"]
	if types == "" {
		types = "public_channel"
	}
	var all []any
	for i := range w.channels {
		ch := &w.channels[i]
		kind := "public_channel"
		switch {
		case ch.User != "":
			kind = "im"
		case ch.Private:
			kind = "private_channel"
		}
		hidden := ch.Private && ch.Outside || ch.Archived && a["exclude_archived"] == "true"
		if !hidden && slices.Contains(strings.Split(types, ","), kind) {
			all = append(all, channelShape(ch))
		}
	}
	page, meta, err := paged(a, all, 100)
	return map[string]any{"channels": page, "response_metadata": meta}, err
}

func channelShape(ch *Channel) map[string]any {
	return map[string]any{
		"id": ch.ID, "name": ch.Name, "is_channel": ch.User == "" && !ch.Private, "is_im": ch.User != "", "user": ch.User,
		"is_private": ch.Private, "is_archived": ch.Archived, "is_member": !ch.Outside,
	}
}

func (w *Workspace) info(a args, _ *http.Request) (map[string]any, error) {
	ch := w.channel(a["channel"])
	if ch == nil || ch.Private && ch.Outside {
		return nil, no("channel_not_found")
	}
	return map[string]any{"channel": channelShape(ch)}, nil
}

func (w *Workspace) join(a args, _ *http.Request) (map[string]any, error) {
	ch := w.channel(a["channel"])
	switch {
	case ch == nil || ch.Private:
		return nil, no("channel_not_found")
	case ch.Archived:
		return nil, no("is_archived")
	}
	ch.Outside = false
	return map[string]any{"channel": channelShape(ch)}, nil
}

func (w *Workspace) open(a args, _ *http.Request) (map[string]any, error) {
	u := w.user(a["users"])
	switch {
	case u == nil:
		return nil, no("user_not_found")
	case u.Deleted:
		return nil, no("user_disabled")
	case u.Bot:
		return nil, no("cannot_dm_bot")
	}
	for i := range w.channels {
		if w.channels[i].User == u.ID {
			return map[string]any{"channel": channelShape(&w.channels[i]), "already_open": true}, nil
		}
	}
	w.channels = append(w.channels, Channel{ID: w.id("D0DM"), Name: u.Name, User: u.ID})
	w.changed("")
	return map[string]any{"channel": channelShape(&w.channels[len(w.channels)-1])}, nil
}

// between reports whether a message lies in the time that a call asks for.
func between(a args, ts string) bool {
	inclusive := a["inclusive"] == "1" || a["inclusive"] == "true"
	if o := a["oldest"]; o != "" && (ts < o || ts == o && !inclusive) {
		return false
	}
	l := a["latest"]
	return l == "" || ts < l || ts == l && inclusive
}

func (w *Workspace) history(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	metadata := a["include_all_metadata"] == "1" || a["include_all_metadata"] == "true"
	var all []any
	for _, m := range slices.Backward(w.messages) {
		if m.Channel == ch.ID && m.For == "" && (m.ThreadTS == "" || m.Broadcast) && between(a, m.TS) {
			all = append(all, w.shape(m, metadata))
		}
	}
	page, meta, err := paged(a, all, 100)
	return map[string]any{"messages": page, "has_more": meta["next_cursor"] != "", "response_metadata": meta}, err
}

func (w *Workspace) replies(a args, _ *http.Request) (map[string]any, error) {
	ch, err := w.place(a)
	if err != nil {
		return nil, err
	}
	parent := w.message(ch.ID, a["ts"])
	if parent == nil {
		return nil, no("thread_not_found")
	}
	metadata := a["include_all_metadata"] == "1" || a["include_all_metadata"] == "true"
	all := []any{w.shape(parent, metadata)}
	for _, m := range w.messages {
		if m.Channel == ch.ID && m.ThreadTS == parent.TS && m.For == "" && between(a, m.TS) {
			all = append(all, w.shape(m, metadata))
		}
	}
	page, meta, err := paged(a, all, 1000)
	return map[string]any{"messages": page, "has_more": meta["next_cursor"] != "", "response_metadata": meta}, err
}

func (w *Workspace) userShape(u *User) map[string]any {
	team := w.c.TeamID
	if u.Team != "" {
		team = u.Team
	}
	profile := map[string]any{"real_name": u.Name, "display_name": u.Name, "team": team}
	if u.Email != "" && team == w.c.TeamID {
		profile["email"] = u.Email
	}
	colleague := u.Enterprise != "" && u.Enterprise == w.c.Enterprise
	if colleague {
		profile["email"] = u.Email
	}
	return map[string]any{
		"enterprise_user": map[string]any{"enterprise_id": u.Enterprise},
		"id":              u.ID, "team_id": team, "name": strings.ToLower(strings.ReplaceAll(u.Name, " ", ".")), "real_name": u.Name,
		"deleted": u.Deleted, "is_bot": u.Bot, "is_restricted": u.Guest, "is_ultra_restricted": false,
		"is_stranger": team != w.c.TeamID && !colleague, "is_email_confirmed": true, "profile": profile,
	}
}

func (w *Workspace) userInfo(a args, _ *http.Request) (map[string]any, error) {
	u := w.user(a["user"])
	if u == nil && a["user"] == w.bot.ID {
		u = &w.bot
	}
	if u == nil {
		return nil, no("user_not_found")
	}
	return map[string]any{"user": w.userShape(u)}, nil
}

func (w *Workspace) lookupByEmail(a args, _ *http.Request) (map[string]any, error) {
	for i := range w.users {
		u := &w.users[i]
		if u.Email != "" && strings.EqualFold(u.Email, a["email"]) && !u.Deleted && (u.Team == "" || u.Team == w.c.TeamID) {
			return map[string]any{"user": w.userShape(u)}, nil
		}
	}
	return nil, no("users_not_found")
}

func (w *Workspace) listUsers(a args, _ *http.Request) (map[string]any, error) {
	all := []any{w.userShape(&w.bot)}
	for i := range w.users {
		all = append(all, w.userShape(&w.users[i]))
	}
	page, meta, err := paged(a, all, 200)
	return map[string]any{"members": page, "response_metadata": meta}, err
}
