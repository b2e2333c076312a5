package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/slack/sim"
)

// demo tells the story of one node on this machine: real alerts, shipped
// sources and playbooks, a simulated Slack and simulated tools. All of it goes
// through the same API, hooks and signatures as in earnest.
type demo struct {
	e    *env
	out  io.Writer
	exit bool
	// pressed counts the answers that the demo gave itself.
	pressed int
	clock   *demoClock

	workspace *sim.Workspace
	tools     *demoTools
	node      *app.Node

	api, slack, toolsURL string // addresses
	token                atomic.Pointer[string]
	ready                chan string
}

// demoClock runs with the real one and can be moved forward, to show what
// happens when nobody answers.
type demoClock struct{ ahead atomic.Int64 }

func (c *demoClock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *demoClock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func runDemo(e *env, args []string) (err error) {
	d := &demo{e: e, out: e.stdout, clock: &demoClock{}, ready: make(chan string, 1)}
	data := e.flags.String("data", "", "directory to keep everything in; a temporary one unless said")
	listen := e.flags.String("listen", "", "address of the API; 127.0.0.1:8420 unless said, any free port with --exit")
	page := e.flags.String("slack", "", "address of the simulated workspace; 127.0.0.1:8422 unless said, any free port with --exit")
	verbose := e.flags.Bool("v", false, "show the node's log")
	e.flags.BoolVar(&d.exit, "exit", false, "press the buttons, print a summary and exit")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	if *data == "" {
		dir, err := os.MkdirTemp("", "beffroi-demo-")
		if err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		*data = filepath.Join(dir, "data")
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = slog.New(slog.NewTextHandler(e.stderr, nil))
	}
	ctx, stop := context.WithCancel(e.ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	if err := d.simulate(ctx, g, orFree(*page, "127.0.0.1:8422", d.exit)); err != nil {
		return err
	}
	d.node, err = app.Open(ctx, app.Config{
		Data: *data, Listen: orFree(*listen, "127.0.0.1:8420", d.exit), Private: "off", Region: "demo", Version: version(),
		SlackPace: 20 * time.Millisecond, SlackBurst: 100, Now: d.clock.now, Log: log,
		FirstToken: func(t secret.String) { text := t.Reveal(); d.token.Store(&text) },
		Ready:      func(addr string) { d.ready <- addr },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.node.Close()) }()
	g.Go(func() error { return d.node.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return d.tell(ctx, *data)
	})
	return g.Wait()
}

// orFree is the address to listen on.
func orFree(given, usual string, exit bool) string {
	switch {
	case given != "":
		return given
	case exit:
		return "127.0.0.1:0"
	default:
		return usual
	}
}

// simulate starts the workspace and the tools.
func (d *demo) simulate(ctx context.Context, g *errgroup.Group, page string) (err error) {
	d.workspace, err = sim.New(sim.Config{
		TeamName: "Simulated Slack workspace", BotToken: demoSecrets["SLACK_BOT_TOKEN"], SigningSecret: demoSecrets["SLACK_SIGNING_SECRET"],
		Users: []sim.User{
			{ID: "U0ADA", Name: "Ada Lovelace", Email: "ada@example.org"},
			{ID: "U0GRACE", Name: "Grace Hopper", Email: "grace@example.org"},
			{ID: "U0ALAN", Name: "Alan Turing", Email: "alan@example.org"},
			{ID: "U0MALLORY", Name: "Mallory (a guest)", Email: "mallory@example.net", Guest: true},
		},
		Channels: []sim.Channel{{ID: "C0SOC", Name: "soc"}, {ID: "C0LOW", Name: "soc-low"}},
		Now:      d.clock.now,
	})
	if err != nil {
		return err
	}
	d.tools = newDemoTools()
	if d.slack, err = serveDemo(ctx, g, page, d.workspace.Handler()); err != nil {
		return err
	}
	d.toolsURL, err = serveDemo(ctx, g, "127.0.0.1:0", d.tools)
	return err
}

// serveDemo serves h until ctx ends and returns its address.
func serveDemo(ctx context.Context, g *errgroup.Group, addr string, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	return "http://" + l.Addr().String(), nil
}
