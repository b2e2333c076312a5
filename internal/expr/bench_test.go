package expr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/expr"
)

// rawAlert is about as large as what tools send.
func rawAlert() []byte {
	var b strings.Builder
	b.WriteString(`{"severity_id":4,"time":1647958913225,"score":47.5,"finding_info":{"title":"Malware \"x\" found","uid":"8a4f500d-6b7e-4c3e-9f2b-0a1c2d3e4f50","types":["a","b"]},` +
		`"metadata":{"product":{"name":"Endpoint","vendor_name":"Elastic"},"version":"1.3.0"},"resources":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"uid":"arn:aws:s3:::bucket-%d","type":"bucket","region":"eu-central-1","size":%d,"public":false,"owner":null,"tags":{"env":"prod","team":"ünïcode"}}`, i, i*1000)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func benchEnv(tb testing.TB) (*expr.Env, map[string]any) {
	env, err := expr.NewEnv(
		expr.Var{Name: "alert", Type: expr.Object(map[string]*expr.Type{
			"severity_id": expr.Int(), "time": expr.Int(), "score": expr.Double(),
			"finding_info": expr.OpenObject(map[string]*expr.Type{"title": expr.String()}),
			"metadata":     expr.Object(map[string]*expr.Type{"product": expr.OpenObject(map[string]*expr.Type{"vendor_name": expr.String()})}),
			"resources":    expr.List(expr.OpenObject(map[string]*expr.Type{"uid": expr.String(), "size": expr.Int()})),
		})},
		expr.Var{Name: "steps", Type: expr.OpenObject(nil)},
		expr.Var{Name: "now", Type: expr.Timestamp()},
	)
	if err != nil {
		tb.Fatal(err)
	}
	alert, err := expr.FromJSON(rawAlert())
	if err != nil {
		tb.Fatal(err)
	}
	return env, map[string]any{"alert": alert, "steps": map[string]any{}, "now": time.Unix(1700000000, 0)}
}

var benchExpressions = []struct{ name, src string }{
	{"predicate", `alert.severity_id >= 4 && alert.metadata.product.vendor_name == "Elastic"`},
	{"loop", `alert.resources.exists(r, r.uid.endsWith("-19"))`},
	{"functions", `sha256(alert.finding_info.title) + domain("https://a.example/x") + string(cidr_contains("10.0.0.0/8", "10.1.2.3"))`},
	{"regex", `re_match(alert.finding_info.title, "(?i)malware|virus")`},
	{"map", `{"title": alert.finding_info.title, "severity": alert.severity_id, "when": parse_time(alert.time)}`},
}

func BenchmarkEval(b *testing.B) {
	env, vars := benchEnv(b)
	for _, e := range benchExpressions {
		p, err := env.Compile(e.src)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(vars); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	env, _ := benchEnv(b)
	for _, e := range benchExpressions {
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := env.Compile(e.src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewEnv(b *testing.B) {
	benchEnv(b)
	b.ReportAllocs()
	for b.Loop() {
		benchEnv(b)
	}
}

func BenchmarkTemplate(b *testing.B) {
	env, vars := benchEnv(b)
	t, err := env.Template("${{ alert.finding_info.title }} from ${{ alert.metadata.product.vendor_name }}: severity ${{ alert.severity_id }}")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Text(vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromJSON(b *testing.B) {
	raw := rawAlert()
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := expr.FromJSON(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
