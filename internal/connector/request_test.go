package connector_test

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/expr"
)

func args(t testing.TB, s string) map[string]any {
	t.Helper()
	v, err := expr.FromJSON([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	with, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s is not an object", s)
	}
	return with
}

// show is a request as text: method, URL, headers, content type and body.
func show(r connector.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Method, r.URL)
	for _, k := range slices.Sorted(maps.Keys(r.Headers)) {
		fmt.Fprintf(&b, " %s=%s", k, r.Headers[k])
	}
	if r.Body != nil {
		fmt.Fprintf(&b, " [%s] %s", r.ContentType, r.Body)
	}
	return b.String()
}

func TestBuildRequest(t *testing.T) {
	c := connection(t, connector.Spec{
		BaseURL: "https://api.example.com/v1", SecretHeaders: map[string]string{"X-Second": "two"},
		Auth: connector.Auth{Type: connector.HeaderAuth, Header: "X-Api-Key", Secret: "one"},
	})
	for _, tt := range []struct{ name, with, want string }{
		{"a path", `{"path":"users/7"}`, "GET https://api.example.com/v1/users/7"},
		{"a path with a slash before", `{"path":"/users/7"}`, "GET https://api.example.com/v1/users/7"},
		{"a slash at the end stays", `{"path":"/users/"}`, "GET https://api.example.com/v1/users/"},
		{"the base itself", `{"path":""}`, "error: path: is empty"},
		{"one slash", `{"path":"/"}`, "GET https://api.example.com/v1"},
		{"spaces and letters", `{"path":"/a b/é/x:y@z"}`, "GET https://api.example.com/v1/a%20b/%C3%A9/x:y@z"},
		{"escapes are kept", `{"path":"/projects/group%2Fname/hooks"}`, "GET https://api.example.com/v1/projects/group%2Fname/hooks"},
		{"segments", `{"path":["projects","group/name",7]}`, "GET https://api.example.com/v1/projects/group%2Fname/7"},
		{"segments escape all", `{"path":["a?b#c%2e","é"]}`, "GET https://api.example.com/v1/a%3Fb%23c%252e/%C3%A9"},
		{"query", `{"path":"/x","query":{"b":[1,"2"],"a":"é &=","skip":null,"ok":true,"f":1.5}}`, "GET https://api.example.com/v1/x?a=%C3%A9+%26%3D&b=1&b=2&f=1.5&ok=true"},
		{"an absolute URL on the host", `{"url":"https://API.example.com:443/v2/x?page=2#top","query":{"per_page":5}}`, "GET https://API.example.com:443/v2/x?page=2&per_page=5"},
		{"method", `{"path":"/x","method":"DELETE"}`, "DELETE https://api.example.com/v1/x"},
		{"headers", `{"path":"/x","headers":{"X-A":"1","X-B":2,"X-C":null}}`, "GET https://api.example.com/v1/x x-a=1 x-b=2"},
		{"a JSON body", `{"path":"/x","method":"POST","body":{"b":1,"a":"<é>"}}`, `POST https://api.example.com/v1/x [application/json] {"a":"<é>","b":1}`},
		{"a text body", `{"path":"/x","method":"POST","body":"a=b"}`, `POST https://api.example.com/v1/x [text/plain; charset=utf-8] a=b`},
		{"another content type", `{"path":"/x","method":"PATCH","body":[{"op":"add"}],"headers":{"Content-Type":"application/json-patch+json"}}`, `PATCH https://api.example.com/v1/x [application/json-patch+json] [{"op":"add"}]`},
		{"a form", `{"path":"/x","method":"POST","form":{"b":"1 2","a":["x","y"]}}`, `POST https://api.example.com/v1/x [application/x-www-form-urlencoded] a=x&a=y&b=1+2`},
		{"data that looks like an expression", `{"path":"/x","query":{"q":"${{ secrets }}"}}`, "GET https://api.example.com/v1/x?q=%24%7B%7B+secrets+%7D%7D"},

		{"a dot segment", `{"path":"/users/../admin"}`, `error: the path contains the segment ".."`},
		{"one dot", `{"path":"/users/./admin"}`, `error: the path contains the segment "."`},
		{"an escaped dot segment", `{"path":"/users/%2e%2E/admin"}`, `error: the path contains the segment ".."`},
		{"half escaped", `{"path":"/users/.%2e"}`, `error: the path contains the segment ".."`},
		{"twice escaped", `{"path":"/users/%252e%252e/admin"}`, `error: the path contains the segment ".."`},
		{"behind an escaped slash", `{"path":"/users/a%2f..%2fadmin"}`, `error: the path contains the segment ".."`},
		{"behind an escaped backslash", `{"path":"/users/a%5c..%5cadmin"}`, `error: the path contains the segment ".."`},
		{"with a path parameter", `{"path":"/users/..;/admin"}`, `error: the path contains the segment "..;"`},
		{"a dot segment in a list", `{"path":["users",".."]}`, `error: the path contains the segment ".."`},
		{"a slash in a list", `{"path":["users","../admin"]}`, `error: the path contains the segment ".."`},
		{"a second host", `{"path":"//evil.example/x"}`, "error: the path has an empty segment"},
		{"an empty segment", `{"path":"/users//keys"}`, "error: the path has an empty segment"},
		{"an empty segment in a list", `{"path":["users",""]}`, "error: path[1] is empty"},
		{"a missing segment", `{"path":["users",null]}`, "error: path[1] is missing"},
		{"parameters in a path", `{"path":"/users/7?admin=true"}`, "error: the path contains '?'"},
		{"a fragment in a path", `{"path":"/users/7#x"}`, "error: the path contains '#'"},
		{"a backslash", `{"path":"/users\\..\\admin"}`, `error: the path contains '\\'`},
		{"a line break in a path", `{"path":"/users/7 HTTP/1.1\r\nHost: evil"}`, `error: the path contains '\r'`},
		{"an escaped line break", `{"path":"/users/7%0d%0aHost:%20evil"}`, `error: the path contains '\r'`},
		{"a broken escape", `{"path":"/100%"}`, "error: the path has a broken percent-encoding"},
		{"another host", `{"url":"https://evil.example/v1"}`, "error: the URL leads to evil.example, but connection api is for api.example.com"},
		{"another port", `{"url":"https://api.example.com:8443/v1"}`, "error: the URL leads to api.example.com:8443"},
		{"another scheme", `{"url":"http://api.example.com/v1"}`, "error: the URL leads to api.example.com"},
		{"a host before an at sign", `{"url":"https://api.example.com@evil.example/v1"}`, "error: url: the URL has a user name in it"},
		{"a host that only begins so", `{"url":"https://api.example.com.evil.example/"}`, "error: the URL leads to api.example.com.evil.example"},
		{"a backslash before an at sign", `{"url":"https://evil.example\\@api.example.com/"}`, "error: url: the URL contains '\\\\'"},
		{"no scheme", `{"url":"//api.example.com/v1"}`, "error: url: the URL is not an absolute https URL"},
		{"a path for an URL", `{"url":"/v1/x"}`, "error: url: the URL is not an absolute https URL"},
		{"a file", `{"url":"file:///etc/passwd"}`, "error: url: the URL is not an absolute https URL"},
		{"dots in a URL", `{"url":"https://api.example.com/v1/../admin"}`, `error: url: the path contains the segment ".."`},
		{"a line break in a URL", `{"url":"https://api.example.com/\r\nX: y"}`, "error: url: the URL contains '\\r'"},
		{"a line break in a header", `{"path":"/x","headers":{"X-A":"1\r\nX-B: 2"}}`, "error: headers: the header x-a is a text that cannot be sent"},
		{"a line break in a header's name", `{"path":"/x","headers":{"X-A: 1\r\nX-B":"2"}}`, "error: headers: "},
		{"a credential", `{"path":"/x","headers":{"authorization":"Bearer x"}}`, "error: headers: the header authorization carries a credential"},
		{"a cookie", `{"path":"/x","headers":{"Cookie":"a=b"}}`, "error: headers: the header cookie carries a credential"},
		{"the connection's own header", `{"path":"/x","headers":{"x-second":"mine"}}`, "error: the header x-second carries a secret of connection api"},
		{"the host header", `{"path":"/x","headers":{"Host":"evil"}}`, "error: headers: the header host is set by the client itself"},
		{"a list in a header", `{"path":"/x","headers":{"X-A":["1"]}}`, "error: headers: the header x-a is a list"},
		{"a map in the query", `{"path":"/x","query":{"a":{}}}`, "error: query.a is a map"},
		{"a map in the form", `{"path":"/x","form":{"a":[{}]}}`, "error: form.a is a map"},
		{"body and form", `{"path":"/x","body":1,"form":{}}`, "error: form: body and form exclude each other"},
		{"path and url", `{"path":"/x","url":"https://api.example.com"}`, "error: url: path and url exclude each other"},
		{"neither", `{"method":"GET"}`, "error: path: http needs path or url"},
		{"an unknown method", `{"path":"/x","method":"GTE"}`, `error: method: "GTE" is not known (did you mean "GET"?)`},
		{"an expression for a method is data by now", `{"path":"/x","method":"${{ x }}"}`, `error: method: "${{ x }}" is not known`},
		{"an unknown argument", `{"path":"/x","heders":{}}`, `error: heders: unknown argument of http (did you mean "headers"?)`},
		{"an odd status", `{"path":"/x","expect":["200","ok"]}`, "error: expect: expect has an entry that is no status"},
		{"a path of another kind", `{"path":{"a":1}}`, "error: path is a map"},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, c, tt.with, tt.want) })
	}
}

