package slack

import (
	"context"
	"errors"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"golang.org/x/sync/errgroup"
)

// maxSocketBody bounds one message of the socket.
const maxSocketBody = maxBody

// listen takes presses over Socket Mode (docs.slack.dev, "Using Socket Mode")
// until ctx ends. The library reconnects; when it gives up, because a token is
// wrong, we come back later.
func (s *Slack) listen(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		start := s.c.Now()
		err := s.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if s.c.Now().Sub(start) > 5*time.Minute {
			n = 0
		}
		d := max(s.backoff(n), 10*time.Second)
		s.c.Log.ErrorContext(ctx, "socket mode ended", "err", classify("apps.connections.open", err), "retry_in", d)
		if sleep(ctx, d) != nil {
			return nil
		}
	}
	return nil
}

func (s *Slack) connect(ctx context.Context) error {
	sock := socketmode.New(s.client.api, socketmode.OptionReadLimit(maxSocketBody))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		return sock.RunContext(ctx)
	})
	g.Go(func() error { return s.receive(ctx, sock) })
	return g.Wait()
}

// receive handles presses side by side, so that a slow one does not cost the
// next its three seconds.
func (s *Slack) receive(ctx context.Context, sock *socketmode.Client) error {
	var g errgroup.Group
	g.SetLimit(32)
	for {
		select {
		case <-ctx.Done():
			return g.Wait()
		case ev := <-sock.Events:
			switch ev.Type {
			case socketmode.EventTypeInteractive:
				g.Go(func() error {
					s.envelope(ctx, sock, ev.Request)
					return nil
				})
			case socketmode.EventTypeConnected:
				s.c.Log.InfoContext(ctx, "socket mode connected")
			case socketmode.EventTypeConnectionError:
				var err error
				if e, ok := ev.Data.(*slackgo.ConnectionErrorEvent); ok {
					err = classify("apps.connections.open", e.ErrorObj)
				}
				s.c.Log.WarnContext(ctx, "socket mode cannot connect", "err", err)
			default: // events that we did not ask for are acknowledged, so that they stop
				if ev.Request != nil && ev.Request.EnvelopeID != "" {
					s.ack(ctx, sock, ev.Request, nil)
				}
			}
		}
	}
}

// envelope acknowledges a press when the desk has made it durable. Without an
// acknowledgement Slack shows the clicker that it failed.
func (s *Slack) envelope(ctx context.Context, sock *socketmode.Client, req *socketmode.Request) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	p, err := parsePayload(req.Payload)
	if err == nil {
		err = s.first(ctx, "slack/envelope/"+req.EnvelopeID, s.c.Now().Add(time.Hour))
	}
	var reply *viewAnswer
	if err == nil {
		reply, err = s.take(ctx, p)
	}
	switch {
	case err == nil:
		s.ack(ctx, sock, req, reply)
	case errors.Is(err, errForeign) || errors.Is(err, errReplay):
		s.ack(ctx, sock, req, nil)
	default:
		s.c.Log.WarnContext(ctx, "refused a press from the socket", "err", err)
	}
}

func (s *Slack) ack(ctx context.Context, sock *socketmode.Client, req *socketmode.Request, reply *viewAnswer) {
	var payload any
	if reply != nil {
		payload = reply
	}
	if err := sock.AckCtx(ctx, req.EnvelopeID, payload); err != nil {
		s.c.Log.WarnContext(ctx, "could not acknowledge a press", "err", err)
	}
}
