package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/expr"
	"beffroi.dev/test/peers"
)

// A resource is an API that asks a real provider about every token it is given.
type resource struct {
	*httptest.Server
	issuer string
	secret string

	mu     sync.Mutex
	tokens map[string]bool // that it was shown → whether they were active; guarded by mu
}

func newResource(t *testing.T, issuer, secret string) *resource {
	a := &resource{issuer: issuer, secret: secret, tokens: map[string]bool{}}
	a.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		a.mu.Lock()
		defer a.mu.Unlock()
		active, known := a.tokens[token]
		if !known {
			active = a.ask(t, "/token/introspection", token)["active"] == true
			a.tokens[token] = active
		}
		if !active {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	return a
}

// ask posts a token to an endpoint of the provider.
func (a *resource) ask(t *testing.T, path, token string) map[string]any {
	form := url.Values{"token": {token}, "client_id": {"body-client"}, "client_secret": {a.secret}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %s %v", path, resp.StatusCode, b, err)
	}
	if len(b) == 0 {
		return nil
	}
	v, err := expr.FromJSON(b)
	if err != nil {
		t.Error(err)
	}
	m, _ := v.(map[string]any)
	return m
}

// revoke makes the provider forget the tokens that it issued.
func (a *resource) revoke(t *testing.T, how func(token string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for token := range a.tokens {
		how(token)
		a.tokens[token] = a.ask(t, "/token/introspection", token)["active"] == true
	}
}

func (a *resource) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tokens)
}

func TestClientCredentialsWithARealProvider(t *testing.T) {
	const secret = "s:e/c+r%e t&="
	issuer := peers.Node(t, "oidc.mjs", "CLIENT_SECRET="+secret)
	for _, tt := range []struct{ style, id string }{{"basic", "basic client"}, {"body", "body-client"}} {
		t.Run(tt.style, func(t *testing.T) {
			r, a := newRig(t), newResource(t, issuer, secret)
			c := to(t, a.Server, func(s *connector.Spec) {
				s.Auth = connector.Auth{Type: connector.OAuth2, TokenURL: issuer + "/token", ClientID: tt.id, Secret: "one", AuthStyle: tt.style, Scopes: []string{"read", "write"}}
			})
			r.vault.set("one", "wrong")
			_, err := r.call(t, c, get("/"))
			if f := failed(t, err, connector.Denied); !strings.Contains(f.Msg, "invalid_client") {
				t.Errorf("failure %+v", f)
			}
			r.vault.set("one", secret)
			all := func(what string, tokens int) {
				t.Helper()
				if err := errors.Join(r.together(t, c, 200)...); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if a.count() != tokens {
					t.Errorf("%s: %d tokens were used, want %d", what, a.count(), tokens)
				}
			}
			all("200 calls", 1)
			all("200 more", 1)
			if tt.style == "body" { // a client revokes its own tokens only
				a.revoke(t, func(token string) { a.ask(t, "/token/revocation", token) })
				all("after the token was revoked", 2)
			}
			before := a.count()
			r.advance(601 * time.Second)
			all("after its life", before+1)
		})
	}
}

// A vendorCall is a call of operation http as a playbook author writes it, and
// the status with which the vendor's description answers it.
type vendorCall struct {
	name   string
	with   map[string]any
	status int
}

type m = map[string]any

