package expr_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

// What a closed object cannot have is found without any value.
func TestWrongPathsAreFoundWhenPlanned(t *testing.T) {
	env, _ := fixture(t)
	const has = "it has new, product, resources, score, severity_id, tags, time, title"
	for _, tt := range []struct {
		src    string
		column int
		msg    string
		hint   string
	}{
		{`alert.titel`, 7, "no field titel in alert", `did you mean "title"?`},
		{`alert.severity`, 7, "no field severity in alert", has},
		{`alert.?titel.orValue("")`, 8, "no field titel in alert", `did you mean "title"?`},
		{`alert["titel"]`, 8, "no field titel in alert", `did you mean "title"?`},
		{`alert[?"titel"].orValue("")`, 9, "no field titel in alert", `did you mean "title"?`},
		{`has(alert.titel)`, 11, "no field titel in alert", `did you mean "title"?`},
		{`"x" + alert . titel`, 15, "no field titel in alert", `did you mean "title"?`},
		{`alert.resources[0].uuid`, 20, "no field uuid", `did you mean "uid"?`},
		{`alert.resources.exists(r, r.uuid == "u")`, 29, "no field uuid", `did you mean "uid"?`},
		{`alert.resources.filter(r, r.size > 1).map(r, r.name)`, 48, "no field name", ""},
		{`alert.resources.transformList(i, r, r.uuid)`, 39, "no field uuid", `did you mean "uid"?`},
		{`cel.bind(a, alert, a.titel)`, 22, "no field titel", `did you mean "title"?`},
		{`first(alert.resources).?uuid`, 25, "no field uuid", `did you mean "uid"?`},
		{`[alert.titel]`, 8, "no field titel in alert", `did you mean "title"?`},
		{`{"a": alert.titel}`, 13, "no field titel in alert", `did you mean "title"?`},
	} {
		_, err := env.Compile(tt.src)
		e := asError(t, err)
		if tt.hint == "" {
			e.Hint = ""
		}
		if diff := cmp.Diff(&expr.Error{Column: tt.column, Msg: tt.msg, Hint: tt.hint}, e); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
	}
}

