// Package console is the API of a node: whatever the command line, a script or
// a page can do goes through here. A handler parses, calls, and renders; it
// reads queries and sends commands, nothing else.
//
// It promises that every route names the permission it needs, that what is not
// permitted is denied, that everything done is attributed to the owner of the
// token, and that reading the personal data of a case is a record. The routes
// describe themselves: GET /api/v1/openapi.json.
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/person"
	personstore "beffroi.dev/internal/person/store"
	playbookstore "beffroi.dev/internal/playbook/store"
	secretstore "beffroi.dev/internal/secret/store"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
	"beffroi.dev/internal/web"
)

// Config says what the API works with. Every field is required.
type Config struct {
	Kinds      document.Kinds
	View       *view.View
	Sequencer  *sequencer.Sequencer
	Ledger     *ledger.Log
	Documents  *documentstore.Registry
	Runs       *playbookstore.Runs
	Questions  *askstore.Questions
	Vault      *secretstore.Vault
	Tokens     *personstore.Tokens
	Directory  func() *person.Directory
	Objectives func() []*alert.Objective
	Blobs      interface {
		Get(name string) ([]byte, error)
	}
	Records *Feed
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// An API serves /api/v1.
type API struct {
	c      Config
	routes []route
}

// New checks c and starts nothing.
func New(c Config) (*API, error) {
	if c.View == nil || c.Sequencer == nil || c.Ledger == nil || c.Documents == nil || c.Now == nil || c.Log == nil || c.Records == nil {
		return nil, errors.New("internal error: the API lacks a part")
	}
	a := &API{c: c}
	a.routes = a.table()
	return a, nil
}

// Register adds the routes to a mux.
func (a *API) Register(mux *http.ServeMux) {
	for _, r := range a.routes {
		mux.Handle(r.method+" "+prefix+r.path, web.Handle(a.c.Log, a.serve(r)))
	}
}

const prefix = "/api/v1"

// A route is one row of the table: what it is called, who may call it, what
// goes in and comes out.
type route struct {
	method, path string
	may          person.Permission // "" for whoever has a token; public for everybody
	summary      string
	query        []param
	in, out      reflect.Type // nil for none
	media        string       // of the answer; JSON unless said
	handle       func(c *call) (any, error)
	raw          func(c *call) error // instead of handle, for what is not JSON
}

// public marks routes that need no token.
const public person.Permission = "public"

// A param is a query parameter.
type param struct{ name, doc string }

// A call is one request with who makes it.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	token person.Token
}

func (c *call) ctx() context.Context { return c.r.Context() }
func (c *call) actor() string        { return c.token.Owner }

// id reads a number of the path; "case/1041" and "1041" are the same.
func (c *call) id(name string) (uint64, error) {
	v := c.r.PathValue(name)
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, errs.E(errs.Invalid, "%q is no number of a %s", v, name)
	}
	return n, nil
}

func get[Out any](path string, may person.Permission, summary string, f func(*call) (Out, error), query ...param) route {
	return route{
		method: http.MethodGet, path: path, may: may, summary: summary, query: query, out: reflect.TypeFor[Out](),
		handle: func(c *call) (any, error) { return f(c) },
	}
}

func post[In, Out any](path string, may person.Permission, summary string, f func(*call, In) (Out, error)) route {
	return change(http.MethodPost, path, may, summary, f)
}

func change[In, Out any](method, path string, may person.Permission, summary string, f func(*call, In) (Out, error)) route {
	return route{
		method: method, path: path, may: may, summary: summary, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		handle: func(c *call) (any, error) {
			var in In
			if reflect.TypeFor[In]().NumField() > 0 {
				if err := web.DecodeJSON(c.w, c.r, maxBody, &in); err != nil {
					return nil, err
				}
			}
			return f(c, in)
		},
	}
}

// maxBody is the longest request: a directory of documents fits.
const maxBody = 16 << 20

// nothing is what routes take or give that take or give nothing.
type nothing struct{}

// done is the answer of what only changes something.
type done struct {
	OK bool `json:"ok"`
}

func (a *API) serve(r route) web.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		c := &call{w: w, r: req}
		if r.may != public {
			t, err := a.authenticate(req)
			if err != nil {
				w.Header().Set("WWW-Authenticate", `Bearer realm="beffroi"`)
				return err
			}
			if r.may != "" && !t.May(r.may) {
				return errs.Hint(errs.Denied, "ask an administrator for a token with a role that has it", "your token does not have the permission %s", r.may)
			}
			c.token = t
		}
		if r.raw != nil {
			return r.raw(c)
		}
		if err := a.waitFor(req); err != nil {
			return err
		}
		out, err := r.handle(c)
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, out)
	}
}

func (a *API) authenticate(r *http.Request) (person.Token, error) {
	text, err := web.Bearer(r)
	if err != nil {
		return person.Token{}, err
	}
	return a.c.Tokens.Check(r.Context(), text.Reveal())
}

// waitFor refuses to answer from a view that has not seen a record that the
// caller has: ?min_seq=N. On one node an answered write is always visible.
func (a *API) waitFor(r *http.Request) error {
	v := r.URL.Query().Get("min_seq")
	if v == "" {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return errs.E(errs.Invalid, "min_seq %q is no record", v)
	}
	if n >= a.c.Ledger.Size() {
		return errs.E(errs.Unavailable, "this node has not seen record %d yet", n)
	}
	return nil
}

func (a *API) read(c *call, f func(tx *view.Tx) error) error { return a.c.View.Read(c.ctx(), f) }

// before reads a cursor that is a number.
func before(p web.Page) (uint64, error) {
	if p.After == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.After, 10, 63)
	if err != nil {
		return 0, errs.E(errs.Invalid, "the cursor is not one of this list")
	}
	return n, nil
}

// maxPage is the most that one page holds.
const maxPage = 500

// sinceOf reads ?since=: a time, or how long ago (30d, 12h).
func (a *API) sinceOf(r *http.Request) (time.Time, error) {
	v := r.URL.Query().Get("since")
	if v == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		return t, nil
	}
	d, err := document.ParseDuration(v)
	if err != nil {
		return time.Time{}, errs.Hint(errs.Invalid, "write 30d, 12h or 2026-11-22T08:00:00Z", "since %q is no time", v)
	}
	return a.c.Now().Add(-d), nil
}

func str(n uint64) string { return strconv.FormatUint(n, 10) }

// personal says whether the caller may see personal data, and records that it
// was seen. Who may not gets the case without it.
func (a *API) personal(c *call, subject string, fields ...string) (bool, error) {
	if !c.token.May(person.CasesPersonalData) {
		return false, nil
	}
	_, err := a.c.Sequencer.Do(c.ctx(), func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: KindViewed, Subject: subject, Actor: c.actor(), Data: Viewed{
			Fields: strings.Join(fields, ","), Purpose: c.r.Header.Get("X-Purpose"), Token: c.token.ID,
		}}}, nil
	})
	return err == nil, err
}

// KindViewed is the record that somebody saw personal data.
const KindViewed = "personal_data.viewed"

// Viewed is the data of personal_data.viewed.
type Viewed struct {
	Fields  string `json:"fields"`
	Purpose string `json:"purpose,omitempty"`
	Token   string `json:"token"`
}
