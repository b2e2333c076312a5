package expr_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

var update = flag.Bool("update", false, "write the golden files")

// fixture has a variable of each kind.
func fixture(tb testing.TB) (*expr.Env, map[string]any) {
	tb.Helper()
	env, err := expr.NewEnv(
		expr.Var{Name: "alert", Type: expr.Object(map[string]*expr.Type{
			"severity_id": expr.Int(), "title": expr.String(), "score": expr.Double(), "time": expr.Timestamp(), "new": expr.Bool(),
			"product": expr.OpenObject(map[string]*expr.Type{"vendor_name": expr.String()}),
			"tags":    expr.List(expr.String()),
			"resources": expr.List(expr.Object(map[string]*expr.Type{
				"uid": expr.String(), "size": expr.Int(),
			})),
		})},
		expr.Var{Name: "x", Type: expr.Dyn()},
		expr.Var{Name: "steps", Type: expr.OpenObject(nil)},
		expr.Var{Name: "now", Type: expr.Timestamp()},
	)
	if err != nil {
		tb.Fatal(err)
	}
	vars := map[string]any{
		"alert": map[string]any{
			"severity_id": int64(4), "title": "Malware", "score": int64(47), "new": true, "product": nil,
			"tags":      []any{"a", "b"},
			"resources": []any{map[string]any{"uid": "u1", "size": int64(10)}, map[string]any{"uid": "u2", "size": int64(20)}},
		},
		"x": map[string]any{
			"a": 2.5, "b": int64(1), "n": nil, "s": "str", "l": []any{int64(1)}, "key with space": "v",
			"hostile": "${{ alert.title }}",
		},
		"steps": map[string]any{},
		"now":   time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	return env, vars
}

// asError fails unless err is an *expr.Error.
func asError(tb testing.TB, err error) *expr.Error {
	tb.Helper()
	var e *expr.Error
	if !errors.As(err, &e) {
		tb.Fatalf("got %T (%v), want an *expr.Error", err, err)
	}
	return e
}

// TestErrorsSpeakToPeople compares testdata/errors.txt: each expression with
// what is said about it, a caret under the column.
func TestErrorsSpeakToPeople(t *testing.T) {
	const golden = "testdata/errors.txt"
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	env, vars := fixture(t)
	var got strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(want)), "\n\n") {
		src, _, _ := strings.Cut(block, "\n")
		got.WriteString(src + "\n" + verdict(t, env, vars, src) + "\n\n")
	}
	out := strings.TrimSpace(got.String()) + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("errors changed (-want +got); run the test with -update if that is right:\n%s", diff)
	}
}

func verdict(t *testing.T, env *expr.Env, vars map[string]any, src string) string {
	stage := "plan"
	p, err := env.Compile(src)
	if err == nil {
		stage = "run"
		if _, err = p.Eval(vars); err == nil {
			return "fine"
		}
	}
	e := asError(t, err)
	indent := strings.Repeat(" ", max(0, e.Column-1))
	lines := indent + "^ " + stage + ": " + e.Msg
	if e.Hint != "" {
		lines += "\n" + indent + "  " + e.Hint
	}
	return lines
}

func TestErrorColumnsCountRunesOfTheWholeSource(t *testing.T) {
	env, vars := fixture(t)
	for _, tt := range []struct {
		src    string
		column int
	}{
		{`"é" + alret.title`, 7},
		{"alert.title ==\n\n  alret", 19},
		{"// ü\nalert.severty", 12},
		{"x.b == 1 &&\nx.missing == 1", 15},
	} {
		p, err := env.Compile(tt.src)
		if err == nil {
			_, err = p.Eval(vars)
		}
		if e := asError(t, err); e.Column != tt.column {
			t.Errorf("%q: column %d, want %d (%v)", tt.src, e.Column, tt.column, e)
		}
	}
}

func TestErrorString(t *testing.T) {
	for _, tt := range []struct {
		err  expr.Error
		want string
	}{
		{expr.Error{Msg: "m"}, "m"},
		{expr.Error{Msg: "m", Hint: "h", Column: 3}, "column 3: m; h"},
		{expr.Error{Msg: "m", Path: "with.url", Column: 3}, "with.url: column 3: m"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Values come from attackers; what they hold must not reach messages.
func TestErrorsDoNotQuoteValues(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "v", Type: expr.Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "hunter2hunter2"
	values := []any{secret, map[string]any{secret: secret}, []any{secret}, int64(7), nil, 1.5}
	for _, src := range []string{
		`v + 1`, `v.a`, `v[0]`, `v.a.b`, `int(v)`, `double(v)`, `timestamp(v)`, `duration(v)`, `parse_time(v)`, `parse_time(v, timestamp(0))`,
		`json(v)`, `cidr_contains(v, v)`, `base64_decode(v)`, `url_decode(v + "%zz")`, `re_match("a", v + "(")`, `"%d".format([v])`, `v.sort()`,
		`format_time(timestamp(0), v)`, `get(v, v + "[")`, `{v: 1}`, `{v: 1, v: 2}`, `v.transformMapEntry(k, x, {x: 1})`, `v.charAt(100)`, `v.substring(100)`,
		`bool(v)`, `v.join()`, `v ? 1 : 2`, `v.all(x, x)`, `base64.decode(v)`, `math.greatest(v)`, `v - duration(v)`, `bytes(v) + v`, `utf16_decode(b"abc")`,
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for _, v := range values {
			if _, err := p.Eval(map[string]any{"v": v}); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s with %v: %v", src, v, err)
			}
		}
	}
}
