// Package app wires one running node from its configuration. It alone knows
// every room; it owns start, stop and health, and decides nothing itself.
//
// The data directory holds ledger/ and blobs/ (which are the truth), view/
// (which is derived and may be deleted) and region.key (which opens secrets).
package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"beffroi.dev/catalog"
	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/connector/client"
	"beffroi.dev/internal/console"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/intake"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/person"
	personstore "beffroi.dev/internal/person/store"
	"beffroi.dev/internal/playbook"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/runner"
	"beffroi.dev/internal/secret"
	secretstore "beffroi.dev/internal/secret/store"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/slack"
	slackstore "beffroi.dev/internal/slack/store"
	"beffroi.dev/internal/timekeeper"
	"beffroi.dev/internal/view"
)

// Config says how a node runs. Data and Log are required.
type Config struct {
	Data    string // directory that holds everything; made when missing
	Listen  string // address of the API and the hooks; "127.0.0.1:8420" unless said
	Private string // address of health and metrics; "127.0.0.1:8421" unless said, "off" for none
	Region  string // name of the region; "default" unless said
	Version string // of the program, as the API shows it

	// SlackPace is the time between two messages to a channel; 0 is what Slack
	// asks for. Less is for a simulated workspace.
	SlackPace time.Duration
	// SlackBurst is how many new messages a channel may have pending before a
	// digest stands for the rest; 0 is 10.
	SlackBurst int

	// FirstToken is given the admin token of the first start; nil makes none.
	FirstToken func(secret.String)
	// Ready is called with the public address once the node serves.
	Ready func(addr string)

	Now func() time.Time // time.Now unless said
	Log *slog.Logger
}

// A Node is one running Beffroi.
type Node struct {
	c Config

	keys   *secret.Keyring
	ledger *ledger.Log
	blobs  *blob.Store
	view   *view.View

	seq       *sequencer.Sequencer
	docs      *documentstore.Registry
	runs      *playbookstore.Runs
	questions *askstore.Questions
	vault     *secretstore.Vault
	tokens    *personstore.Tokens

	client *client.Client
	runner *runner.Runner
	keeper *timekeeper.Timekeeper
	chat   *chat
	intake *intake.Intake
	feed   *console.Feed

	started time.Time
	life    context.Context //nolint:containedctx // ends with Close; for figures that are asked for at any time
	end     context.CancelFunc
	ready   atomic.Bool // while it serves
}

// Kinds are all kinds of document.
func Kinds() document.Kinds {
	ops := connector.Builtin()
	cat := operations{all: ops, names: slices.Sorted(maps.Keys(ops))}
	kinds := document.Kinds{}
	for _, k := range []document.Kind{
		playbook.Kind(cat), alert.SourceKind(catalog.Sources()), alert.ObjectiveKind(),
		connector.ConnectionKind(), person.PersonKind(), person.TeamKind(), slack.DocumentKind(),
	} {
		kinds[k.Name] = k
	}
	return kinds
}

// stores are all parts of the view.
func stores() []view.Store {
	return []view.Store{
		documentstore.View(), secretstore.View(), personstore.View(),
		alertstore.View(), askstore.View(), playbookstore.View(), slackstore.View(),
	}
}

// Open opens the data directory, recovers what has to be, and wires the node.
// Nothing runs until Run.
func Open(ctx context.Context, c Config) (_ *Node, err error) {
	c.defaults()
	n := &Node{c: c, started: c.Now(), feed: console.NewFeed()}
	n.life, n.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if n.keys, err = keyring(filepath.Join(c.Data, "region.key")); err != nil {
		return nil, err
	}
	if n.ledger, err = ledger.Open(ledger.Config{Dir: filepath.Join(c.Data, "ledger"), Log: c.Log}); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if n.blobs, err = blob.Open(blob.Config{Dir: filepath.Join(c.Data, "blobs")}); err != nil {
		return nil, err
	}
	if n.view, err = view.Open(ctx, view.Config{Dir: filepath.Join(c.Data, "view"), Stores: stores(), Source: n.ledger, Log: c.Log}); err != nil {
		return nil, err
	}
	if err := n.wire(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

func (c *Config) defaults() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8420"
	}
	if c.Private == "" {
		c.Private = "127.0.0.1:8421"
	}
	if c.Region == "" {
		c.Region = "default"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// wire makes the parts and plugs them together.
func (n *Node) wire(ctx context.Context) (err error) {
	known := &facts{}
	n.runs = playbookstore.New(playbookstore.Config{
		Playbooks: playbooks{func() *documentstore.Registry { return n.docs }}, Facts: known, Blobs: n.blobs, View: n.view,
		Reach:     func(target string) []string { return respondents{n.directory()}.Reach(target, n.c.Now()) },
		Sequencer: func() *sequencer.Sequencer { return n.seq },
	})
	n.seq, err = sequencer.New(sequencer.Config{
		View: n.view, Committer: committer{n.ledger}, Followers: n.followers(),
		Committed:  []func([]ledger.Record){n.committed},
		RolledBack: []func(){n.runs.RolledBack, known.forget},
		Now:        n.c.Now, Log: n.c.Log,
	})
	if err != nil {
		return err
	}
	n.docs, err = documentstore.New(ctx, documentstore.Config{Kinds: Kinds(), View: n.view, Sequencer: n.seq, Blobs: n.blobs, Changed: n.documentsChanged})
	if err != nil {
		return err
	}
	n.questions = &askstore.Questions{Sequencer: n.seq, Directory: func() askstore.Directory { return respondents{n.directory()} }}
	n.vault = secretstore.NewVault(n.view, n.seq, n.keys)
	n.tokens = &personstore.Tokens{View: n.view, Sequencer: n.seq, Directory: n.directory, Now: n.c.Now}
	if n.client, err = client.New(client.Config{Secrets: n.vault.Open, Log: n.c.Log, Now: n.c.Now}); err != nil {
		return err
	}
	if n.runner, err = runner.New(runner.Config{View: n.view, Sequencer: n.seq, Runs: n.runs, Performer: n.performers(), Log: n.c.Log}); err != nil {
		return err
	}
	if n.keeper, err = timekeeper.New(timekeeper.Config{Duties: n.duties(), Now: n.c.Now, Log: n.c.Log}); err != nil {
		return err
	}
	n.chat = newChat(n)
	n.intake, err = intake.New(intake.Config{
		Source: func(name string) (*alert.Source, bool) {
			return documentstore.Get[*alert.Source](n.docs.Snapshot(), kindSource, name)
		},
		Secrets: n.vault.Open, Blobs: n.blobs, Sequencer: n.seq, Fetch: n.fetch, Hooks: n.hooked, Now: n.c.Now, Log: n.c.Log,
	})
	return err
}

// objectives are the objectives in force.
func (n *Node) objectives() []*alert.Objective {
	return documentstore.All[*alert.Objective](n.docs.Snapshot(), kindObjective)
}

// fetch gets what is at a public address, as it is, under the same egress rules
// as all calls. http is for certificates, which prove themselves.
func (n *Node) fetch(ctx context.Context, address string) ([]byte, error) {
	conn := connector.Direct()
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" {
		if conn, err = connector.New("http://"+u.Host, connector.Spec{BaseURL: "http://" + u.Host, AllowInsecure: true, MaxResponse: "256KiB"}); err != nil {
			return nil, err
		}
	}
	req, err := connector.BuildRequest(conn, map[string]any{"method": "GET", "url": address, "parse": "base64"})
	if err != nil {
		return nil, err
	}
	res, err := n.client.Do(ctx, conn, req, "")
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text(res.Body))
}

