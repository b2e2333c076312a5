package slack

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"beffroi.dev/internal/secret"
)

// Config says what a Slack needs. Outbox, Desk, BotToken and Log are required,
// and the secret of the mode.
type Config struct {
	Outbox Outbox
	Desk   Desk
	Wake   <-chan struct{} // a receive means that the outbox changed; it may be nil

	Mode          string        // ModeHTTP (the default) or ModeSocket
	BotToken      secret.String // xoxb-…
	SigningSecret secret.String // of mode http
	AppToken      secret.String // xapp-…, of mode socket
	Channel       string        // for messages that name none
	APIURL        string        // default: Slack's own

	// Replays remembers requests; by default in memory.
	Replays Replays
	// Waiting is where a digest sends its reader; without URL it has no link.
	Waiting Link
	// Burst is how many new messages a channel may have pending before a digest
	// stands for the rest. Default 10.
	Burst int
	// EveryChannel is the time between two messages to one channel. Default one
	// second, as Slack asks; less is for a simulated workspace.
	EveryChannel time.Duration
	// Trickle is the time between two messages from behind a digest. Default
	// three seconds.
	Trickle time.Duration
	// Reread is how often the whole outbox is looked through without being
	// woken. Default one minute.
	Reread time.Duration

	HTTP *http.Client     // default: ten seconds for a call
	Now  func() time.Time // default: time.Now
	Log  *slog.Logger
}

// Slack is one workspace. It is an [http.Handler] for the interactivity URL.
type Slack struct {
	c        Config
	client   *client
	dir      *directory
	whispers chan whisper
}

// New returns a Slack, or what is wrong with c. It starts nothing.
func New(c Config) (*Slack, error) {
	if c.Outbox == nil || c.Desk == nil || c.Log == nil {
		return nil, errors.New("slack: config lacks Outbox, Desk or Log")
	}
	c.Mode = cmp.Or(c.Mode, ModeHTTP)
	if err := checkSecrets(c.Mode, c.BotToken, c.SigningSecret, c.AppToken); err != nil {
		return nil, err
	}
	c.Burst = cmp.Or(c.Burst, 10)
	c.EveryChannel = cmp.Or(c.EveryChannel, time.Second)
	c.Trickle = cmp.Or(c.Trickle, 3*time.Second)
	c.Reread = cmp.Or(c.Reread, time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	h := http.Client{Timeout: 10 * time.Second}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	// A redirect would carry the token to another host.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &h
	if c.Replays == nil {
		c.Replays = newSeen(c.Now)
	}
	s := &Slack{c: c, client: newClient(c), whispers: make(chan whisper, maxWhispers)}
	s.dir = newDirectory(s.client, c.Now)
	return s, nil
}

// Run keeps the outbox on Slack until ctx ends. Every goroutine that it
// started has ended when it returns.
func (s *Slack) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return newQueue(s).run(ctx) })
	for range whisperWorkers {
		g.Go(func() error { return s.whisperer(ctx) })
	}
	if s.c.Mode == ModeSocket {
		g.Go(func() error { return s.listen(ctx) })
	}
	return g.Wait()
}

// backoff is the wait after n failures before: a second, doubling to a minute,
// and between half and all of it, so that many do not come back at once.
func (s *Slack) backoff(n int) time.Duration {
	d := min(time.Second<<min(n, 6), time.Minute)
	return d/2 + rand.N(d/2+1) //nolint:gosec // a wait needs no secret randomness
}