func check(t *testing.T, c *connector.Connection, with, want string) {
	t.Helper()
	r, err := connector.BuildRequest(c, args(t, with))
	if err != nil {
		var f *connector.Failure
		if !errors.As(err, &f) || f.Sent {
			t.Errorf("error %#v is not a failure before sending", err)
		}
		if !strings.HasPrefix(want, "error: ") || !strings.Contains("error: "+err.Error(), want) {
			t.Errorf("got error %q, want %q", err, want)
		}
		return
	}
	if got := show(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBuildRequestWithoutConnection(t *testing.T) {
	for _, tt := range []struct{ name, with, want string }{
		{"https", `{"url":"https://api.example.com/x?a=1"}`, "GET https://api.example.com/x?a=1"},
		{"http", `{"url":"http://api.example.com/x"}`, "error: a call without a connection goes to https addresses only"},
		{"a path", `{"path":"/x"}`, "error: path: path needs a connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, nil, tt.with, tt.want)
			check(t, connector.Direct(), tt.with, tt.want)
		})
	}
}

func TestExpect(t *testing.T) {
	c := connection(t, connector.Spec{BaseURL: "https://api.example.com"})
	for _, tt := range []struct {
		with string
		yes  []int
		no   []int
	}{
		{`{"path":"x"}`, []int{200, 204, 299}, []int{199, 301, 404, 500}},
		{`{"path":"x","expect":404}`, []int{404}, []int{200}},
		{`{"path":"x","expect":["2xx","404"]}`, []int{201, 404}, []int{403}},
		{`{"path":"x","expect":[]}`, []int{200}, []int{404}},
	} {
		r, err := connector.BuildRequest(c, args(t, tt.with))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tt.yes {
			if !r.Expects(s) {
				t.Errorf("%s: %d is not success", tt.with, s)
			}
		}
		for _, s := range tt.no {
			if r.Expects(s) {
				t.Errorf("%s: %d is success", tt.with, s)
			}
		}
	}
}

// FuzzRequestStaysOnItsHost: whatever stands in the arguments, a request that
// is made is for the host of the connection, and is one request.
func FuzzRequestStaysOnItsHost(f *testing.F) {
	for _, seed := range []string{
		"/users/7", "//evil.example", "/../x", "%2e%2e/", "/a?b#c", "\\\\evil", "@evil.example", ":8080", "/x\r\nHost: y",
		"https://api.example.com/x", "https://api.example.com@evil.example", "https://evil.example/", "/%25252e%25252e/x", "/a;b/..;/c", "é/％2e",
	} {
		f.Add(seed, "X-A", seed)
	}
	base, err := url.Parse("https://api.example.com/v1")
	if err != nil {
		f.Fatal(err)
	}
	c, err := connector.New("api", connector.Spec{BaseURL: base.String()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, where, header, value string) {
		for _, with := range []map[string]any{
			{"path": where, "headers": map[string]any{header: value}, "query": map[string]any{header: value}},
			{"path": []any{"users", where, value}},
			{"url": where, "query": map[string]any{header: value}},
		} {
			r, err := connector.BuildRequest(c, with)
			if err != nil {
				continue
			}
			// What a server, or a proxy before it, makes of the text that is sent.
			again, err := url.Parse(r.URL.String())
			if err != nil {
				t.Fatalf("%v: %s does not parse: %v", with, r.URL, err)
			}
			if !c.SameOrigin(again) || again.User != nil {
				t.Fatalf("%v leads to %s", with, again)
			}
			if with["path"] != nil && !strings.HasPrefix(again.JoinPath().EscapedPath()+"/", "/v1/") {
				t.Fatalf("%v leaves the base: %s", with, again)
			}
			var sent strings.Builder
			sent.WriteString(r.URL.RequestURI())
			for k, v := range r.Headers {
				sent.WriteString(k + v)
			}
			if strings.ContainsAny(sent.String(), "\r\n\x00") {
				t.Fatalf("%v has line breaks: %q", with, sent.String())
			}
		}
	})
}

// FuzzRedirect: wherever an answer points, what is followed is on the host.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{"/x", "x?y", "//evil", "https://api.example.com/x", "https://api.example.com:443", "http://api.example.com", "\\\\evil", "?", "https:/evil", "https:evil", "javascript:x", "//api.example.com@evil"} {
		f.Add(s)
	}
	from, err := url.Parse("https://api.example.com/v1/users?page=1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, location string) {
		to, err := connector.Redirect(from, location)
		if err != nil {
			return
		}
		again, err := url.Parse(to.String())
		if err != nil || again.Scheme != "https" || again.Hostname() != "api.example.com" || again.Port() != "" && again.Port() != "443" || again.User != nil {
			if err == nil && strings.EqualFold(strings.TrimSuffix(again.Hostname(), "."), "api.example.com") {
				return // the same host in other letters
			}
			t.Errorf("%q leads to %v (%v)", location, again, err)
		}
	})
}

