package slack

import (
	"context"
	"fmt"
	"time"

	slackgo "github.com/slack-go/slack"
)

// tagType marks our messages, so that they are found again.
const tagType = "beffroi_message"

// tag is the metadata of a message of ours.
type tag struct {
	key    string
	rev    uint64
	folded int  // of a digest: how many messages stand in it only
	open   bool // of a digest: messages still wait behind it
}

func tagOf(m slackgo.SlackMetadata) (tag, bool) {
	if m.EventType != tagType {
		return tag{}, false
	}
	var t tag
	t.key, _ = m.EventPayload["key"].(string)
	if s, ok := m.EventPayload["rev"].(string); ok {
		if _, err := fmt.Sscan(s, &t.rev); err != nil {
			return tag{}, false
		}
	}
	if f, ok := m.EventPayload["folded"].(float64); ok {
		t.folded = int(f)
	}
	t.open, _ = m.EventPayload["open"].(bool)
	return t, t.key != ""
}

// history returns our messages of a channel, or of one thread of it, that were
// posted after a time, by key.
func (c *client) history(ctx context.Context, channel, thread string, after time.Time) (map[string]found, error) {
	out := map[string]found{}
	oldest := fmt.Sprintf("%d.000000", after.Unix())
	cursor := ""
	for range maxPages {
		msgs, next, err := c.page(ctx, channel, thread, oldest, cursor)
		if err != nil {
			return nil, err
		}
		for _, m := range msgs {
			if t, ok := tagOf(m.Metadata); ok {
				out[t.key] = found{spot: Spot{channel, m.Timestamp}, thread: m.ThreadTimestamp, tag: t}
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	return out, nil
}

// maxPages bounds a search: 25 pages of 200 messages.
const maxPages = 25

// found is a message of ours that stands on Slack.
type found struct {
	spot   Spot
	thread string
	tag    tag
}

func (c *client) page(ctx context.Context, channel, thread, oldest, cursor string) (msgs []slackgo.Message, next string, err error) {
	if thread != "" {
		err = c.call(ctx, mReplies, func(ctx context.Context) error {
			ms, _, n, err := c.api.GetConversationRepliesContext(ctx, &slackgo.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: thread, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true,
			})
			msgs, next = ms, n
			return err
		})
		return msgs, next, err
	}
	err = c.call(ctx, mHistory, func(ctx context.Context) error {
		r, err := c.api.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{
			ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true,
		})
		if err == nil {
			msgs, next = r.Messages, r.ResponseMetaData.NextCursor
		}
		return err
	})
	return msgs, next, err
}
