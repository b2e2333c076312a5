package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/web"
)

type order struct {
	Title  string            `json:"title"`
	Count  int               `json:"count,omitempty"`
	Steps  []step            `json:"steps"`
	Labels map[string]string `json:"labels"`
	Parent *order            `json:"parent"`
	Hidden string            `json:"-"`
	Any    any
}

type step struct {
	Action string `json:"action"`
}

func TestDecodeJSON(t *testing.T) {
	for _, tt := range []struct {
		name, contentType, body string
		want                    string // the error; empty: none
		kind                    errs.Kind
	}{
		{"an object", "application/json; charset=utf-8", `{"title":"x","count":2,"steps":[{"action":"a"}]}`, "", ""},
		{"without a type", "", `{}`, "", ""},
		{"another type", "text/xml", `{}`, `the body is of type "text/xml" (send it as application/json)`, errs.Unsupported},
		{"empty", "", ``, "the body is empty, where a JSON object is wanted", errs.Invalid},
		{"cut off", "", `{"title":"x`, "the body ends in the middle of its JSON value", errs.Invalid},
		{"no JSON", "", "{\n  title: x}", "the body is not JSON: line 2, column 3: invalid character 't' looking for beginning of object key string", errs.Invalid},
		{"two values", "", `{} {}`, "the body goes on after the end of its JSON value", errs.Invalid},
		{"an unknown key", "", `{"titel":"x"}`, `unknown key "titel" (did you mean "title"?)`, errs.Invalid},
		{"an unknown key below", "", `{"steps":[{"acton":"x"}]}`, `unknown key "acton" (did you mean "action"?)`, errs.Invalid},
		{"a key like no other", "", `{"zebra":1}`, `unknown key "zebra"`, errs.Invalid},
		{"another kind of value", "", `{"count":"two"}`, `count is a JSON string, where a number is wanted`, errs.Invalid},
		{"another kind below", "", `{"steps":[{"action":[]}]}`, `steps.action is a JSON array, where a string is wanted`, errs.Invalid},
		{"a list for all", "", `[]`, `the body is a JSON array, where an object is wanted`, errs.Invalid},
		{"too large", "", `{"title":"` + strings.Repeat("x", 300) + `"}`, "the body has 312 bytes, 200 are allowed", errs.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			var o order
			err := web.DecodeJSON(httptest.NewRecorder(), r, 200, &o)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want || errs.KindOf(err) != tt.kind {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestReadBodyIsBoundedEvenIfItsLengthIsNotTold(t *testing.T) {
	for size, want := range map[int]errs.Kind{10: "", 11: errs.TooLarge} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size)))
		r.ContentLength = -1
		b, err := web.ReadBody(httptest.NewRecorder(), r, 10)
		if errs.KindOf(err) != want || want == "" && len(b) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(b), err)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := web.WriteJSON(w, 201, map[string]any{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	got := []string{w.Body.String(), w.Header().Get("Content-Type"), w.Header().Get("Cache-Control")}
	if diff := cmp.Diff([]string{"{\"a\":\"<b>\"}\n", "application/json", "no-store"}, got); diff != "" || w.Code != 201 {
		t.Errorf("-want +got:\n%s", diff)
	}
	w = httptest.NewRecorder()
	if err := web.WriteJSON(w, 200, func() {}); err == nil || w.Body.Len() != 0 {
		t.Errorf("wrote %q, %v", w.Body, err)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{"title":"x"}`, `{"titel":1}`, `[`, "{\n\n\"a\"", `{"steps":[{"action":1}]}`, `{"Any":{"x":[1e999]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var o order
		err := web.DecodeJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(s)), 1000, &o)
		if k := errs.KindOf(err); err != nil && k != errs.Invalid && k != errs.TooLarge {
			t.Errorf("%q: %v", s, err)
		}
	})
}
