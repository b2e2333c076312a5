package app

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/secret"
	secretstore "beffroi.dev/internal/secret/store"
	"beffroi.dev/internal/slack"
)

// chat keeps the Slack workspace of the document in force, and starts anew when
// that document or one of its secrets changes.
type chat struct {
	n       *Node
	current atomic.Pointer[slack.Slack] // nil while there is none
	outbox  chan struct{}               // holds at most one wake: the outbox changed
	changed chan struct{}               // holds at most one wake: documents or secrets changed
}

func newChat(n *Node) *chat {
	return &chat{n: n, outbox: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
}

// committed wakes what a durable block concerns. It does not block.
func (c *chat) committed(recs []ledger.Record) {
	for _, rec := range recs {
		switch {
		case rec.Kind == secretstore.KindSet:
			wake(c.changed)
		case strings.HasPrefix(rec.Kind, "ask."), rec.Kind == "slack.requested", rec.Kind == "case.overdue":
			wake(c.outbox)
		}
	}
}

// documentsChanged looks again at which workspace is wanted.
func (c *chat) documentsChanged() { wake(c.changed) }

func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run keeps a workspace until ctx ends.
func (c *chat) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		settings, version := c.settings()
		s, err := c.open(ctx, settings)
		if err != nil {
			c.n.c.Log.WarnContext(ctx, "slack cannot start", "err", err)
		}
		c.current.Store(s)
		c.keep(ctx, s, version)
		c.current.Store(nil)
	}
	return nil
}

// keep runs s until ctx ends or what it was made from changes.
func (c *chat) keep(ctx context.Context, s *slack.Slack, version string) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s == nil {
			return
		}
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			c.n.c.Log.ErrorContext(ctx, "slack stopped", "err", err)
		}
	}()
	defer func() { stop(); <-done }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
			if _, now := c.settings(); now != version || s == nil {
				return
			}
		}
	}
}

// settings are those of the first document of kind slack, and what they depend
// on: the version changes with the document and with its secrets.
func (c *chat) settings() (*slack.Settings, string) {
	snap := c.n.docs.Snapshot()
	all := documentstore.All[slack.Settings](snap, kindSlack)
	if len(all) == 0 {
		return nil, ""
	}
	var version strings.Builder
	for id, d := range snap.Set {
		if id.Kind == kindSlack {
			version.WriteString(d.Version)
		}
	}
	for _, name := range []string{all[0].BotToken.Secret, all[0].SigningSecret.Secret, all[0].AppToken.Secret} {
		version.WriteString("/" + c.n.vault.Stamp(name))
	}
	return &all[0], version.String()
}

func (c *chat) open(ctx context.Context, set *slack.Settings) (*slack.Slack, error) {
	if set == nil {
		return nil, nil
	}
	n := c.n
	desk := &slackDesk{view: n.view, seq: n.seq, questions: n.questions, people: n.directory, now: n.c.Now}
	conf := slack.Config{
		Outbox: desk, Desk: desk, Wake: c.outbox, Mode: set.Mode, Channel: set.Channel, APIURL: set.APIURL,
		EveryChannel: n.c.SlackPace, Trickle: n.c.SlackPace, Burst: n.c.SlackBurst, Now: n.c.Now, Log: n.c.Log,
	}
	for _, s := range []struct {
		ref slack.SecretRef
		to  *secret.String
	}{{set.BotToken, &conf.BotToken}, {set.SigningSecret, &conf.SigningSecret}, {set.AppToken, &conf.AppToken}} {
		if s.ref.Secret == "" {
			continue
		}
		v, err := n.vault.Open(ctx, s.ref.Secret)
		if err != nil {
			return nil, err
		}
		*s.to = v
	}
	return slack.New(conf)
}

// interact passes what Slack sends to the workspace.
func (c *chat) interact(w http.ResponseWriter, r *http.Request) error {
	s := c.current.Load()
	if s == nil {
		return errs.E(errs.Unavailable, "no Slack workspace is connected")
	}
	s.ServeHTTP(w, r)
	return nil
}
