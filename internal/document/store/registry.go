package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// Blobs keeps long texts; see package blob.
type Blobs interface {
	Put(ctx context.Context, b []byte) (name string, err error)
	Get(name string) ([]byte, error)
}

// inlineMax is the longest text that stands in the record itself, in bytes.
const inlineMax = 16 << 10

// Config says what a Registry works with. Every field is required.
type Config struct {
	Kinds     document.Kinds
	View      *view.View
	Sequencer *sequencer.Sequencer
	Blobs     Blobs
	Changed   func() // called after a change is in force; it must not block
}

// A Registry plans and applies changes of documents, one change at a time, and
// holds what is in force.
type Registry struct {
	c       Config
	current atomic.Pointer[Snapshot] // replaced whole, so readers need no lock

	mu sync.Mutex // held while a change is planned and applied

	pinMu sync.Mutex
	pins  map[pin]any // guarded by pinMu; compiled older versions
}

type pin struct {
	id      document.ID
	version string
}

// maxPins bounds the memory of compiled older versions.
const maxPins = 256

// New loads and compiles what is in force. A document that was in force and
// does not compile any more (after an upgrade, say) is an error that names it.
func New(ctx context.Context, c Config) (*Registry, error) {
	r := &Registry{c: c, pins: map[pin]any{}}
	set := document.Set{}
	err := c.View.Read(ctx, func(tx *view.Tx) error {
		seqs, err := active(tx)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			d, err := load(tx, c.Blobs, seq)
			if err != nil {
				return err
			}
			set[d.ID] = d
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load documents: %w", err)
	}
	plan := c.Kinds.Plan(set, nil, nil)
	if err := plan.Issues.Err(); err != nil {
		return nil, fmt.Errorf("compile the documents in force: %w", err)
	}
	r.current.Store(newSnapshot(set, plan.Compiled))
	return r, nil
}

// Snapshot is what is in force now.
func (r *Registry) Snapshot() *Snapshot { return r.current.Load() }

// Plan says what applying desired and removing remove would change. It changes
// nothing.
func (r *Registry) Plan(desired []document.Document, remove []document.ID) document.Plan {
	return r.c.Kinds.Plan(r.Snapshot().Set, desired, remove)
}

// A Change is what one Apply asks for.
type Change struct {
	Desired  []document.Document
	Remove   []document.ID
	Actor    string // "person/ada"
	Message  string // why
	Rollback bool
	// Base, when set, refuses the change if something was applied since the
	// caller planned it: the Version of the Snapshot it was planned on.
	Base string
}

// Apply puts all of the change in force, or nothing of it: a plan with issues
// or failing tests is refused. Planning again says what is already there.
func (r *Registry) Apply(ctx context.Context, ch Change) (document.Plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	snap := r.Snapshot()
	if ch.Base != "" && ch.Base != snap.Version {
		return document.Plan{}, errs.Hint(errs.Conflict, "plan again and look at what changed", "documents were applied since you planned")
	}
	plan := r.c.Kinds.Plan(snap.Set, ch.Desired, ch.Remove)
	if !plan.OK() {
		return plan, refusal(plan)
	}
	drafts, err := r.drafts(ctx, ch, plan)
	if err != nil || len(drafts) == 0 {
		return plan, err
	}
	if _, err := r.c.Sequencer.Do(ctx, func(*view.Tx, time.Time) ([]ledger.Draft, error) { return drafts, nil }); err != nil {
		return plan, err
	}
	set := document.Set{}
	maps.Copy(set, snap.Set)
	for _, d := range ch.Desired {
		set[d.ID] = d
	}
	for _, id := range ch.Remove {
		delete(set, id)
	}
	r.current.Store(newSnapshot(set, plan.Compiled))
	r.c.Changed()
	return plan, nil
}

func refusal(p document.Plan) error {
	if err := p.Issues.Err(); err != nil {
		return err
	}
	var is errs.Issues
	for id, results := range p.Tests {
		for _, t := range results {
			if !t.Passed {
				is = append(is, errs.Issue{File: id.String(), Line: t.Line, Msg: fmt.Sprintf("test %q fails: %s", t.Name, t.Message)})
			}
		}
	}
	slices.SortFunc(is, func(a, b errs.Issue) int { return strings.Compare(a.File, b.File) })
	return is.Err()
}

func (r *Registry) drafts(ctx context.Context, ch Change, plan document.Plan) ([]ledger.Draft, error) {
	byID := map[document.ID]document.Document{}
	for _, d := range ch.Desired {
		byID[d.ID] = d
	}
	var drafts []ledger.Draft
	for _, c := range plan.Changes {
		draft := ledger.Draft{Subject: "document/" + c.String(), Actor: ch.Actor}
		switch c.Op {
		case document.Same:
			continue
		case document.Delete:
			draft.Kind, draft.Data = KindRemoved, Removed{Kind: c.Kind, Name: c.Name, From: c.From, Message: ch.Message}
		default:
			doc := byID[c.ID]
			a := Applied{Kind: c.Kind, Name: c.Name, Title: doc.Title, Version: doc.Version, From: c.From, Text: string(doc.Text), Message: ch.Message, Rollback: ch.Rollback}
			if len(a.Text) > inlineMax {
				name, err := r.c.Blobs.Put(ctx, doc.Text)
				if err != nil {
					return nil, fmt.Errorf("keep the text of %s: %w", c.ID, err)
				}
				a.Text, a.Blob = "", name
			}
			draft.Kind, draft.Data = KindApplied, a
		}
		drafts = append(drafts, draft)
	}
	for i := range drafts {
		switch d := drafts[i].Data.(type) {
		case Applied:
			d.More = len(drafts) - 1 - i
			drafts[i].Data = d
		case Removed:
			d.More = len(drafts) - 1 - i
			drafts[i].Data = d
		}
	}
	return drafts, nil
}

// History lists the changes of a document, newest first.
func (r *Registry) History(ctx context.Context, id document.ID, limit int) (out []Version, err error) {
	err = r.c.View.Read(ctx, func(tx *view.Tx) error {
		out, err = History(tx, id, limit)
		return err
	})
	return out, err
}

// Version reads a document as it was in force; version may be a prefix.
func (r *Registry) Version(ctx context.Context, id document.ID, version string) (doc document.Document, err error) {
	err = r.c.View.Read(ctx, func(tx *view.Tx) error {
		seq, _, err := versionAt(tx, id, version)
		if err != nil {
			return err
		}
		doc, err = load(tx, r.c.Blobs, seq)
		return err
	})
	return doc, err
}

// Rollback puts an older version in force again: the one before the current
// one, or the one named.
func (r *Registry) Rollback(ctx context.Context, id document.ID, version, actor, message string) (document.Plan, error) {
	if version == "" {
		h, err := r.History(ctx, id, 1)
		if err != nil {
			return document.Plan{}, err
		}
		if version = h[0].Previous; version == "" {
			return document.Plan{}, errs.E(errs.Invalid, "%s has no version before the one in force", id)
		}
	}
	doc, err := r.Version(ctx, id, version)
	if err != nil {
		return document.Plan{}, err
	}
	return r.Apply(ctx, Change{Desired: []document.Document{doc}, Actor: actor, Message: message, Rollback: true})
}

// Pinned compiles a version as it was when it was put in force, with the other
// documents of that moment, so that what was started with it can go on.
func (r *Registry) Pinned(tx *view.Tx, id document.ID, version string) (any, error) {
	if snap := r.Snapshot(); snap.Set[id].Version == version {
		return snap.Compiled[id], nil
	}
	r.pinMu.Lock()
	defer r.pinMu.Unlock()
	if c, ok := r.pins[pin{id, version}]; ok {
		return c, nil
	}
	_, through, err := versionAt(tx, id, version)
	if err != nil {
		return nil, err
	}
	seqs, err := activeAt(tx, through)
	if err != nil {
		return nil, err
	}
	set := document.Set{}
	for _, s := range seqs {
		d, err := load(tx, r.c.Blobs, s)
		if err != nil {
			return nil, err
		}
		set[d.ID] = d
	}
	c, err := r.c.Kinds[id.Kind].Compile(set[id], set)
	if err != nil {
		return nil, fmt.Errorf("compile %s at version %s: %w", id, version, err)
	}
	if len(r.pins) >= maxPins {
		clear(r.pins)
	}
	r.pins[pin{id, version}] = c
	return c, nil
}
