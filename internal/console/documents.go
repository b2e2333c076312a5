package console

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/secret"
	secretstore "beffroi.dev/internal/secret/store"
	"beffroi.dev/internal/web"
)

type documentInfo struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version"`
}

func (a *API) documents(c *call) (web.List[documentInfo], error) {
	kind := c.r.URL.Query().Get("kind")
	out := web.List[documentInfo]{Items: []documentInfo{}}
	for id, d := range a.c.Documents.Snapshot().Set {
		if kind == "" || id.Kind == kind {
			out.Items = append(out.Items, documentInfo{Kind: id.Kind, Name: id.Name, Title: d.Title, Version: d.Version})
		}
	}
	slices.SortFunc(out.Items, func(x, y documentInfo) int { return strings.Compare(x.Kind+"/"+x.Name, y.Kind+"/"+y.Name) })
	return out, nil
}

type documentDetail struct {
	documentInfo
	Text string `json:"text"`
}

func docID(c *call) document.ID {
	return document.ID{Kind: c.r.PathValue("kind"), Name: c.r.PathValue("name")}
}

// version finds a document: as it is in force, or as it was.
func (a *API) version(c *call, id document.ID, version string) (document.Document, error) {
	if version != "" {
		return a.c.Documents.Version(c.ctx(), id, version)
	}
	d, ok := a.c.Documents.Snapshot().Set[id]
	if !ok {
		return d, errs.E(errs.NotFound, "there is no document %s in force", id)
	}
	return d, nil
}

func (a *API) document(c *call) (documentDetail, error) {
	d, err := a.version(c, docID(c), c.r.URL.Query().Get("version"))
	return documentDetail{documentInfo{d.Kind, d.Name, d.Title, d.Version}, string(d.Text)}, err
}

func (a *API) history(c *call) (out web.List[documentstore.Version], err error) {
	out.Items, err = a.c.Documents.History(c.ctx(), docID(c), maxPage)
	return out, err
}

type difference struct {
	From string `json:"from"`
	To   string `json:"to"`
	Diff string `json:"diff"` // unified; empty when they are the same
}

func (a *API) diff(c *call) (out difference, err error) {
	id, q := docID(c), c.r.URL.Query()
	to, err := a.version(c, id, q.Get("to"))
	if err != nil {
		return out, err
	}
	out.To, out.From = to.Version, q.Get("from")
	if out.From == "" {
		h, err := a.c.Documents.History(c.ctx(), id, maxPage)
		if err != nil {
			return out, err
		}
		if i := slices.IndexFunc(h, func(v documentstore.Version) bool { return v.Version == to.Version }); i >= 0 {
			out.From = h[i].Previous
		}
	}
	var before []byte
	if out.From != "" {
		from, err := a.c.Documents.Version(c.ctx(), id, out.From)
		if err != nil {
			return out, err
		}
		out.From, before = from.Version, from.Text
	}
	out.Diff = document.Diff(before, to.Text, id.String())
	return out, nil
}

type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type proposal struct {
	Files   []file   `json:"files"`
	Remove  []string `json:"remove,omitempty"`  // documents to remove: playbook/old
	Message string   `json:"message,omitempty"` // why
	Base    string   `json:"base,omitempty"`    // of the plan that was looked at; a change since then is refused
}

type planned struct {
	Base    string                           `json:"base"` // pass it to apply
	OK      bool                             `json:"ok"`
	Changes []document.Change                `json:"changes"`
	Issues  errs.Issues                      `json:"issues,omitempty"`
	Tests   map[string][]document.TestResult `json:"tests,omitempty"`
}

func (in proposal) parse() (desired []document.Document, remove []document.ID, err error) {
	var issues errs.Issues
	for _, f := range in.Files {
		docs, err := document.Parse(f.Name, []byte(f.Text))
		if err != nil {
			var is errs.Issues
			if !asIssues(err, &is) {
				return nil, nil, err
			}
			issues = append(issues, is...)
		}
		desired = append(desired, docs...)
	}
	for _, r := range in.Remove {
		id, err := document.ParseID(r)
		if err != nil {
			return nil, nil, err
		}
		remove = append(remove, id)
	}
	return desired, remove, issues.Err()
}

func render(base string, p document.Plan) planned {
	out := planned{Base: base, OK: p.OK(), Changes: p.Changes, Issues: p.Issues, Tests: map[string][]document.TestResult{}}
	if out.Changes == nil {
		out.Changes = []document.Change{}
	}
	for id, t := range p.Tests {
		out.Tests[id.String()] = t
	}
	return out
}

