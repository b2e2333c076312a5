package expr_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

// evaluate compiles and evaluates src with the variable v.
func evaluate(t *testing.T, src string, v any) (any, error) {
	t.Helper()
	env, err := expr.NewEnv(expr.Var{Name: "v", Type: expr.Dyn()}, expr.Var{Name: "now", Type: expr.Timestamp()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := env.Compile(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p.Eval(map[string]any{"v": v, "now": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)})
}

func TestParseTimeReadsWhatProductsWrite(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want string // empty: an error
	}{
		// Epochs, by size.
		{int64(0), "1970-01-01T00:00:00Z"},
		{int64(1647958913), "2022-03-22T14:21:53Z"},
		{int64(-1), "1969-12-31T23:59:59Z"},
		{int64(1647958913225), "2022-03-22T14:21:53.225Z"},
		{int64(1647958913225001), "2022-03-22T14:21:53.225001Z"},
		{int64(1647958913225001002), "2022-03-22T14:21:53.225001002Z"},
		{int64(-1 << 63), ""},
		{1647958913.225, "2022-03-22T14:21:53.225Z"},
		{1647958913225.0, "2022-03-22T14:21:53.225Z"},
		{1e300, ""},
		{"1647958913", "2022-03-22T14:21:53Z"},
		{"1647958913.225", "2022-03-22T14:21:53.225Z"},
		{"1647958913225", "2022-03-22T14:21:53.225Z"},
		{"/Date(1647958913225)/", "2022-03-22T14:21:53.225Z"},
		// ISO 8601 and its neighbours.
		{"2022-03-22T14:21:53Z", "2022-03-22T14:21:53Z"},
		{" 2022-03-22T14:21:53.225+02:00 ", "2022-03-22T12:21:53.225Z"},
		{"2022-03-22T14:21:53.225+0200", "2022-03-22T12:21:53.225Z"},
		{"2022-03-22T14:21:53", "2022-03-22T14:21:53Z"},
		{"2022-03-22T14:21:53.123456789Z", "2022-03-22T14:21:53.123456789Z"},
		{"2022-03-22 14:21:53", "2022-03-22T14:21:53Z"},
		{"2022-03-22 14:21:53.225", "2022-03-22T14:21:53.225Z"},
		{"2022-03-22 14:21:53,225", "2022-03-22T14:21:53.225Z"},
		{"2022-03-22 14:21:53 UTC", "2022-03-22T14:21:53Z"},
		{"2022-03-22 14:21:53 +0200", "2022-03-22T12:21:53Z"},
		{"2022-03-22 14:21:53+00:00", "2022-03-22T14:21:53Z"},
		{"2022-03-22 14:21:53.123456 +0000 UTC", "2022-03-22T14:21:53.123456Z"},
		{"2022-03-22T14:21Z", "2022-03-22T14:21:00Z"},
		{"2022-03-22", "2022-03-22T00:00:00Z"},
		{"2022/03/22 14:21:53", "2022-03-22T14:21:53Z"},
		{"20220322T142153Z", "2022-03-22T14:21:53Z"},
		{"20220322142153", "2022-03-22T14:21:53Z"},
		{"20220322142153.0Z", "2022-03-22T14:21:53Z"}, // LDAP
		// Logs.
		{"22/Mar/2022:14:21:53 +0200", "2022-03-22T12:21:53Z"},
		{"Tue Mar 22 14:21:53.225001 2022", "2022-03-22T14:21:53.225001Z"},
		{"Tue Mar 22 14:21:53 2022", "2022-03-22T14:21:53Z"},
		{"Tue Mar 22 14:21:53 UTC 2022", "2022-03-22T14:21:53Z"},
		{"Tue, 22 Mar 2022 14:21:53 +0200", "2022-03-22T12:21:53Z"},
		{"Tue, 22 Mar 2022 14:21:53 GMT", "2022-03-22T14:21:53Z"},
		{"22 Mar 2022 14:21:53 -0500", "2022-03-22T19:21:53Z"},
		{"Mar 22 2022 14:21:53", "2022-03-22T14:21:53Z"},
		{"Mar  2 2022 14:21:53", "2022-03-02T14:21:53Z"},
		{"3/22/2022 2:21:53 PM", "2022-03-22T14:21:53Z"},
		// Not guessed.
		{"Mar 22 14:21:53", ""}, // no year
		{"2022-03-22 14:21:53 CST", ""},
		{"Tue Mar 22 14:21:53 IST 2022", ""},
		{"22/03/2022", ""},
		{"yesterday", ""},
		{"", ""},
		{"-", ""},
		{"99999-01-01T00:00:00Z", ""},
		{"0000-01-01T00:00:00Z", ""},
	} {
		got, err := evaluate(t, `parse_time(v)`, tt.in)
		if tt.want == "" {
			if err == nil {
				t.Errorf("parse_time(%v) = %v", tt.in, got)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("parse_time(%v) = %v, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestSyslogTimesTakeTheirYearFromNow(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Feb 28 23:59:59", "2026-02-28T23:59:59Z"},
		{"Mar  1 12:00:00", "2026-03-01T12:00:00Z"},
		{"Mar  2 11:59:59", "2026-03-02T11:59:59Z"}, // clocks differ
		{"Mar  3 00:00:00", "2025-03-03T00:00:00Z"},
		{"Dec 31 23:59:59.5", "2025-12-31T23:59:59.5Z"},
		{"Feb 29 00:00:00", "2024-02-29T00:00:00Z"},
		{"2022-03-22 14:21:53", "2022-03-22T14:21:53Z"},
	} {
		if got, err := evaluate(t, `parse_time(v, now)`, tt.in); err != nil || got != tt.want {
			t.Errorf("%s = %v, %v, want %s", tt.in, got, err, tt.want)
		}
	}
	// In the last hours of a year, the first hours of the next are near.
	got, err := evaluate(t, `parse_time("Jan  1 00:00:01", timestamp("2025-12-31T23:59:59Z"))`, nil)
	if err != nil || got != "2026-01-01T00:00:01Z" {
		t.Error(got, err)
	}
}

func TestFunctionsOnHostileValues(t *testing.T) {
	for _, tt := range []struct {
		src  string
		v    any
		want any // an error when it is a string that begins with "error: "
	}{
		{`domain(v)`, "https://evil.example:8443/a@b?x=y", "evil.example"},
		{`domain(v)`, "http://[2001:db8::7]:80/", "2001:db8::7"},
		{`domain(v)`, "https://u:p%zz@evil.example/%zz", "evil.example"},
		{`domain(v)`, "evil[.]example", "evil.example"},
		{`domain(v)`, "EVIL.example.", "evil.example"},
		{`domain(v)`, "evil.example:443", "evil.example"},
		{`domain(v)`, "evil.example/path@x", "evil.example"},
		{`domain(v)`, "10.0.0.1:80", "10.0.0.1"},
		{`domain(v)`, "::ffff:10.0.0.1", "10.0.0.1"},
		{`domain(v)`, "//evil.example/x", "evil.example"},
		{`domain(v)`, "not a host", ""},
		{`domain(v)`, "", ""},
		{`email_domain(v)`, "\"a@b\"@corp.example", "corp.example"},
		{`email_domain(v)`, "a@", ""},
		{`cidr_contains("10.0.0.0/8", v)`, "::ffff:10.1.2.3", true},
		{`cidr_contains("fe80::/10", v)`, "fe80::1%eth0", true},
		{`cidr_contains("10.1.2.3", v)`, "10.1.2.3", true},
		{`cidr_contains("0.0.0.0/0", v)`, "::1", false},
		{`cidr_contains(v, "10.0.0.1")`, "10.0.0.0/99", "error: cidr_contains() needs a network such as 10.0.0.0/8"},
		{`cidr_contains([v], "10.0.0.1")`, int64(1), "error: cidr_contains() does not take a list and text"},
		{`is_private_ip(v)`, "100.64.1.1", true},
		{`is_private_ip(v)`, "169.254.1.1", true},
		{`is_private_ip(v)`, "172.32.0.1", false},
		{`is_private_ip(v)`, "fd00::1", true},
		{`is_private_ip(v)`, "010.0.0.1", false}, // leading zeros are no address
		{`truncate(v, 3)`, "äöüß", "äö…"},
		{`truncate(v, 4)`, "äöüß", "äöüß"},
		{`truncate(v, 1)`, "abc", "…"},
		{`truncate(v, 0)`, "abc", ""},
		{`truncate(v, -1)`, "abc", ""},
		{`mask(v, 2)`, "äöüß", "**üß"},
		{`mask(v, 9)`, "abc", "***"},
		{`mask(v, -1)`, "abc", "***"},
		{`mask(v, 1)`, "", ""},
		{`slug(v)`, "  --Ärger & Co.--  ", "aerger-co"},
		{`slug(v)`, "日本", ""},
		{`size(slug(v))`, "x" + string(make([]byte, 100)) + "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij", int64(63)},
		{`refang(defang(v))`, "http://a.b.c.example/x.y?z=1.2 ftp://f.example a@b.example 10.0.0.1", "http://a.b.c.example/x.y?z=1.2 ftp://f.example a@b.example 10.0.0.1"},
		{`refang(v)`, "hxxps[://]evil(.)example and a(at)b[dot]example", "https://evil.example and a@b.example"},
		{`defang(v)`, "See. The end.", "See. The end."},
		{`re_find(v, "a(b)?")`, "a", ""},
		{`re_replace(v, "(a)(b)", "$2$1")`, "abab", "baba"},
		{`re_find_all(v, "x*")`, "axxb", []any{"xx"}},
		{`regex.replace(v, "(a)", r"\1\1$")`, "ab", "aa$b"},
		{`regex.replace(v, "a", "b", 1)`, "aa", "ba"},
		{`v.replace("", "-")`, "ab", "-a-b-"},
		{`v.replace("a", "b", 0)`, "aa", "aa"},
		{`v.split("", 1)`, "ab", []any{"ab"}},
		{`v.split(",", 0)`, "a,b", []any{}},
		{`v.split(",")`, "", []any{""}},
		{`json(v).a`, `{"a": 1}`, int64(1)},
		{`json(v)`, `{"a": `, "error: decode JSON: byte 7: unexpected end where a value should begin"},
		{`json(v) + 1`, `41`, int64(42)},
		{`base64_decode(v)`, "gA==", "error: base64_decode() found bytes that are not text; write base64.decode() for bytes"},
		{`base64_decode(v)`, "Pz8_\nPz8-", "?????>"},
		{`base64_decode(v)`, "aGVs\r\nbG8", "hello"},
		{`utf16_decode(base64.decode(v))`, "/v8AYQ==", "a"},
		{`utf16_decode(base64.decode(v))`, "/v8A", "error: utf16_decode() was given an odd number of bytes"},
		{`url_decode(v)`, "%e9", "\uFFFD"},
		{`url_decode(v)`, "%zz", "error: url_decode() found a % that two hexadecimal digits do not follow"},
		{`url_encode(v)`, "?&=#é+~", "%3F%26%3D%23%C3%A9%2B~"},
		{`get(v, "a[0].b", 1)`, map[string]any{"a": []any{map[string]any{"b": int64(2)}}}, int64(2)},
		{`get(v, "a[0]", 1)`, map[string]any{"a": map[string]any{"0": int64(2)}}, int64(2)},
		{`get(v, "a[1]", 1)`, map[string]any{"a": []any{int64(2)}}, int64(1)},
		{`get(v, "", 1)`, nil, int64(1)},
		{`get(v, "a..b")`, map[string]any{}, "error: get() needs a path such as a.b[0].c or a[\"x.y\"]"},
		{`get(v, "a[x]")`, map[string]any{}, "error: get() needs a path such as a.b[0].c or a[\"x.y\"]"},
		{`get(v, "a[0")`, map[string]any{}, "error: get() needs a path such as a.b[0].c or a[\"x.y\"]"},
		{`get(v, "a[\"]\"].b")`, map[string]any{"a": map[string]any{"]": map[string]any{"b": int64(7)}}}, int64(7)},
		{`distinct(v)`, []any{map[string]any{"a": int64(1)}, map[string]any{"a": 1.0}, "1", int64(1), 1.0, nil, nil}, []any{map[string]any{"a": int64(1)}, "1", int64(1), nil}},
		{`distinct([timestamp("2026-01-01T00:00:00Z"), v])`, "2026-01-01T00:00:00Z", []any{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"}},
		{`v.hasAny([2.0])`, []any{int64(1), int64(2)}, true},
		{`sets.equivalent(v, [])`, []any{}, true},
		{`merge(v, {"b": null})`, map[string]any{"a": int64(1), "b": int64(2)}, map[string]any{"a": int64(1), "b": nil}},
		{`compact(v)`, map[string]any{"a": map[string]any{}, "b": false, "c": []any{nil}}, map[string]any{"b": false, "c": []any{nil}}},
		{`v.join(",")`, []any{"a", int64(1)}, "error: join() needs a list of text; write list.map(x, string(x)).join()"},
		{`first(v)`, []any{}, nil},
		{`math.round(v)`, int64(47), 47.0},
		{`math.round(v)`, 47.5, 48.0},
		{`format_time(now, v)`, "%d.%m.%y %I %p %% %j %e %f %L %s %a %b %z %Z %F %T %R", "01.03.26 12 PM % 060  1 000000 000 1772366400 Sun Mar +0000 UTC 2026-03-01 12:00:00 12:00"},
		{`format_time(now, v)`, "02 Jan 2006", "01 Mar 2026"},
		{`format_time(now, v)`, "YYYY-MM-DD", `error: the layout has no directive; write one like "%Y-%m-%d %H:%M:%S"`},
		{`format_time(now, v)`, "%Q", "error: the layout has the unknown directive %Q"},
		{`format_time(now, v)`, "100%", "100%"},
		{`string(duration(v))`, "1w2d3h4m", "788640s"},
		{`string(duration(v))`, "-7d", "-604800s"},
		{`string(duration(v))`, "0s", "0s"},
		{`duration(v)`, "7 days", `error: a duration is written like "90s", "15m", "2h30m", "7d" or "2w"`},
		{`duration(v)`, "1d2w", `error: a duration is written like "90s", "15m", "2h30m", "7d" or "2w"`},
		{`duration(v)`, "7d-1h", `error: a duration is written like "90s", "15m", "2h30m", "7d" or "2w"`},
		{`duration(v)`, "999999999w", `error: a duration is written like "90s", "15m", "2h30m", "7d" or "2w"`},
		{`timestamp(v)`, int64(1 << 62), "error: the time is outside of the years 1 to 9999"},
		{`epoch_ms(parse_time(v))`, "2022-03-22T14:21:53.225Z", int64(1647958913225)},
		{`hmac_sha256(v, "")`, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
		{`sha256(b"\xff")`, nil, "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"},
		{`to_json(v)`, "\x00\u2028<>\"\\\n\x7f\xff", `"\u0000` + "\u2028" + `<>\"\\\n` + "\x7f\uFFFD" + `"`},
		{`to_json([1.5, 1e21, 1e-7, 100.0, -0.5])`, nil, `[1.5,1e+21,1e-07,100,-0.5]`},
	} {
		got, err := evaluate(t, tt.src, tt.v)
		if err != nil {
			got = "error: " + asError(t, err).Msg
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s with %q (-want +got):\n%s", tt.src, tt.v, diff)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, e := range benchExpressions {
		f.Add(e.src)
	}
	for _, s := range []string{
		`alert.resources.filter(r, r.size > 1).map(r, r.uid)`, `x.?a.?b.orValue([1, {"a": 2}])`, `cel.bind(a, x, a + a)`, `((((((x))))))`,
		`re_match(x.s, "(a|b)*")`, `"\u00e9\n" + r'\d' + b"x"`, `x.and.or`, `!!!!x`, `-----1`, `[1,2,3][0]`, `{"a": 1, ?"b": x.?c}`, `x = 1`, `"`, `x ? 1 : 2`,
		`ago("1h") < now`, `get(x, "a[0]", null)`, `[x].exists(y, y == x)`, `x.transformMapEntry(k, v, {k: v})`, `1e999`, `0x7fffffffffffffff`, `1u - 2u`,
		`timestamp(0) + duration("9999999h")`, `x{a: 1}`, `.x`, `a.b.c()`, `has(x.a.b)`, "`a`", `x.` + "`key with space`", `"%s %d".format([x, 1])`,
	} {
		f.Add(s)
	}
	env, vars := fixture(f)
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		p, err := env.Compile(src)
		if err != nil {
			checkError(t, src, err)
		} else if _, err := p.Eval(vars); err != nil {
			checkError(t, src, err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("%q took %v", src, d)
		}
	})
}