// followers are what records set off, of all domains.
func (n *Node) followers() map[string][]sequencer.Follower {
	f := n.runs.Followers()
	f[playbookstore.KindWithdrawn] = append(f[playbookstore.KindWithdrawn], withdrawQuestions)
	return f
}

func (n *Node) performers() func(op string) (runner.Performer, bool) {
	in := inside{n.seq, n.runs}
	all := map[string]runner.Performer{"http": httpCalls{n.docs, n.client}, "slack.post": slackPosts{in}}
	for _, op := range []string{"case.comment", "case.assign", "case.acknowledge", "case.resolve"} {
		all[op] = caseActs{in}
	}
	return func(op string) (runner.Performer, bool) {
		p, ok := all[op]
		return p, ok
	}
}

// committed tells the actors what became durable. It must not block.
func (n *Node) committed(recs []ledger.Record) {
	n.runner.Committed(recs)
	n.vault.Committed(recs)
	n.chat.committed(recs)
	n.feed.Committed(recs)
	timers, questions := false, false
	for _, rec := range recs {
		timers = timers || rec.Kind == playbookstore.KindWaiting
		questions = questions || rec.Kind == ask.KindAsked
	}
	if timers {
		n.keeper.Wake(dutyTimers)
	}
	if questions {
		n.keeper.Wake(dutyQuestions)
	}
}

// documentsChanged tells the actors that other documents are in force.
func (n *Node) documentsChanged() {
	n.keeper.Wake()
	n.chat.documentsChanged()
}

func (n *Node) directory() *person.Directory { return directoryOf(n.docs) }

// Run serves until ctx ends or the node cannot go on.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	// The sequencer outlives the others, so that what they finish is recorded.
	seqCtx, stopSeq := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSeq()
	seqDone := make(chan error, 1)
	go func() { seqDone <- n.seq.Run(seqCtx) }()

	for _, run := range []func(context.Context) error{n.runner.Run, n.keeper.Run, n.chat.Run, n.serve} {
		g.Go(func() error { return run(ctx) })
	}
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-seqDone:
			seqDone <- err
			return errors.Join(errors.New("the sequencer stopped"), err)
		}
	})
	err := g.Wait()
	stopSeq()
	return errors.Join(err, <-seqDone)
}

// Close closes what Open opened. Run has returned, or was never called.
func (n *Node) Close() error {
	n.end()
	var all error
	if n.client != nil {
		n.client.Close()
	}
	if n.view != nil {
		all = errors.Join(all, n.view.Close())
	}
	if n.ledger != nil {
		all = errors.Join(all, n.ledger.Close())
	}
	return all
}

// committer makes blocks durable in the node's own ledger. It is the seam at
// which a quorum can stand.
type committer struct{ log *ledger.Log }

func (c committer) Commit(ctx context.Context, b sequencer.Block) error {
	return c.log.Append(ctx, b.Lines)
}

// keyring reads the keys that seal secrets, or makes them at the first start.
func keyring(path string) (*secret.Keyring, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		k, err := secret.ParseKeyring(b)
		if err != nil {
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
		return k, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := secret.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	k, err := secret.NewKeyring(key)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return k, writeFile(path, k.File())
}

// writeFile writes a secret file durably and only as a whole.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