func TestRequestsAreWhatVendorsDescribe(t *testing.T) {
	ada := m{"type": "doc", "version": int64(1), "content": []any{m{"type": "paragraph", "content": []any{m{"type": "text", "text": "Contained."}}}}}
	for _, vendor := range []struct {
		name  string
		auth  connector.Auth
		calls []vendorCall
	}{
		{"github", connector.Auth{Type: connector.BearerAuth, Secret: "one"}, []vendorCall{
			{"open an issue", m{"method": "POST", "path": []any{"repos", "acme", "shop", "issues"}, "body": m{"title": "Leaked token", "labels": []any{"security"}}}, 201},
			{"list alerts", m{"path": "/repos/acme/shop/secret-scanning/alerts", "query": m{"state": "open", "per_page": int64(50)}}, 200},
			{"resolve an alert", m{"method": "PATCH", "path": []any{"repos", "acme", "shop", "secret-scanning", "alerts", int64(42)}, "body": m{"state": "resolved", "resolution": "revoked"}}, 200},
			{"remove a member", m{"method": "DELETE", "path": []any{"orgs", "acme", "members", "mallory"}, "expect": "204"}, 204},
			{"switch vulnerability alerts on", m{"method": "PUT", "path": "/repos/acme/shop/vulnerability-alerts"}, 204},
			{"a resolution that is none", m{"method": "PATCH", "path": "/repos/acme/shop/secret-scanning/alerts/42", "body": m{"state": "closed"}}, 422},
			{"a state that is none", m{"path": "/repos/acme/shop/secret-scanning/alerts", "query": m{"state": "closed"}}, 422},
		}},
		{"jira", connector.Auth{Type: connector.BasicAuth, Username: "bot@example.com", Secret: "one"}, []vendorCall{
			{"open a ticket", m{"method": "POST", "path": "/rest/api/3/issue", "body": m{"fields": m{"project": m{"key": "SOC"}, "summary": "Alert", "issuetype": m{"name": "Task"}}}}, 201},
			{"read a ticket", m{"path": []any{"rest", "api", int64(3), "issue", "SOC-7"}, "query": m{"fields": []any{"summary", "status"}}}, 200},
			{"comment", m{"method": "POST", "path": "/rest/api/3/issue/SOC-7/comment", "body": m{"body": ada}}, 201},
			{"close", m{"method": "POST", "path": "/rest/api/3/issue/SOC-7/transitions", "body": m{"transition": m{"id": "31"}}}, 204},
			{"search", m{"path": "/rest/api/3/search", "query": m{"jql": `project = SOC AND text ~ "a & b"`, "maxResults": int64(10)}}, 200},
			{"a list where an object is wanted", m{"method": "POST", "path": "/rest/api/3/issue", "body": []any{"x"}}, 400},
		}},
		{"okta", connector.Auth{Type: connector.HeaderAuth, Header: "Authorization", Prefix: "SSWS ", Secret: "one"}, []vendorCall{
			{"suspend", m{"method": "POST", "path": []any{"api", "v1", "users", "00u1", "lifecycle", "suspend"}}, 200},
			{"end sessions", m{"method": "DELETE", "path": "/api/v1/users/00u1/sessions", "query": m{"oauthTokens": true}}, 204},
			{"read the log", m{"path": "/api/v1/logs", "query": m{"filter": `eventType eq "user.session.start"`, "limit": int64(20)}}, 200},
			{"take out of a group", m{"method": "DELETE", "path": "/api/v1/groups/00g1/users/00u1"}, 204},
		}},
		{"slack", connector.Auth{Type: connector.BearerAuth, Secret: "one"}, []vendorCall{
			{"post as a form", m{"method": "POST", "path": "/chat.postMessage", "form": m{"channel": "C1", "text": "a=b&c <é>"}}, 200},
			{"post without a channel", m{"method": "POST", "path": "/chat.postMessage", "form": m{"text": "x"}}, 422},
		}},
		{"crowdstrike", connector.Auth{Type: connector.BearerAuth, Secret: "one"}, []vendorCall{
			{"contain a host", m{"method": "POST", "path": "/devices/entities/devices-actions/v2", "query": m{"action_name": "contain"}, "body": m{"ids": []any{"abc"}}}, 200},
			{"read alerts", m{"method": "POST", "path": "/alerts/entities/alerts/v2", "body": m{"composite_ids": []any{"a:b"}}}, 200},
			{"without the action", m{"method": "POST", "path": "/devices/entities/devices-actions/v2", "body": m{"ids": []any{"abc"}}}, 422},
		}},
	} {
		t.Run(vendor.name, func(t *testing.T) {
			r := newRig(t)
			r.vault.set("one", "a token of some length")
			s := &httptest.Server{URL: peers.Prism(t, vendor.name+".json")}
			c := to(t, s, func(s *connector.Spec) {
				s.Auth = vendor.auth
				if vendor.name == "slack" { // its description wants the token in a header of its own, too
					s.SecretHeaders = map[string]string{"token": "one"}
				}
			})
			for _, call := range vendor.calls {
				res, err := r.call(t, c, call.with)
				if res.Status != call.status {
					t.Errorf("%s: answered %d, want %d: %v\n%v", call.name, res.Status, call.status, err, res.Body)
				}
			}
		})
	}
}
