package alert

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/expr"
)

// A testCase is a compiled TestSpec.
type testCase struct {
	name   string
	line   int
	bodies []testBody
	expect Expect
}

type testBody struct {
	name string // of the file; "" when the event stands in the document
	body any
}

// testTime is when the events of tests arrive.
var testTime = time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC)

// tests reads the events that the tests name.
func (c *compiler) tests(s *Source, events fs.FS) {
	for i, spec := range c.spec.Tests {
		at := index("tests", i)
		tc := testCase{name: spec.Name, line: c.doc.Issue(at, "").Line, expect: spec.Expect}
		files := spec.Events
		switch event := spec.Event.(type) {
		case nil:
			if len(files) == 0 {
				c.issue(at, "add event: with a file or a value", "the test has no event")
			}
		case string:
			files = append([]string{event}, files...)
		default:
			tc.bodies = append(tc.bodies, testBody{"", event})
		}
		for _, file := range files {
			body, err := readEvent(events, file)
			if err != nil {
				c.issue(at, "name a .json file beside the document, or write the event here", "%s", err)
				continue
			}
			tc.bodies = append(tc.bodies, testBody{file, body})
		}
		if spec.Expect.Severity != "" {
			if _, ok := SeverityID(spec.Expect.Severity); !ok {
				c.issue(at+".expect.severity", oneOf(spec.Expect.Severity, sortedKeys(severities)), "there is no severity %q", spec.Expect.Severity)
			}
		}
		if r := spec.Expect.Rule; r != "" && !slices.ContainsFunc(s.rules, func(have rule) bool { return have.ID == r }) {
			c.issue(at+".expect.rule", "", "there is no rule %q", r)
		}
		s.tests = append(s.tests, tc)
	}
}

func readEvent(events fs.FS, file string) (any, error) {
	if events == nil {
		return nil, fmt.Errorf("event file %q cannot be read here", file)
	}
	if !fs.ValidPath(file) || path.Ext(file) != ".json" {
		return nil, fmt.Errorf("%q is no .json file beside the document", file)
	}
	b, err := fs.ReadFile(events, file)
	if err != nil {
		return nil, fmt.Errorf("event file %q cannot be read", file)
	}
	return expr.FromJSON(b)
}

func (s *Source) test() []document.TestResult {
	var out []document.TestResult
	for _, tc := range s.tests {
		r := document.TestResult{Name: tc.name, Line: tc.line}
		var differ []string
		for _, b := range tc.bodies {
			for _, d := range s.differs(b.body, tc.expect) {
				if b.name != "" {
					d = b.name + ": " + d
				}
				differ = append(differ, d)
			}
		}
		r.Passed, r.Message = len(differ) == 0, strings.Join(differ, "\n")
		out = append(out, r)
	}
	return out
}

// Differs says how what comes of a body differs from what is expected. Beside
// the expectation a finding must be mapped whole and be OCSF.
func (s *Source) differs(body any, want Expect) []string {
	findings, stats, err := s.Map(body, testTime)
	if err != nil {
		return []string{err.Error()}
	}
	out := slices.Clone(stats.Problems)
	if len(findings) != want.Alerts {
		out = append(out, fmt.Sprintf("%d alerts, want %d", len(findings), want.Alerts))
	}
	for _, f := range findings {
		out = append(out, CheckOCSF(f.OCSF)...)
	}
	if len(findings) == 0 {
		return out
	}
	f := findings[0]
	for _, c := range []struct{ what, got, want string }{
		{"rule", f.Rule, want.Rule},
		{"title", f.Title, want.Title},
		{"severity", SeverityName(f.SeverityID), strings.ToLower(want.Severity)},
	} {
		if c.want != "" && c.got != c.want {
			out = append(out, fmt.Sprintf("%s is %q, want %q", c.what, c.got, c.want))
		}
	}
	for _, e := range want.Entities {
		if !slices.Contains(f.Entities, e) {
			out = append(out, fmt.Sprintf("entity %s is missing, there are %s", e, strings.Join(f.Entities, ", ")))
		}
	}
	return append(out, partOf("finding", View(f.OCSF), want.Finding)...)
}

// partOf says where got lacks what want has.
func partOf(at string, got, want any) []string {
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok && len(want) > 0 {
			return []string{at + ": is missing"}
		}
		var out []string
		for _, key := range slices.Sorted(maps.Keys(want)) {
			out = append(out, partOf(at+"."+key, have[key], want[key])...)
		}
		return out
	case []any:
		have, _ := got.([]any)
		if len(have) < len(want) {
			return []string{at + ": has " + strconv.Itoa(len(have)) + " elements, want at least " + strconv.Itoa(len(want))}
		}
		var out []string
		for i := range want {
			out = append(out, partOf(index(at, i), have[i], want[i])...)
		}
		return out
	}
	if got == want || want != nil && jsonText(got) == jsonText(want) && got != nil {
		return nil
	}
	return []string{fmt.Sprintf("%s is %s, want %s", at, jsonText(got), jsonText(want))}
}
