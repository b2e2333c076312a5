package console_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/console"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/person"
	"beffroi.dev/internal/secret"
)

// A node is a whole node whose API the tests call as anybody would.
type node struct {
	testing.TB
	dir, base, admin string
}

func serve(t testing.TB) *node {
	t.Helper()
	n := &node{TB: t, dir: t.TempDir()}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	c := app.Config{
		Data: n.dir, Listen: "127.0.0.1:0", Private: "off", Log: slog.New(slog.DiscardHandler),
		FirstToken: func(s secret.String) { n.admin = s.Reveal() }, Ready: func(addr string) { ready <- addr },
	}
	a, err := app.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case addr := <-ready:
		n.base = "http://" + addr
	case err := <-done:
		t.Fatal(err)
	}
	return n
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

func (n *node) call(token, method, path string, body any) answer {
	n.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			n.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(n.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, n.base+path, in)
	if err != nil {
		n.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := new(http.Client).Do(req)
	if err != nil {
		n.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{status: res.StatusCode, header: res.Header}
	if res.Header.Get("Content-Type") != "text/event-stream" {
		if out.body, err = io.ReadAll(res.Body); err != nil {
			n.Fatal(err)
		}
	}
	return out
}

func (n *node) ok(token, method, path string, body any) answer {
	n.Helper()
	a := n.call(token, method, path, body)
	if a.status/100 != 2 {
		n.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// token makes a token with a role.
func (n *node) token(role person.Role) string {
	n.Helper()
	var out struct{ Text string }
	n.ok(n.admin, "POST", "/api/v1/tokens", map[string]any{"name": "test", "owner": "machine/" + string(role), "roles": []string{string(role)}}).json(n, &out)
	return out.Text
}

func (n *node) apply(yaml string) {
	n.Helper()
	n.ok(n.admin, "POST", "/api/v1/documents/apply", map[string]any{"files": []map[string]string{{"name": "test.yaml", "text": yaml}}, "message": "test"})
}

const siem = `
kind: source
name: siem
product: {vendor_name: Elastic, name: SIEM}
verify: {scheme: none, allow: [127.0.0.1/32]}
map:
  uid: event.id
  title: event.title
  severity: event.severity
  src_endpoint: {ip: event.ip}
fingerprint: [event.id]
`

func (n *node) alerts(ids ...string) {
	n.Helper()
	for _, id := range ids {
		n.ok("", "POST", "/hooks/siem", map[string]string{"id": id, "title": "Mimikatz " + id, "severity": "high", "ip": "203.0.113.7"})
	}
}

// An operation is one of the description.
type operation struct {
	Description string
	Security    *[]any
	RequestBody *struct{}
}

func (n *node) description() map[string]map[string]operation {
	var d struct {
		Paths map[string]map[string]operation
	}
	n.ok("", "GET", "/api/v1/openapi.json", nil).json(n, &d)
	return d.Paths
}

// TestTheDescriptionIsWhatIsServed calls each operation of the description
// without a token, and with a token of each role.
func TestTheDescriptionIsWhatIsServed(t *testing.T) {
	n := serve(t)
	tokens := map[person.Role]string{}
	for _, role := range person.Roles() {
		tokens[role] = n.token(role)
	}
	fill := strings.NewReplacer("{id}", "999999", "{seq}", "0", "{kind}", "playbook", "{name}", "nope", "{alert}", "999999", "{path}", "checkpoint")
	count := 0
	for path, methods := range n.description() {
		if strings.HasPrefix(path, "/hooks/") {
			continue
		}
		for method, op := range methods {
			count++
			method, url := strings.ToUpper(method), fill.Replace(path)
			if op.Security != nil { // public
				continue
			}
			none := n.call("", method, url, `{"no_such_member": 1}`)
			isProblem(t, method+" "+url+" without a token", none, http.StatusUnauthorized)
			permission := ""
			if _, after, ok := strings.Cut(op.Description, "permission "); ok {
				permission = strings.TrimSuffix(after, ".")
			}
			for role, token := range tokens {
				got := n.call(token, method, url, `{"no_such_member": 1}`)
				what := fmt.Sprintf("%s %s as %s", method, url, role)
				may := permission == "" || role.May(person.Permission(permission))
				switch {
				case !may:
					isProblem(t, what, got, http.StatusForbidden)
				case op.RequestBody != nil:
					isProblem(t, what+" with an unknown member", got, http.StatusBadRequest, http.StatusUnprocessableEntity)
				case got.status == http.StatusMethodNotAllowed || got.status >= 500 || got.status == http.StatusForbidden:
					t.Errorf("%s: %d %s", what, got.status, got.body)
				case got.status == http.StatusNotFound && strings.Contains(string(got.body), "no such"):
					t.Errorf("%s is not served: %s", what, got.body)
				}
			}
		}
	}
	if count < 40 {
		t.Errorf("%d operations", count)
	}
}

// isProblem checks that an answer is an RFC 9457 problem.
func isProblem(t *testing.T, what string, a answer, statuses ...int) {
	t.Helper()
	var p struct {
		Title  string
		Status int
	}
	if !slices.Contains(statuses, a.status) || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d %s %s", what, a.status, a.header.Get("Content-Type"), a.body)
		return
	}
	a.json(t, &p)
	if p.Status != a.status || p.Title == "" {
		t.Errorf("%s: %s", what, a.body)
	}
}

func TestPagesAreWalkedByCursor(t *testing.T) {
	n := serve(t)
	n.apply(siem)
	n.alerts("a", "b", "c", "d", "e")
	var ids []uint64
	for cursor := ""; ; {
		var page struct {
			Items []struct{ ID uint64 }
			Next  string
		}
		n.ok(n.admin, "GET", "/api/v1/alerts?limit=2&cursor="+cursor, nil).json(t, &page)
		for _, x := range page.Items {
			ids = append(ids, x.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(ids) != 5 || !slices.IsSortedFunc(ids, func(a, b uint64) int { return int(b) - int(a) }) || len(slices.Compact(ids)) != 5 {
		t.Errorf("alerts %v", ids)
	}
	for _, bad := range []string{"limit=0", "limit=501", "cursor=!", "cursor=eHh4", "since=yesterday", "case=x"} {
		if path := "/api/v1/runs?" + bad; bad != "" {
			isProblem(t, path, n.call(n.admin, "GET", path, nil), http.StatusBadRequest, http.StatusUnprocessableEntity)
		}
	}
}

// records are those of a kind.
func (n *node) records(kind string) (out []ledger.Record) {
	n.Helper()
	var page struct{ Items []ledger.Record }
	n.ok(n.admin, "GET", "/api/v1/records?limit=500&kind="+kind, nil).json(n, &page)
	return page.Items
}

func TestPersonalDataIsWithheldAndItsReadingRecorded(t *testing.T) {
	n := serve(t)
	n.apply(siem + `---
kind: playbook
name: triage
on: { alert: "true" }
steps:
  - ask: { to: "#soc", title: Look, text: "From ${{ alert.src_endpoint.ip }}", answers: [yes_, no_] }
`)
	n.alerts("a")
	viewer, analyst := n.token(person.Viewer), n.token(person.Analyst)
	var alerts, runs, asks struct{ Items []struct{ ID uint64 } }
	n.ok(viewer, "GET", "/api/v1/alerts", nil).json(t, &alerts)
	n.ok(viewer, "GET", "/api/v1/runs", nil).json(t, &runs)
	list := n.ok(viewer, "GET", "/api/v1/asks", nil)
	list.json(t, &asks)
	if strings.Contains(string(list.body), "203.0.113.7") {
		t.Errorf("the list of questions tells it: %s", list.body)
	}
	alert := alerts.Items[0].ID
	paths := []string{fmt.Sprint("/alerts/", alert), fmt.Sprint("/cases/", alert), fmt.Sprint("/runs/", runs.Items[0].ID), fmt.Sprint("/asks/", asks.Items[0].ID)}
	for i, path := range paths {
		if got := n.ok(viewer, "GET", "/api/v1"+path, nil); strings.Contains(string(got.body), "203.0.113.7") || !strings.Contains(string(got.body), `"personal_data_withheld":true`) {
			t.Errorf("%s as viewer: %s", path, got.body)
		}
		if got := n.ok(analyst, "GET", "/api/v1"+path, nil); !strings.Contains(string(got.body), "203.0.113.7") {
			t.Errorf("%s as analyst: %s", path, got.body)
		}
		seen := n.records(console.KindViewed)
		if len(seen) != i+1 || seen[i].Actor != "machine/analyst" || "/"+strings.Replace(seen[i].Subject, "/", "s/", 1) != path {
			t.Errorf("%s: the reading is no record: %+v", path, seen)
		}
	}
}

func TestProofs(t *testing.T) {
	n := serve(t)
	key, err := os.ReadFile(filepath.Join(n.dir, "ledger", "ledger.pub"))
	if err != nil {
		t.Fatal(err)
	}
	proof := n.ok(n.token(person.Auditor), "GET", "/api/v1/records/0/proof", nil)
	rec, err := ledger.CheckProof(proof.body, strings.TrimSpace(string(key)))
	if err != nil || rec.Kind != person.KindTokenCreated {
		t.Errorf("%+v %v", rec, err)
	}
	isProblem(t, "no such record", n.call(n.admin, "GET", "/api/v1/records/99999/proof", nil), http.StatusNotFound)
}

// A stream that is taken up again misses nothing.
func TestStreamsResume(t *testing.T) {
	n := serve(t)
	n.apply(siem)
	n.alerts("a", "b", "c")
	received := n.records("alert.received")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.base+"/api/v1/records/stream?kind=alert.received", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+n.admin)
	req.Header.Set("Last-Event-ID", fmt.Sprint(received[0].Seq))
	res, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	ids := make(chan string, 10)
	go func() {
		defer close(ids)
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if id, ok := strings.CutPrefix(s.Text(), "id: "); ok {
				ids <- id
			} else if id, ok := strings.CutPrefix(s.Text(), "id:"); ok {
				ids <- id
			}
		}
	}()
	for _, want := range received[1:] {
		if id := <-ids; id != fmt.Sprint(want.Seq) {
			t.Fatalf("got %s, not %d", id, want.Seq)
		}
	}
	n.alerts("d")
	newest := n.records("alert.received")[3].Seq
	if id := <-ids; id != fmt.Sprint(newest) {
		t.Errorf("live: got %s, not %d", id, newest)
	}
}
