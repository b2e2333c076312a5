package alert

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2024, 7, 22, 21, 32, 49, 0, time.UTC)
	for _, v := range []any{
		"2024-07-22T21:32:49Z", "2024-07-22T23:32:49+02:00", "2024-07-22T21:32:49.000000+0000", "2024-07-22 21:32:49.000000000",
		"2024-07-22 21:32:49 UTC", "2024/07/22 21:32:49 GMT", "7/22/2024 9:32:49 PM", " 2024-07-22T21:32:49 ",
		int64(1721683969), int64(1721683969000), int64(1721683969000000), int64(1721683969000000000),
		1721683969.0, "1721683969", "1721683969.000", want,
	} {
		if got, ok := parseTime(v); !ok || !got.Equal(want) {
			t.Errorf("%v is %v, %v", v, got, ok)
		}
	}
	for _, v := range []any{int64(0), "1970-01-01 00:00:00Z", "0001-01-01T00:00:00Z", time.Time{}} {
		if got, ok := parseTime(v); !ok || !got.IsZero() {
			t.Errorf("%v stands for no time, got %v, %v", v, got, ok)
		}
	}
	for _, v := range []any{"", "yesterday", "2024-13-01", true, nil, map[string]any{}} {
		if got, ok := parseTime(v); ok {
			t.Errorf("%v is %v", v, got)
		}
	}
}

func TestWhatLinksAlerts(t *testing.T) {
	for _, tt := range []struct {
		kind        int64
		value, want string
	}{
		{typeIP, "203.0.113.7", "ip:203.0.113.7"},
		{typeIP, "::ffff:203.0.113.7", "ip:203.0.113.7"},
		{typeIP, "2001:DB8::1", "ip:2001:db8::1"},
		{typeIP, "10.1.2.3", ""},
		{typeIP, "192.168.0.1", ""},
		{typeIP, "100.64.0.1", ""},
		{typeIP, "127.0.0.1", ""},
		{typeIP, "169.254.169.254", ""},
		{typeIP, "224.0.0.1", ""},
		{typeIP, "0.0.0.0", ""},
		{typeIP, "fe80::1", ""},
		{typeIP, "fd00::1", ""},
		{typeIP, "8.8.8.8", ""},
		{typeUser, "Ada@Example.org", "user:ada@example.org"},
		{typeUser, `CORP\ada`, "user:ada"},
		{typeUser, "root", ""},
		{typeUser, `NT AUTHORITY\SYSTEM`, ""},
		{typeUser, "-", ""},
		{typeHostname, "WEB-1.", "host:web-1"},
		{typeHostname, "localhost", ""},
		{typeHostname, "10.0.0.1", ""},
		{typeHash, "D41D8CD98F00B204E9800998ECF8427E", "md5:d41d8cd98f00b204e9800998ecf8427e"},
		{typeHash, "deadbeef", "hash:deadbeef"},
		{typeIP, "unknown", ""},
		{typeResource, "arn:aws:s3:::b", "resource:arn:aws:s3:::b"},
	} {
		var o observed
		o.add("x", tt.kind, tt.value)
		got := o.entities([]string{KindIP, KindHost, KindUser, KindHash, KindResource})
		if len(got) == 0 && tt.want != "" || len(got) > 0 && got[0] != tt.want {
			t.Errorf("%s gives %v, want %s", tt.value, got, tt.want)
		}
	}
}

func TestPlainPaths(t *testing.T) {
	variable := func(s string) bool { return s == "event" || s == "d" }
	for src, want := range map[string][]any{
		`event`:               nil,
		`event.a.b`:           {"a", "b"},
		`d.?a.?b`:             {"a", "b"},
		`event["a b"].c[10]`:  {"a b", "c", 10},
		` event.a `:           {"a"},
		`event[?"x"]`:         {"x"},
		`event['it''s']`:      nil,
		`other.a`:             nil,
		`event.a + 1`:         nil,
		`event.a.b()`:         nil,
		`event.1`:             nil,
		`event["a\"b"]`:       nil,
		`event[99999999]`:     nil,
		`event.a.orValue("")`: nil,
	} {
		p, ok := plainPath(src, variable)
		if ok != (want != nil || src == "event") || ok && !cmp.Equal(p.path, want) {
			t.Errorf("%s is %v, %v", src, p.path, ok)
		}
	}
}

