package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"beffroi.dev/internal/secret"
)

// client is all that this package knows of the Web API. It keeps the limits
// and gives every failure a fate. Nothing outside this file, history.go and
// socket.go sees the library.
type client struct {
	api    *slackgo.Client
	http   *http.Client
	hooks  map[string]bool // hosts of response URLs
	limits *limits
	now    func() time.Time
}

func newClient(c Config) *client {
	opts := []slackgo.Option{slackgo.OptionHTTPClient(c.HTTP)}
	hooks := map[string]bool{"hooks.slack.com": true, "hooks.slack-gov.com": true}
	if c.APIURL != "" {
		opts = append(opts, slackgo.OptionAPIURL(c.APIURL))
		if u, err := url.Parse(c.APIURL); err == nil {
			hooks[u.Host] = true
		}
	}
	if !c.AppToken.IsZero() {
		opts = append(opts, slackgo.OptionAppLevelToken(c.AppToken.Reveal()))
	}
	return &client{
		api: slackgo.New(c.BotToken.Reveal(), opts...), http: c.HTTP, hooks: hooks,
		limits: newLimits(c.EveryChannel), now: c.Now,
	}
}

// call waits for the method's turn and calls it. The queue asks for its turn
// itself, so that one channel's wait does not hold up another's message.
func (c *client) call(ctx context.Context, method string, f func(context.Context) error) error {
	for {
		d := c.limits.wait(c.now(), method, "")
		if d <= 0 {
			return c.do(ctx, method, f)
		}
		if deadline, ok := ctx.Deadline(); ok && c.now().Add(d).After(deadline) {
			return &callError{method: method, fate: throttled, code: "ratelimited", after: d}
		}
		if err := sleep(ctx, d); err != nil {
			return &callError{method: method, fate: unsent, code: "stopped"}
		}
	}
}

