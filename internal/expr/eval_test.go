package expr_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

func TestResultsAreJSONValues(t *testing.T) {
	env, vars := fixture(t)
	deep := map[string]any{"at": time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600)), "list": []any{time.Minute}}
	vars["x"] = map[string]any{"deep": deep, "n": nil, "big": uint64(math.MaxUint64)}
	for _, tt := range []struct {
		src  string
		want any
	}{
		{`null`, nil},
		{`1`, int64(1)},
		{`1u`, int64(1)},
		{`x.big`, float64(math.MaxUint64)},
		{`1.0`, 1.0},
		{`b"abc"`, "YWJj"},
		{`now`, "2026-03-01T12:00:00Z"},
		{`duration("90m")`, "1h30m0s"},
		{`optional.none()`, nil},
		{`optional.of(1)`, int64(1)},
		{`type(1)`, "int"},
		{`[1, [now]]`, []any{int64(1), []any{"2026-03-01T12:00:00Z"}}},
		{`{1: 2, true: 3, 4u: 5}`, map[string]any{"1": int64(2), "true": int64(3), "4": int64(5)}},
		{`x.deep`, map[string]any{"at": "2026-01-02T02:04:05.006Z", "list": []any{"1m0s"}}},
		{`{"a": x.deep}`, map[string]any{"a": map[string]any{"at": "2026-01-02T02:04:05.006Z", "list": []any{"1m0s"}}}},
		{`alert.tags + ["c"]`, []any{"a", "b", "c"}},
		{`alert.tags`, []any{"a", "b"}},
		{`alert.tags.join(",") + alert.tags.map(t, t).sort()[0]`, "a,ba"},
		{`{10: "c", 2: "b", 1: "a"}.map(k, k)`, []any{int64(1), int64(2), int64(10)}},
		{`{"a": 1, 7: 2, true: 3}.map(k, string(k))`, []any{"7", "a", "true"}},
		{`{"b": 1, "a": 2}.transformList(k, v, k)`, []any{"a", "b"}},
		{`x.deep.list.map(d, d)`, []any{"1m0s"}},
		{`b"ab" + b"c"`, "YWJj"},
		{`7 % 4`, int64(3)},
		{`-(2.5)`, -2.5},
	} {
		p, err := env.Compile(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		got, err := p.Eval(vars)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
	}
}

func TestWhatJSONDoesNotHave(t *testing.T) {
	env, vars := fixture(t)
	for _, src := range []string{`0.0 / 0.0`, `[1.0 / 0.0]`, `{x.a: 1}`} {
		p, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if v, err := p.Eval(vars); err == nil {
			t.Errorf("%s = %v", src, v)
		}
	}
}

