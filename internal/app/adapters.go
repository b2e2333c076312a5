package app

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/playbook"
	"beffroi.dev/internal/view"
)

// Kinds of document, as they are written.
const (
	kindPlaybook   = "playbook"
	kindSource     = "source"
	kindObjective  = "objective"
	kindConnection = "connection"
	kindSlack      = "slack"
)

// operations is the catalogue of operations as playbooks see it.
type operations struct {
	all   map[string]connector.Operation
	names []string
}

func (o operations) Operation(name string) (playbook.Operation, bool) {
	op, ok := o.all[name]
	if !ok {
		return playbook.Operation{}, false
	}
	out := playbook.Operation{Connection: op.NeedsConnection || op.ID == "http", Args: map[string]playbook.Arg{}}
	for _, a := range op.Args {
		out.Args[a.Name] = playbook.Arg{Required: a.Required}
	}
	return out, true
}

func (o operations) Names() []string { return o.names }

// playbooks gives runs the playbooks in force and those before them.
type playbooks struct {
	docs func() *documentstore.Registry
}

func (p playbooks) Active() []*playbook.Playbook {
	return documentstore.All[*playbook.Playbook](p.docs().Snapshot(), kindPlaybook)
}

func (p playbooks) Version(tx *view.Tx, name, version string) (*playbook.Playbook, error) {
	c, err := p.docs().Pinned(tx, document.ID{Kind: kindPlaybook, Name: name}, version)
	if err != nil {
		return nil, err
	}
	def, ok := c.(*playbook.Playbook)
	if !ok {
		return nil, fmt.Errorf("internal error: playbook %s compiled to a %T", name, c)
	}
	return def, nil
}

// facts gives runs what they know of alerts and cases. Findings never change,
// so the newest are kept: a run asks for its own several times.
type facts struct {
	mu    sync.Mutex
	kept  map[uint64]map[string]any // guarded by mu; by alert, read-only
	order []uint64                  // guarded by mu
}

// maxFindings bounds how many findings are kept.
const maxFindings = 256

func (f *facts) Alert(tx *view.Tx, id uint64) (map[string]any, error) {
	f.mu.Lock()
	out := f.kept[id]
	f.mu.Unlock()
	if out != nil {
		return out, nil
	}
	finding, err := alertstore.Finding(tx, id)
	if err != nil {
		return nil, err
	}
	out = alert.View(finding)
	out["id"] = alertstore.Name("alert", id)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		f.kept = map[uint64]map[string]any{}
	}
	f.kept[id] = out
	if f.order = append(f.order, id); len(f.order) > maxFindings {
		delete(f.kept, f.order[0])
		f.order = f.order[1:]
	}
	return out, nil
}

// forget drops findings that were never durable.
func (f *facts) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.order = nil, nil
}

func (*facts) Case(tx *view.Tx, id uint64) (map[string]any, error) { return alertstore.Facts(tx, id) }

// directoryOf is the directory of the people in force.
func directoryOf(docs *documentstore.Registry) *person.Directory {
	snap := docs.Snapshot()
	return documentstore.Derived(snap, "directory", func() *person.Directory {
		d, err := person.DirectoryOf(snap.Set)
		if err != nil { // the documents were checked one by one and together
			panic("internal error: directory of checked documents: " + err.Error())
		}
		return d
	})
}

// respondents is the directory as questions see it.
type respondents struct{ *person.Directory }

func (r respondents) Person(id string) (ask.Person, bool) {
	p, ok := r.Directory.Person(id)
	return ask.Person{ID: p.ID(), Name: p.FullName(), Active: p.Active, Guest: p.Guest}, ok
}

func (r respondents) Reach(target string, at time.Time) []string {
	reach, err := r.Resolve(target, at)
	if err != nil {
		return nil
	}
	return reach.IDs()
}

// failure turns what went wrong with a call into the error of a step.
func failure(err error) *playbook.Error {
	var f *connector.Failure
	if errors.As(err, &f) {
		return &playbook.Error{Kind: playbook.ErrorKind(f.Class), Message: f.Msg, Hint: f.Hint, Status: f.Status, RetryAfter: f.RetryAfter}
	}
	kind := playbook.Unavailable
	switch errs.KindOf(err) { //nolint:exhaustive // the others are worth another try
	case errs.Invalid, errs.NotFound, errs.Conflict:
		kind = playbook.Invalid
	case errs.Denied, errs.Unauthenticated:
		kind = playbook.Denied
	case errs.TooLarge:
		kind = playbook.TooLarge
	}
	return &playbook.Error{Kind: kind, Message: err.Error()}
}
