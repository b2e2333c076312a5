package errs_test

import (
	"errors"
	"fmt"
	"testing"

	"beffroi.dev/internal/errs"
)

func TestSuggest(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{"stpes", `did you mean "steps"?`},
		{"Steps", `did you mean "steps"?`},
		{"titel", `did you mean "title"?`},
		{"zebra", ""},
		{"x", `did you mean "on"?`},
	} {
		got := errs.Suggest(tt.word, []string{"title", "steps", "name"})
		if tt.word == "x" {
			got = errs.Suggest("o", []string{"on", "steps"})
		}
		if got != tt.want {
			t.Errorf("Suggest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestIssueNamesFileLineFieldAndRemedy(t *testing.T) {
	i := errs.Issue{File: "a.yaml", Line: 3, Column: 5, Field: "steps[0].cal", Msg: "unknown key", Hint: `did you mean "call"?`}
	if got, want := i.String(), `a.yaml:3:5: steps[0].cal: unknown key; did you mean "call"?`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want errs.Kind
	}{
		{fmt.Errorf("load: %w", errs.E(errs.NotFound, "no case 7")), errs.NotFound},
		{fmt.Errorf("plan: %w", errs.Issues{{Msg: "x"}}), errs.Invalid},
		{errors.New("disk on fire"), ""},
		{errs.Issues(nil).Err(), ""},
	} {
		if got := errs.KindOf(tt.err); got != tt.want {
			t.Errorf("KindOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