func TestConditions(t *testing.T) {
	env, vars := fixture(t)
	for _, src := range []string{`alert.title`, `1`, `alert.tags`, `[true]`, `alert.?new`, `"true"`} {
		if _, err := env.CompileBool(src); err == nil {
			t.Errorf("%s: accepted as a condition", src)
		}
	}
	for _, tt := range []struct {
		src  string
		want bool
		msg  string
	}{
		{`alert.new`, true, ""},
		{`x.b == 2`, false, ""},
		{`x.?missing.orValue(false)`, false, ""},
		{`x.s`, false, "a condition must be true or false, this is text"},
		{`x.n`, false, "a condition must be true or false, this is null"},
	} {
		p, err := env.CompileBool(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		got, err := p.Bool(vars)
		if tt.msg != "" {
			if e := asError(t, err); e.Msg != tt.msg {
				t.Errorf("%s: %q, want %q", tt.src, e.Msg, tt.msg)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s = %v, %v", tt.src, got, err)
		}
	}
}

func TestMissingVariable(t *testing.T) {
	env, _ := fixture(t)
	p, err := env.Compile(`alert.title`)
	if err != nil {
		t.Fatal(err)
	}
	for _, vars := range []map[string]any{nil, {}} {
		_, err := p.Eval(vars)
		if e := asError(t, err); e.Msg != "the variable alert was not given" {
			t.Error(e)
		}
	}
}

// Go walks maps at random; expressions must not.
func TestMapsAreWalkedInOrder(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "m", Type: expr.Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	for k := range strings.SplitSeq("q w e r t y u i o p a s d f g h j k l z x c v b n m", " ") {
		m[k] = k
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	for _, src := range []string{
		`m.map(k, k).join()`, `m.transformList(k, v, v).join()`, `keys(m).join()`, `values(m).join()`, `m.filter(k, true).join()`,
		`m.transformMap(k, v, v + "").map(k, k).join()`, `merge(m, {}).map(k, k).join()`, `compact(m).map(k, k).join()`,
		`m.map(k, {k: 1}).map(o, keys(o)[0]).join()`, `cel.bind(n, m, n.map(k, k)).join()`,
		`{"b": "b", "a": "a", "d": "d", "c": "c"}.map(k, k).join() + "efghijklmnopqrstuvwxyz"`,
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for range 20 {
			got, err := p.Eval(map[string]any{"m": m})
			if err != nil || got != alphabet {
				t.Errorf("%s = %v, %v", src, got, err)
				break
			}
		}
	}
}

// Small expressions must not make much work or much memory of anything.
func TestWorkIsBounded(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "s", Type: expr.Dyn()}, expr.Var{Name: "l", Type: expr.Dyn()}, expr.Var{Name: "big", Type: expr.Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 2000)
	for i := range list {
		list[i] = int64(i)
	}
	big := make([]any, 200_000)
	for i := range big {
		big[i] = "x"
	}
	vars := map[string]any{"s": strings.Repeat("a", 1<<20), "l": list, "big": big}
	doubling := func(init, twice, body string) string {
		src := strings.Repeat(")", 24)
		src = body + src
		for i := 24; i > 0; i-- {
			prev := "v" + strings.Repeat("_", i-1)
			src = "cel.bind(v" + strings.Repeat("_", i) + ", " + strings.ReplaceAll(twice, "V", prev) + ", " + src
		}
		return strings.Replace("cel.bind(v, INIT, ", "INIT", init, 1) + src + ")"
	}
	last := "v" + strings.Repeat("_", 24)
	for name, src := range map[string]string{
		"text doubled":            doubling(`s`, `V + V`, last),
		"lists in lists":          doubling(`[1]`, `[V, V]`, last),
		"lists compared":          doubling(`[1]`, `[V, V]`, last+" == "+last),
		"lists added":             doubling(`l`, `V + V`, last),
		"lists added, walked":     doubling(`l`, `V + V`, last+".map(x, x)"),
		"lists added, sorted":     doubling(`l`, `V + V`, last+".sort()"),
		"maps to JSON":            doubling(`{"a": 1}`, `{"a": V, "b": V}`, `to_json(`+last+`)`),
		"formatted":               doubling(`[1]`, `[V, V]`, `"%s".format([`+last+`])`),
		"flattened":               doubling(`[1]`, `[V, V]`, `flatten(`+last+`)`),
		"distinct":                doubling(`[1]`, `[V, V]`, `distinct([`+last+`, 1])`),
		"searched":                doubling(`[1]`, `[V, V]`, `[`+last+`] in [[`+last+`]]`),
		"loops that hide":         `l.all(a, l.all(b, l.all(c, a + b + c >= 0)))`,
		"replace":                 `s.replace("a", s)`,
		"re_replace":              `re_replace(s, "a", s)`,
		"regex.replace":           `regex.replace(s, "a", s)`,
		"join":                    `big.join(s)`,
		"format":                  `"` + strings.Repeat("%s", 100) + `".format([` + strings.Repeat("s, ", 99) + `s])`,
		"split":                   `(s + s).split("")`,
		"large regex":             `re_match(s, "(a{100}){100}")`,
		"nested repeats":          `re_match(s, "((((a{50}){50}){50}){50}){50}")`,
		"regex on long text":      `re_match(s + s + s + s, "(x+x+)+y|(a|aa)*b|(a|b|ab)*c|[a-z]*[0-9]*[a-z]*d{100}")`,
		"hashes in a loop":        `big.map(x, sha256(s))`,
		"json in a loop":          `big.map(x, to_json(big))`,
		"template of text":        `big.map(x, s + x)`,
		"result of one big value": `big.map(x, s)`,
		"range":                   `lists.range(1000000)`,
	} {
		start := time.Now()
		p, err := env.Compile(src)
		if err == nil {
			_, err = p.Eval(vars)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s took %v: %v", name, d, err)
		} else {
			t.Logf("%-25s %8v  %v", name, d.Round(time.Millisecond), err)
		}
	}
}

// Whatever is compiled is refused, or compiled, in no time.
func TestCompilationIsBounded(t *testing.T) {
	env, _ := fixture(t)
	for _, tt := range []struct {
		part, middle, end string
		n                 int
		fine              bool
	}{
		{"x.b + ", "1", "", 200, true},
		{"x.b == 1 && ", "true", "", 400, true},
		{"(", "1", ")", 200, true},
		{"[", "", "]", 50, true},
		{"[", "", "]", 51, false},
		{`{"a": `, "1", "}", 51, false},
		{"x.map(a, ", "1", ")", 8, true},
		{"x.map(a, ", "1", ")", 9, false},
		{"cel.bind(a, 1, ", "a", ")", 60, true},
		{"cel.bind(a, 1, ", "a", ")", 61, false},
		{"x.b + ", "1", "", 2000, false},
		{"x", ".a", "", 9000, false},
		{"(", "1", ")", 5000, false},
		{"[{(", "", "", 5000, false},
		{"(a?", "", "", 5000, false},
		{"- ", "", "", 8000, false},
		{"? : ", "", "", 4000, false},
		{"a b ", "", "", 4000, false},
		{"x.map(", "", "", 2000, false},
	} {
		src := strings.Repeat(tt.part, tt.n) + tt.middle + strings.Repeat(tt.end, tt.n)
		start := time.Now()
		_, err := env.Compile(src)
		if tt.fine != (err == nil) {
			t.Errorf("%d times %q: %v", tt.n, tt.part, err)
		} else if err != nil {
			_ = asError(t, err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%d times %q took %v", tt.n, tt.part, d)
		}
	}
}

// Large values are fine as long as the work is in proportion.
func TestLargeValuesWork(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "big", Type: expr.Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	big := make([]any, 50_000)
	for i := range big {
		big[i] = map[string]any{"n": int64(i), "name": "element"}
	}
	vars := map[string]any{"big": big}
	for _, src := range []string{
		`size(big)`, `big.filter(x, x.n > 10).map(x, x.name)`, `big.exists(x, x.n == 49999)`, `size(to_json(big))`, `distinct(big.map(x, x.name))`,
		`big == big`, `big[49999] in big`, `big.map(x, x.n).hasAll([1, 2, 3])`, `size(flatten([big, [big]]))`,
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if _, err := p.Eval(vars); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestProgramsAreSafeForConcurrentUse(t *testing.T) {
	env, vars := fixture(t)
	tree, err := env.Tree(map[string]any{
		"a": "${{ alert.resources.filter(r, r.size > 10).map(r, r.uid) }}", "b": "${{ x.missing }}",
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := tree.Eval(vars); err == nil {
					t.Error("no error")
				}
				shared, err := env.Compile(`x.s.getHours()`)
				if err != nil {
					t.Error(err)
				} else if _, err := shared.Eval(vars); err == nil {
					t.Error("text has hours")
				}
				p, err := env.Compile(`re_match(alert.title, "^M") && timestamp(9223372036854775807) > now`)
				if err != nil {
					continue // the constant part fails when planned
				}
				_, _ = p.Bool(vars)
			}
		})
	}
	wg.Wait()
}
