package expr

import (
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	env, err := NewEnv(Var{"alert", Object(map[string]*Type{"severity_id": Int(), "title": String(), "score": Double(),
		"metadata":  Object(map[string]*Type{"product": OpenObject(map[string]*Type{"vendor_name": String()})}),
		"resources": List(Object(map[string]*Type{"uid": String(), "n": Int()})),
	})}, Var{"now", Timestamp()}, Var{"x", Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"now": time.Unix(0, 0), "x": map[string]any{"b": int64(1), "a": 2.5}, "alert": map[string]any{"severity_id": int64(4), "title": nil, "score": int64(3), "metadata": map[string]any{"product": map[string]any{"vendor_name": "Elastic"}},
		"resources": []any{map[string]any{"uid": "u1", "n": int64(2)}}}}
	for _, src := range []string{
		`alert.severity_id >= 4 && alert.metadata.product.vendor_name == "Elastic"`,
		`alert.severity_id > "4"`, `alert.severity == 4`, `alert.?foo.orValue(1)`, `has(alert.foo)`, `alert["foo"]`, `alert["score"] * 2.5`,
		`alert.score == 3`, `alert.severity_id + 0.5`, `alert.severity_id == 4.0`, `alert.title == null`, `alert.resources == null`, `alert.score in [3, 4]`,
		`alert.resources.filter(r, r.n > 1).map(r, r.uid)`, `alert.resources.map(r, r.foo)`, `alert == {}`, `alert.metadata == {"product": {"vendor_name": "Elastic"}}`,
		`x.map(k, k)`, `x.transformList(k, v, v + 1)`, `ago(duration("1h"))`, `x.c`, `x.?c.orValue("none")`, `alert.metadata.product.foo`, `alert.resources[0].uid`, `alert.resources[0].uuid`,
		`cel.bind(a, alert.metadata, a.product.vendor_name)`, `cel.bind(a, alert.metadata, a.prodct)`, `stpes.x`, `1 = 2`, `x and x`, `alert.?metadata.?product.?vendor_name.orValue("x")`,
		`alert.?metadata.orValue({}).?product`, `alert.size()`, `"severity_id" in alert`, `alert[x.b]`, `true ? alert.severity_id : null`, `base64.encode(b"abc")`, `math.greatest(1, 2)`,
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Logf("%-60s %v", src, err)
			continue
		}
		v, err := p.Eval(vars)
		t.Logf("%-60s %T %v %v   %v", src, v, v, err, p.Refs())
	}
}

func BenchmarkEval(b *testing.B) {
	env, _ := NewEnv(Var{"alert", Object(map[string]*Type{"severity_id": Int(), "metadata": Object(map[string]*Type{"product": OpenObject(map[string]*Type{"vendor_name": String()})})})})
	p, err := env.Compile(`alert.severity_id >= 4 && alert.metadata.product.vendor_name == "Elastic"`)
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]any{"alert": map[string]any{"severity_id": int64(4), "metadata": map[string]any{"product": map[string]any{"vendor_name": "Elastic"}}}}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.Bool(vars); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