// Types help; they must not stand in the way of what plain maps can do.
func TestObjectsAreMapsToo(t *testing.T) {
	env, vars := fixture(t)
	for _, tt := range []struct {
		src  string
		want any
	}{
		{`alert["title"]`, "Malware"},
		{`alert[?"title"].orValue("")`, "Malware"},
		{`alert[x.b == 1 ? "title" : "score"]`, "Malware"},
		{`"title" in alert`, true},
		{`size(alert) > 3`, true},
		{`alert.size() > 3`, true},
		{`alert.map(k, k).exists(k, k == "title")`, true},
		{`alert.exists(k, v, v == "Malware")`, true},
		{`alert.resources[0] == {"uid": "u1", "size": 10}`, true},
		{`alert.resources == [{"uid": "u1", "size": 10}, {"uid": "u2", "size": 20}]`, true},
		{`{"uid": "u2", "size": 20.0} in alert.resources`, true},
		{`alert.resources[0] != alert.resources[1]`, true},
		{`(alert.new ? alert.resources[0] : {}).uid`, "u1"},
		{`merge(alert.resources[0], {"size": 1}).size`, int64(1)},
		{`keys(alert.resources[0])`, []any{"size", "uid"}},
		{`get(alert, "resources[0].uid")`, "u1"},
		{`to_json(alert.resources[0])`, `{"size":10,"uid":"u1"}`},
		{`alert.?resources[0].?uid.orValue("")`, "u1"},
		{`alert.?product.orValue({}).?name.orValue("none")`, "none"},
		{`alert.product == null`, true},
		{`null == alert.product`, true},
		{`alert.tags == null`, false},
		{`alert.title == null`, false},
		{`alert.?product.?vendor_name.orValue("none")`, "none"},
		{`[alert.resources[0], {"uid": "x"}].map(r, r.uid)`, []any{"u1", "x"}},
		{`cel.bind(r, alert.resources[1], r.uid)`, "u2"},
		{`alert.resources.map(alert, alert.uid)`, []any{"u1", "u2"}}, // hides the variable
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

// JSON does not keep 4 and 4.0 apart, so neither do we.
func TestNumbersMix(t *testing.T) {
	env, vars := fixture(t)
	for _, src := range []string{
		`alert.severity_id == 4.0`, `4.0 == alert.severity_id`, `alert.score == 47`, `alert.score == 47.0`, `alert.score in [46, 47]`,
		`alert.score != alert.severity_id`, `alert.score > alert.severity_id`, `alert.severity_id + 0.5 == 4.5`, `0.5 + alert.severity_id == 4.5`,
		`alert.score / 2 == 23`, `alert.score / 2.0 == 23.5`, `alert.score * 1.5 == 70.5`, `alert.score - 0.5 == 46.5`, `x.a + x.b == 3.5`,
		`x.a * 2 == 5`, `x.a > 2`, `x.b < 1.5`, `x.b == 1.0`, `x.b in [1.0]`, `alert.severity_id >= 3.5`, `-x.a == -2.5`,
	} {
		p, err := env.CompileBool(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := p.Bool(vars); err != nil || !got {
			t.Errorf("%s = %v, %v", src, got, err)
		}
	}
}

func TestRefs(t *testing.T) {
	env, _ := fixture(t)
	for _, tt := range []struct {
		src  string
		want [][]string
	}{
		{`1 + 1`, nil},
		{`steps.triage.answer == "x"`, [][]string{{"steps", "triage", "answer"}}},
		{`steps["triage"].?answer.orValue(steps.other)`, [][]string{{"steps", "triage", "answer"}, {"steps", "other"}}},
		{`has(steps.triage.answer) && steps.triage.answer == 1`, [][]string{{"steps", "triage", "answer"}}},
		{`steps.a.list[0].name`, [][]string{{"steps", "a", "list"}}},
		{`steps.a.list[steps.b.n].name`, [][]string{{"steps", "b", "n"}, {"steps", "a", "list"}}},
		{`steps.a.list.filter(steps, steps.x == x.s)`, [][]string{{"steps", "a", "list"}, {"x", "s"}}},
		{`steps.exists(k, k == "a")`, [][]string{{"steps"}}},
		{`size(steps)`, [][]string{{"steps"}}},
		{`cel.bind(s, steps.a, s.b)`, [][]string{{"steps", "a"}}},
		{`base64.encode(bytes(x.s))`, [][]string{{"x", "s"}}},
		{`ago("1h")`, [][]string{{"now"}}},
		{`x.s.startsWith(alert.title)`, [][]string{{"x", "s"}, {"alert", "title"}}},
	} {
		p, err := env.Compile(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
		} else if diff := cmp.Diff(tt.want, p.Refs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
	}
}

func TestNewEnvRefusesBadVariables(t *testing.T) {
	for _, vars := range [][]expr.Var{
		{{Name: "a-b", Type: expr.Dyn()}},
		{{Name: "", Type: expr.Dyn()}},
		{{Name: "in", Type: expr.Dyn()}},
		{{Name: "a", Type: expr.Dyn()}, {Name: "a", Type: expr.Int()}},
	} {
		if _, err := expr.NewEnv(vars...); err == nil {
			t.Errorf("%v: accepted", vars)
		}
	}
}

func TestDurationsAndTimesAreTyped(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "d", Type: expr.Duration()}, expr.Var{Name: "at", Type: expr.Timestamp()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := env.CompileBool(`at + d > at && d > duration("1m")`)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Bool(map[string]any{"d": time.Hour, "at": time.Unix(0, 0)}); err != nil || !ok {
		t.Error(ok, err)
	}
	if _, err := env.Compile(`d > 60`); err == nil {
		t.Error("a duration was compared with a number")
	}
}

// One Type may describe several variables, and several environments.
func TestTypesAreShared(t *testing.T) {
	finding := expr.Object(map[string]*expr.Type{"title": expr.String(), "same": expr.Object(nil)})
	for range 2 {
		env, err := expr.NewEnv(expr.Var{Name: "a", Type: finding}, expr.Var{Name: "b", Type: expr.List(finding)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := env.CompileBool(`b.exists(f, f.title == a.title && a == f)`); err != nil {
			t.Error(err)
		}
		if _, err := env.Compile(`b[0].titel`); err == nil {
			t.Error("a wrong field was accepted")
		}
	}
}
