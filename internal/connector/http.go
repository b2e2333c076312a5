package connector

import (
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// How an answer's body becomes a value.
const (
	parseAuto   = "auto"   // by its content type
	parseJSON   = "json"   // JSON, or the call fails
	parseText   = "text"   // the text as it is
	parseBase64 = "base64" // the bytes in base64
	parseNone   = "none"   // nothing: the body is not kept
)

// httpOperation is the operation "http"; it is never changed.
var httpOperation = Operation{
	ID: "http", Title: "Call an HTTP API",
	Args: []Arg{
		{Name: "method", Type: Text, Values: methods, Doc: "GET unless said"},
		{Name: "path", Type: Any, Doc: "what to append to the connection's base_url: a text, or a list of segments, each escaped as a whole"},
		{Name: "url", Type: Text, Doc: "an absolute URL instead of path; with a connection it must be on the same host"},
		{Name: "query", Type: Map, Doc: "parameters of the URL; a list repeats the parameter, null leaves it out"},
		{Name: "headers", Type: Map, Doc: "headers of the request; never credentials"},
		{Name: "body", Type: Any, Doc: "sent as JSON; a text is sent as it is"},
		{Name: "form", Type: Map, Doc: "sent as application/x-www-form-urlencoded instead of body"},
		{Name: "expect", Type: Any, Doc: "statuses that are success: 200, 2xx, or a list of such; 2xx unless said"},
		{Name: "parse", Type: Text, Values: []string{parseAuto, parseJSON, parseText, parseBase64, parseNone}, Doc: "how the answer is read; auto (by its content type) unless said"},
	},
	Result: expr.Object(map[string]*expr.Type{"status": expr.Int(), "headers": expr.OpenObject(nil), "body": expr.Dyn()}),
}

// checkHTTP finds what no single argument shows.
func checkHTTP(with map[string]any, connected bool, later func(any) bool) errs.Issues {
	var issues errs.Issues
	add := func(field, hint, msg string) {
		issues = append(issues, errs.Issue{Field: field, Msg: msg, Hint: hint})
	}
	switch {
	case with["path"] == "":
		add("path", "path: / is the base_url itself", "is empty")
	case with["path"] == nil && with["url"] == nil:
		add("path", "path: what to append to the connection's base_url; or url:", "http needs path or url")
	case with["path"] != nil && with["url"] != nil:
		add("url", "", "path and url exclude each other")
	case with["path"] != nil && !connected:
		add("path", "name a connection in the step, or url: with an absolute https URL", "path needs a connection")
	}
	if with["body"] != nil && with["form"] != nil {
		add("form", "", "body and form exclude each other")
	}
	headers, _ := with["headers"].(map[string]any)
	if _, err := headerArgs(headers, later); err != nil {
		add("headers", err.Hint, err.Msg)
	}
	if _, f := expectArg(with["expect"], later); f != nil {
		add("expect", f.Hint, f.Msg)
	}
	if s, ok := with["url"].(string); ok && !later(s) {
		if _, f := parseURL(s); f != nil {
			add("url", f.Hint, f.Msg)
		}
	}
	return issues
}
