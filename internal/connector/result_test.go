package connector_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/connector"
)

func TestParseBody(t *testing.T) {
	for _, tt := range []struct {
		name, parse, contentType, body string
		want                           any
		fails                          bool
	}{
		{"JSON by its type", "auto", "application/json; charset=utf-8", `{"n":1,"f":1.5}`, map[string]any{"n": int64(1), "f": 1.5}, false},
		{"problem by its type", "auto", "application/problem+json", `[null]`, []any{nil}, false},
		{"text by its type", "auto", "text/plain", `{"n":1}`, `{"n":1}`, false},
		{"not the JSON it says", "auto", "application/json", `<html>`, `<html>`, false},
		{"JSON whatever its type", "json", "text/html", `true`, true, false},
		{"JSON asked for and not given", "json", "application/json", `<html>`, nil, true},
		{"text asked for", "text", "application/json", `{"n":1}`, `{"n":1}`, false},
		{"nothing", "json", "application/json", ``, nil, false},
		{"none", "none", "application/json", `{"n":1}`, nil, false},
		{"bytes", "auto", "application/octet-stream", "\xff\xfe", "//4=", false},
		{"base64 asked for", "base64", "text/plain", "hello", "aGVsbG8=", false},
		{"an expression is only text", "auto", "text/plain", "${{ secrets }}", "${{ secrets }}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := connector.ParseBody(tt.parse, tt.contentType, []byte(tt.body))
			if (err != nil) != tt.fails {
				t.Fatalf("error %v, want %v", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestResultValueIsAJSONValue(t *testing.T) {
	r := connector.Result{Status: 201, Headers: map[string]string{"etag": "x"}, Body: []any{"a"}}
	want := map[string]any{"status": int64(201), "headers": map[string]any{"etag": "x"}, "body": []any{"a"}}
	if diff := cmp.Diff(want, r.Value()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestKeepsHeader(t *testing.T) {
	for name, want := range map[string]bool{
		"content-type": true, "x-request-id": true, "x-okta-request-id": true, "x-github-request-id": true, "link": true,
		"x-ratelimit-remaining": true, "x-rate-limit-reset": true, "set-cookie": false, "authorization": false, "server": false,
	} {
		if connector.KeepsHeader(name) != want {
			t.Errorf("KeepsHeader(%q) = %v", name, !want)
		}
	}
}

func BenchmarkBuildRequest(b *testing.B) {
	c, err := connector.New("api", connector.Spec{BaseURL: "https://api.example.com/v1"})
	if err != nil {
		b.Fatal(err)
	}
	with := args(b, `{"method":"POST","path":"/hosts/contain","headers":{"X-A":"1"},"body":{"ids":["a","b"],"action":"contain"},"expect":["2xx","404"]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := connector.BuildRequest(c, with); err != nil {
			b.Fatal(err)
		}
	}
}