func (a *API) plan(c *call, in proposal) (planned, error) {
	desired, remove, err := in.parse()
	if err != nil {
		return planned{}, err
	}
	base := a.c.Documents.Snapshot().Version
	return render(base, a.c.Documents.Plan(desired, remove)), nil
}

func (a *API) apply(c *call, in proposal) (planned, error) {
	desired, remove, err := in.parse()
	if err != nil {
		return planned{}, err
	}
	p, err := a.c.Documents.Apply(c.ctx(), documentstore.Change{Desired: desired, Remove: remove, Actor: c.actor(), Message: in.Message, Base: in.Base})
	if err != nil {
		return planned{}, err
	}
	return render(a.c.Documents.Snapshot().Version, p), nil
}

type rollback struct {
	To      string `json:"to,omitempty"` // first digits of a version; the one before unless said
	Message string `json:"message,omitempty"`
}

func (a *API) rollback(c *call, in rollback) (planned, error) {
	p, err := a.c.Documents.Rollback(c.ctx(), docID(c), in.To, c.actor(), in.Message)
	if err != nil {
		return planned{}, err
	}
	return render(a.c.Documents.Snapshot().Version, p), nil
}

func (a *API) schema(c *call) (json.RawMessage, error) {
	return a.c.Kinds.Schema(c.r.PathValue("kind"))
}

func (a *API) secrets(c *call) (out web.List[secretstore.Info], err error) {
	out.Items, err = a.c.Vault.List(c.ctx())
	return out, err
}

type secretValue struct {
	Value string `json:"value"`
}

func (a *API) setSecret(c *call, in secretValue) (done, error) {
	return done{true}, a.c.Vault.Set(c.ctx(), c.r.PathValue("name"), secret.New(in.Value), c.actor())
}

func (a *API) removeSecret(c *call, _ nothing) (done, error) {
	return done{true}, a.c.Vault.Remove(c.ctx(), c.r.PathValue("name"), c.actor())
}

type tokenInfo struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Owner     string        `json:"owner"`
	Roles     []person.Role `json:"roles"`
	Expires   time.Time     `json:"expires,omitzero"`
	CreatedAt time.Time     `json:"created_at,omitzero"`
	CreatedBy string        `json:"created_by,omitempty"`
	RevokedAt time.Time     `json:"revoked_at,omitzero"`
	RevokedBy string        `json:"revoked_by,omitempty"`
}

func infoOf(t person.Token) tokenInfo {
	return tokenInfo{t.ID, t.Name, t.Owner, t.Roles, t.Expires, t.CreatedAt, t.CreatedBy, t.RevokedAt, t.RevokedBy}
}

func (a *API) tokens(c *call) (out web.List[tokenInfo], err error) {
	all, err := a.c.Tokens.List(c.ctx())
	out.Items = []tokenInfo{}
	for _, t := range all {
		out.Items = append(out.Items, infoOf(t))
	}
	return out, err
}

type newToken struct {
	Name    string        `json:"name"`  // what it is for
	Owner   string        `json:"owner"` // person/NAME or machine/NAME
	Roles   []person.Role `json:"roles"`
	Expires time.Time     `json:"expires,omitzero"`
}

type createdToken struct {
	tokenInfo
	Text string `json:"text"` // shown this once
}

func (a *API) createToken(c *call, in newToken) (createdToken, error) {
	t, text, err := a.c.Tokens.Create(c.ctx(), person.Token{Name: in.Name, Owner: in.Owner, Roles: in.Roles, Expires: in.Expires}, c.actor())
	if err != nil {
		return createdToken{}, err
	}
	return createdToken{infoOf(t), text.Reveal()}, nil
}

func (a *API) revokeToken(c *call, _ nothing) (done, error) {
	return done{true}, a.c.Tokens.Revoke(c.ctx(), c.r.PathValue("id"), "", c.actor())
}

func (a *API) people(*call) (web.List[person.Person], error) {
	return web.List[person.Person]{Items: a.c.Directory().People()}, nil
}

type teamInfo struct {
	person.Team
	Now []string `json:"on_call_now"`
}

func (a *API) teams(*call) (web.List[teamInfo], error) {
	d := a.c.Directory()
	out := web.List[teamInfo]{Items: []teamInfo{}}
	for _, t := range d.AllTeams() {
		info := teamInfo{Team: t, Now: []string{}}
		for _, p := range d.OnCall("team/"+t.Name, a.c.Now()) {
			info.Now = append(info.Now, p.ID())
		}
		out.Items = append(out.Items, info)
	}
	return out, nil
}
