package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"beffroi.dev/internal/console"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/web"
)

// serve answers on the public and the private address until ctx ends.
func (n *Node) serve(ctx context.Context) error {
	if err := n.firstToken(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it served
		}
		return fmt.Errorf("make the first admin token: %w", err)
	}
	handler, err := n.handler()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	l, err := net.Listen("tcp", n.c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", n.c.Listen, err)
	}
	g.Go(func() error { return web.Serve(ctx, l, handler, n.c.Log) })
	if n.c.Private != "off" {
		private, err := net.Listen("tcp", n.c.Private)
		if err != nil {
			return fmt.Errorf("listen on %s (private): %w", n.c.Private, err)
		}
		g.Go(func() error { return web.Serve(ctx, private, n.privateHandler(), n.c.Log) })
	}
	if n.c.Ready != nil {
		n.c.Ready(l.Addr().String())
	}
	n.ready.Store(true)
	defer n.ready.Store(false)
	return g.Wait()
}

// handler is what the public address serves.
func (n *Node) handler() (http.Handler, error) {
	api, err := console.New(console.Config{
		Kinds: Kinds(), View: n.view, Sequencer: n.seq, Ledger: n.ledger, Documents: n.docs, Runs: n.runs, Questions: n.questions,
		Vault: n.vault, Tokens: n.tokens, Directory: n.directory, Objectives: n.objectives, Blobs: n.blobs, Records: n.feed,
		Version: n.c.Version, Now: n.c.Now, Log: n.c.Log,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	api.Register(mux)
	hooks := web.Handle(n.c.Log, n.intake.Hook)
	mux.Handle("POST /hooks/{source}", hooks)
	mux.Handle("GET /hooks/{source}", hooks) // some tools check the address first
	mux.Handle("POST /slack/interactivity", web.Handle(n.c.Log, n.chat.interact))
	return web.Wrap(web.Config{Log: n.c.Log, MaxBody: 64 << 20}, web.Routes(n.c.Log, mux))
}

// hooked takes what a verified call brought to the playbooks that listen.
func (n *Node) hooked(ctx context.Context, name, actor string, body any) (bool, error) {
	listening, err := n.runs.Listening(ctx, name)
	if err != nil || !listening {
		return false, err
	}
	_, err = n.runs.Call(ctx, name, actor, body)
	if errs.KindOf(err) == errs.NotFound {
		return false, nil
	}
	return err == nil, err
}

// firstToken makes an admin token when there is none at all.
func (n *Node) firstToken(ctx context.Context) error {
	all, err := n.tokens.List(ctx)
	if err != nil || len(all) > 0 || n.c.FirstToken == nil {
		return err
	}
	_, text, err := n.tokens.Create(ctx, person.Token{Name: "first start", Owner: "machine/first-admin", Roles: []person.Role{person.Admin}}, "beffroi")
	if err != nil {
		return err
	}
	n.c.FirstToken(text)
	return nil
}