func TestBuiltinOperations(t *testing.T) {
	ops := connector.Builtin()
	for id, o := range ops {
		if o.ID != id || o.Title == "" || o.NeedsConnection || o.ReadOnly {
			t.Errorf("%s: %+v", id, o)
		}
		for _, a := range o.Args {
			if a.Doc == "" || a.Name == "" {
				t.Errorf("%s: argument %+v is not described", id, a)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(ops)); !slices.Equal(got, []string{"case.acknowledge", "case.assign", "case.comment", "case.resolve", "http", "slack.post"}) {
		t.Errorf("operations %v", got)
	}
}

func TestArgumentsAreCheckedWhenPlanned(t *testing.T) {
	ops := connector.Builtin()
	ops["x.get"] = connector.Operation{ID: "x.get", NeedsConnection: true, Args: []connector.Arg{{Name: "id", Type: connector.Text, Required: true, Values: []string{"a", "b"}}, {Name: "tags", Type: connector.List}}}
	for _, tt := range []struct {
		op, with  string
		connected bool
		want      string
	}{
		{"case.comment", `{"text":"hello"}`, false, ""},
		{"case.comment", `{}`, false, "text: case.comment needs text; what to write"},
		{"case.comment", `{"txt":"hello"}`, false, `txt: unknown argument of case.comment; did you mean "text"? text: case.comment needs text; what to write`},
		{"case.acknowledge", `{"why":1}`, false, "why: case.acknowledge takes no arguments"},
		{"case.comment", `{"text":["a"]}`, false, "text: is a list, where a text is wanted"},
		{"case.comment", `{"text":7}`, false, ""},
		{"slack.post", `{"channel":"#soc","text":"${{ alert.title }}","fields":{"IP":"${{ x }}"}}`, false, ""},
		{"slack.post", `{"channel":"#soc","text":"x","fields":"y"}`, false, "fields: is a text, where a map is wanted"},
		{"x.get", `{"id":"a"}`, true, ""},
		{"x.get", `{"id":"${{ x }}","tags":"${{ y }}"}`, true, ""},
		{"x.get", `{"id":"$${{ x }}"}`, true, `id: "$${{ x }}" is not known; use a, b`},
		{"x.get", `{"id":"a","tags":{}}`, true, "tags: is a map, where a list is wanted"},
		{"x.get", `{"id":"a"}`, false, "x.get needs a connection; connection: NAME"},
		{"http", `{"path":"/x","method":"${{ m }}","expect":[404,"${{ e }}"],"headers":{"X":"${{ h }}"}}`, true, ""},
		{"http", `{"url":"${{ u }}"}`, false, ""},
		{"http", `{"path":"/x"}`, false, "path: path needs a connection; name a connection in the step, or url: with an absolute https URL"},
		{"http", `{"path":"/x","headers":{"Authorization":"${{ h }}"}}`, true, "headers: the header authorization carries a credential, which a call may not set; name the secret in auth: or secret_headers: of a connection"},
	} {
		t.Run(tt.op+" "+tt.with, func(t *testing.T) {
			got := strings.ReplaceAll(ops[tt.op].Check(args(t, tt.with), tt.connected).Error(), "\n", " ")
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
