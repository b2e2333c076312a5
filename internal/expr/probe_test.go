package expr

import (
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	env, err := NewEnv(Var{"alert", Object(map[string]*Type{"severity_id": Int(), "title": String(), "score": Double(), "time": Timestamp(),
		"product": OpenObject(map[string]*Type{"vendor_name": String()}),
		"tags":    List(String()),
	})}, Var{"now", Timestamp()}, Var{"x", Dyn()}, Var{"steps", OpenObject(nil)})
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"now": time.Unix(0, 0), "x": map[string]any{"b": int64(1), "a": 2.5, "n": nil, "s": "str", "l": []any{int64(1)}}, "alert": map[string]any{"severity_id": int64(4), "title": nil, "product": nil}, "steps": map[string]any{}}
	for _, src := range []string{
		`a and b`, `x.a and x.b`, `x.a or x.b`, `not x.a`, `!x.a`, `x.a = 1`, `x.a == 1 &`, `x.a & x.b`, `x.a | x.b`, `x.a === 1`, `x.a <> 1`, `x.a !== 1`,
		`x.a ==`, `(x.a`, `x.a)`, `[1, 2`, `{"a": 1`, `"abc`, `'abc`, `x.`, `x..a`, `x.?`, `x?.a`, `x ?? 1`, `x.a ? 1`, `x.a ? 1 : `, `if x.a then 1`, `x.a is null`, `x.a not in [1]`, `x.a in`,
		`${x}`, `$x`, `{{ x }}`, `x.a; x.b`, `x.a == 1 && `, `1 +`, `lower(alert.title)`, `len(x)`, `alert.title.lower()`, `alert.title.startswith("x")`, `contains(alert.title, "x")`, `now()`, `x.filter(r)`,
		`x.filter(r => r.a)`, `x.map(1, 2)`, `x.all(a.b, true)`, `None`, `True`, `nil`, `alret.title`, `shal256("x")`, `alert.title + 1`, `"n: " + 3`, `alert.severity_id + "1"`, `alert.severity_id > "4"`,
		`alert.title == 4`, `alert.severity_id == "4"`, `alert.severity_id in ["1"]`, `alert.title && true`, `!alert.title`, `alert.title ? 1 : 2`, `true ? 1 : "a"`, `alert.tags + "x"`, `alert.title.foo`, `alert.tags.foo`, `alert.tags["a"]`,
		`size(1)`, `int(true)`, `timestamp(1,2)`, `alert.time > 3`, `alert.time > "2026"`, `now - 3600`, `now - "1h"`, `duration(5)`, `ago(5)`, `ago("1h")`, `x.matches("(")`, `re_match(alert.title, "(?=x)")`, `"a" * 3`, `1 / 0`, `1 % 0`, `int("abc")`, `double("x")`, `timestamp("x")`, `duration("x")`,
		`x.n.foo`, `x.s.foo`, `x.l[5]`, `x.l["a"]`, `x.b.foo`, `x.zzz.y`, `x.?n.foo`, `x.?zzz.foo`, `x.?zzz`, `x.?zzz.value()`, `x.s + 1`, `x.b + "1"`, `x.s > 1`, `x.s && true`, `!x.s`, `x.s ? 1 : 2`, `x.b.size()`, `x.b.startsWith("a")`, `sha256(x.b)`, `domain(x.n)`, `x.l.map(i, i.foo)`, `x.b in x.s`,
		`9223372036854775807 + 1`, `9223372036854775808`, `x.b.map(i, i)`, `steps.triage.answer`, `has(x.zzz.y)`, `has(x)`, `has(x["a"])`, `alert.product.vendor_name`, `now.foo`, `alert.?title.foo`, `alert.?title == "x"`, `alert.?title + "x"`,
		`"\d"`, `r"\d"`, `x.a.b.c.d(`, "x.a ==\n\n  y", `é + é`, "“a”", `x.b == 1 AND x.a == 2`, `x.b == 1 OR x.a == 2`, `NOT x.b`, `alert.title contains "x"`, `alert.title =~ "x"`, `alert.title like "x"`, `x.b++`, `x.b += 1`, `let y = 1`, `Foo{a: 1}`, `x{a: 1}`, `alert{title: "x"}`, `{a: 1}`, `{b"x": 1}`, `{1.5: 1}`, `type(x) == map`, `type(x)`,
		`string(x.l)`, `string(x.n)`, `x.b == 1.0`, `first(x.l)`, `first(x.l) == 1`, `cel.bind(x, 1)`, `math.greatest()`, `math.greatest("a")`, `"%d".format([x.s])`, `"%d".format(["a"])`, `"a".format(1)`, `x.sort()`, `["a", 1].sort()`, `lists.range(1000000)`, `base64.decode("!!")`,
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Logf("C %-40s %v", src, err)
			continue
		}
		v, err := p.Eval(vars)
		if err != nil {
			t.Logf("R %-40s %v", src, err)
		} else {
			t.Logf("  %-40s %T %v", src, v, v)
		}
	}
}