// TestAPrefilterNeverSaysNoWhenTheConditionHolds compares with CEL itself.
func TestAPrefilterNeverSaysNoWhenTheConditionHolds(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "a", Type: expr.Dyn()}, expr.Var{Name: "b", Type: expr.Dyn()})
	if err != nil {
		t.Fatal(err)
	}
	values := []any{"x", "y", "", nil, int64(1), true, []any{"x"}, map[string]any{"k": "x"}}
	for src, has := range map[string]bool{
		`a == "x"`:                                     true,
		`a == "x" && b == "y"`:                         true,
		`a in ["x", "y"] && b != "y"`:                  true,
		`a.k == "x"`:                                   true,
		`a == "x" && (b == "y" || b == "x")`:           true,
		`a == "x" && b.?k.orValue("") == "x"`:          true,
		`a == "x" || b == "y"`:                         false,
		`a == "x" && b == "y" || b == "x"`:             false,
		`a == "x" ? b == "x" : true`:                   false,
		`a == "x" == false`:                            false,
		`a == 'x'`:                                     false,
		`a == "\x78"`:                                  false,
		`!(a == "x")`:                                  false,
		`a == b`:                                       false,
		`a in ["x"] == true`:                           false,
		`a in ["x" "y"]`:                               false,
		`a == "x" && b == """x"y"z""" || b == "y"`:     false,
		"a == \"x\" // && is not here\n || b == \"y\"": false,
	} {
		p := newPrefilter(src, func(s string) bool { return s == "a" || s == "b" })
		if (p != nil) != has {
			t.Errorf("%s: prefilter %v", src, p)
			continue
		}
		run, err := env.Compile(src)
		if err != nil && !has {
			continue
		}
		if err != nil {
			t.Fatal(src, err)
		}
		for _, a := range values {
			for _, b := range values {
				vars := map[string]any{"a": a, "b": b}
				holds, err := run.Bool(vars)
				if err == nil && holds && p.rulesOut(&evaluation{vars: vars}) {
					t.Errorf("%s with %v and %v holds, and is ruled out", src, a, b)
				}
			}
		}
	}
}

func TestWithoutNull(t *testing.T) {
	in := map[string]any{"a": nil, "b": []any{nil, map[string]any{"c": nil, "d": int64(1)}}, "e": map[string]any{"f": nil}}
	want := map[string]any{"b": []any{nil, map[string]any{"d": int64(1)}}, "e": map[string]any{}}
	before, _ := json.Marshal(in)
	if diff := cmp.Diff(want, withoutNull(in)); diff != "" {
		t.Error(diff)
	}
	if after, _ := json.Marshal(in); string(after) != string(before) {
		t.Errorf("the event was changed: %s", after)
	}
}

func TestCheckOCSF(t *testing.T) {
	for _, tt := range []struct {
		finding map[string]any
		want    string
	}{
		{map[string]any{"severity_id": int64(42)}, "severity_id: 42 is not in the enumeration"},
		{map[string]any{"time": "now"}, "time: now is no timestamp_t"},
		{map[string]any{"device": map[string]any{"type_id": int64(0)}}, "device: device needs one of"},
		{map[string]any{"src_endpoint": map[string]any{}}, "src_endpoint: unknown attribute of finding"},
		{map[string]any{"resources": map[string]any{}}, "resources: list where one value belongs"},
		{map[string]any{}, "finding_info: required attribute of finding is missing"},
		{map[string]any{"vulnerabilities": []any{map[string]any{"title": "x"}}}, "needs exactly one of"},
		{map[string]any{"device": map[string]any{"location": map[string]any{"lat": "north"}}}, "device.location.lat: north is no float_t"},
		{map[string]any{"is_alert": "yes"}, "is_alert: yes is no boolean_t"},
		{map[string]any{"device": "web-1"}, "device: is no device"},
	} {
		found := false
		for _, w := range CheckOCSF(tt.finding) {
			found = found || strings.Contains(w, tt.want)
		}
		if !found {
			t.Errorf("%v gives %v, want %s", tt.finding, CheckOCSF(tt.finding), tt.want)
		}
	}
}

// TestTheSchemaIsWhole looks at the file that testdata/cut makes.
func TestTheSchemaIsWhole(t *testing.T) {
	s := ocsf()
	if s.Version == "" || len(s.Class.Attributes) < 40 || len(s.Objects) < 50 {
		t.Fatalf("version %q, %d attributes, %d objects", s.Version, len(s.Class.Attributes), len(s.Objects))
	}
	for name, id := range severities {
		if got := s.Class.Attributes["severity_id"].ids[name]; got != id {
			t.Errorf("severity %s is %d in OCSF, %d here", name, got, id)
		}
	}
	for _, m := range (&Mapping{}).entries() {
		if target(strings.Split(m.path, ".")) == nil {
			t.Errorf("map.%s goes to %s, which OCSF does not have", m.key, m.path)
		}
	}
	if SeverityName(42) != "unknown" {
		t.Error("a severity that OCSF lacks has a name")
	}
	kinds := s.Objects["observable"].Attributes["type_id"].captions
	for _, id := range watched {
		if kinds[id] == "" {
			t.Errorf("OCSF has no observable of type %d", id)
		}
	}
}