func (c *client) do(ctx context.Context, method string, f func(context.Context) error) error {
	err := classify(method, f(ctx))
	if e, ok := err.(*callError); ok && e.fate == throttled { //nolint:errorlint // classify returns it bare
		c.limits.pause(method, c.now().Add(e.after))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// self is who we are.
type self struct{ team, enterprise, bot string }

func (c *client) self(ctx context.Context) (s self, err error) {
	err = c.call(ctx, mAuthTest, func(ctx context.Context) error {
		r, err := c.api.AuthTestContext(ctx)
		if err == nil {
			s = self{team: r.TeamID, enterprise: r.EnterpriseID, bot: r.UserID}
		}
		return err
	})
	return s, err
}

// member is what Slack says of a user.
type member struct {
	Who
	enterprise                    string
	deleted, bot, guest, stranger bool
}

func (c *client) user(ctx context.Context, id string) (m member, err error) {
	err = c.call(ctx, mUser, func(ctx context.Context) error {
		u, err := c.api.GetUserInfoContext(ctx, id)
		if err != nil {
			return err
		}
		m = member{
			Who:        Who{ID: u.ID, Team: u.TeamID, Name: cmp.Or(u.Profile.RealName, u.RealName, u.Name), Email: u.Profile.Email},
			enterprise: u.Enterprise.EnterpriseID, deleted: u.Deleted, stranger: u.IsStranger,
			bot: u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.ID == "USLACKBOT", guest: u.IsRestricted || u.IsUltraRestricted,
		}
		return nil
	})
	return m, err
}

func (c *client) userByEmail(ctx context.Context, email string) (id string, err error) {
	err = c.call(ctx, mByEmail, func(ctx context.Context) error {
		u, err := c.api.GetUserByEmailContext(ctx, email)
		if err == nil {
			id = u.ID
		}
		return err
	})
	return id, err
}

func (c *client) openDM(ctx context.Context, user string) (channel string, err error) {
	err = c.call(ctx, mOpenDM, func(ctx context.Context) error {
		ch, _, _, err := c.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		if err == nil {
			channel = ch.ID
		}
		return err
	})
	return channel, err
}

func (c *client) join(ctx context.Context, channel string) error {
	return c.call(ctx, mJoin, func(ctx context.Context) error {
		_, _, _, err := c.api.JoinConversationContext(ctx, channel)
		return err
	})
}

// channels returns one page of names to ids, and the next page's cursor.
func (c *client) channels(ctx context.Context, cursor string) (ids map[string]string, next string, err error) {
	ids = map[string]string{}
	err = c.call(ctx, mList, func(ctx context.Context) error {
		chs, n, err := c.api.GetConversationsContext(ctx, &slackgo.GetConversationsParameters{
			Cursor: cursor, Limit: 200, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		for _, ch := range chs {
			ids[ch.Name] = ch.ID
		}
		next = n
		return err
	})
	return ids, next, err
}

// post sends a message; its turn was asked for by the queue. It returns the
// message's time stamp.
func (c *client) post(ctx context.Context, channel, thread string, broadcast bool, r rendered, t tag) (ts string, err error) {
	opts := messageOptions(r, t)
	if thread != "" {
		opts = append(opts, slackgo.MsgOptionTS(thread))
		if broadcast {
			opts = append(opts, slackgo.MsgOptionBroadcast())
		}
	}
	err = c.do(ctx, mPost, func(ctx context.Context) error {
		_, at, err := c.api.PostMessageContext(ctx, channel, opts...)
		ts = at
		return err
	})
	return ts, err
}

// update replaces a message; its turn was asked for by the queue.
func (c *client) update(ctx context.Context, at Spot, r rendered, t tag) error {
	return c.do(ctx, mUpdate, func(ctx context.Context) error {
		_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, messageOptions(r, t)...)
		return err
	})
}

// whisper shows text to one user only.
func (c *client) whisper(ctx context.Context, at Spot, thread, user, text string) error {
	return c.call(ctx, mEphemeral, func(ctx context.Context) error {
		opts := []slackgo.MsgOption{slackgo.MsgOptionText(text, false), slackgo.MsgOptionParse(false)}
		if thread != "" {
			opts = append(opts, slackgo.MsgOptionTS(thread))
		}
		_, err := c.api.PostEphemeralContext(ctx, at.Channel, user, opts...)
		return err
	})
}

// respond does the same through the URL that came with a press, which needs no
// scope. Slack's own hosts only: a request of ours goes nowhere else.
func (c *client) respond(ctx context.Context, responseURL, text string) error {
	u, err := url.Parse(responseURL)
	if err != nil || !c.hooks[u.Host] || u.Scheme != "https" && !isLocal(u) {
		return &callError{method: mRespond, fate: refused, code: "not_a_slack_url"}
	}
	return c.call(ctx, mRespond, func(ctx context.Context) error {
		_, _, _, err := c.api.SendMessageContext(ctx, "", slackgo.MsgOptionText(text, false),
			slackgo.MsgOptionResponseURL(responseURL, slackgo.ResponseTypeEphemeral))
		return err
	})
}

// isLocal reports whether u is on this machine, as a simulated workspace is.
func isLocal(u *url.URL) bool {
	h := u.Hostname()
	return h == "localhost" || h == "127.0.0.1" || h == "::1"
}

func (c *client) openView(ctx context.Context, trigger string, v view) error {
	req := slackgo.ModalViewRequest{
		Type: slackgo.ViewType(v.Type), CallbackID: v.CallbackID, PrivateMetadata: v.Metadata,
		Title: libText(&v.Title), Submit: libText(v.Submit), Close: libText(v.Close),
		Blocks: slackgo.Blocks{BlockSet: libBlocks(v.Blocks)},
	}
	return c.call(ctx, mOpenView, func(ctx context.Context) error {
		_, err := c.api.OpenViewContext(ctx, trigger, req)
		return err
	})
}

func messageOptions(r rendered, t tag) []slackgo.MsgOption {
	payload := map[string]any{"key": t.key, "rev": fmt.Sprint(t.rev)}
	if t.folded > 0 || t.open {
		payload["folded"], payload["open"] = t.folded, t.open
	}
	return []slackgo.MsgOption{
		slackgo.MsgOptionText(r.text, false), slackgo.MsgOptionBlocks(libBlocks(r.blocks)...),
		slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: tagType, EventPayload: payload}),
		slackgo.MsgOptionParse(false), slackgo.MsgOptionLinkNames(false),
		slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl(),
	}
}

// libBlock lets the library carry our blocks as they are.
type libBlock struct{ block }

func (b libBlock) BlockType() slackgo.MessageBlockType { return slackgo.MessageBlockType(b.Type) }
func (b libBlock) ID() string                          { return b.BlockID }
func (b libBlock) MarshalJSON() ([]byte, error)        { return json.Marshal(b.block) }

func libBlocks(bs []block) []slackgo.Block {
	out := make([]slackgo.Block, len(bs))
	for i, b := range bs {
		out[i] = libBlock{b}
	}
	return out
}

func libText(t *textObj) *slackgo.TextBlockObject {
	if t == nil {
		return nil
	}
	return &slackgo.TextBlockObject{Type: t.Type, Text: t.Text}
}

// checkSecrets checks what New is given, without quoting it.
func checkSecrets(mode string, bot, signing, app secret.String) error {
	switch {
	case mode != ModeHTTP && mode != ModeSocket:
		return fmt.Errorf("slack: unknown mode %q", mode)
	case !strings.HasPrefix(bot.Reveal(), "xoxb-"):
		return fmt.Errorf("slack: the bot token does not begin with xoxb-")
	case mode == ModeHTTP && signing.IsZero():
		return fmt.Errorf("slack: mode http needs the signing secret")
	case mode == ModeSocket && !strings.HasPrefix(app.Reveal(), "xapp-"):
		return fmt.Errorf("slack: the app token does not begin with xapp-")
	}
	return nil
}
