package alert_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

var received = time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC)

const header = `kind: source
name: tool
title: Tool
product: { vendor_name: Acme, name: Tool }
verify: { scheme: header, header: X-Key, secret: TOOL_HOOK }
`

func load(t testing.TB, dir fs.FS, file string) *alert.Source {
	t.Helper()
	src, err := fs.ReadFile(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := compile(t, string(src), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compile(t testing.TB, src string, dir fs.FS) (*alert.Source, error) {
	t.Helper()
	docs, err := document.Parse("tool.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return alert.CompileSource(docs[0], dir)
}

// source compiles a document of which only the interesting part is given.
func source(t testing.TB, body string) *alert.Source {
	t.Helper()
	s, err := compile(t, header+body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mapOne(t testing.TB, s *alert.Source, body string) (alert.Finding, alert.Stats) {
	t.Helper()
	v, err := expr.FromJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	findings, stats, err := s.Map(v, received)
	if err != nil || len(findings) != 1 {
		t.Fatalf("%d findings, %v, %v", len(findings), stats, err)
	}
	return findings[0], stats
}

// at reads a path of the finding as playbooks see it.
func at(f alert.Finding, path string) any {
	var v any = alert.View(f.OCSF)
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := int(key[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func TestMapping(t *testing.T) {
	for _, tt := range []struct{ name, mapping, event, path, want string }{
		{"a path", "device: { hostname: event.host }", `{"host":"web-1"}`, "device.hostname", "web-1"},
		{"a path that leads nowhere", "device: { hostname: event.host.name }", `{}`, "device", "<nil>"},
		{"a path through a list", "device: { hostname: 'event.hosts[1].name' }", `{"hosts":[{},{"name":"b"}]}`, "device.hostname", "b"},
		{"a key that is no name", `device: { hostname: 'event["host name"]' }`, `{"host name":"c"}`, "device.hostname", "c"},
		{"null is not there", "device: { hostname: [event.a, event.b] }", `{"a":null,"b":"d"}`, "device.hostname", "d"},
		{"the first that fits", "src_endpoint: { ip: [event.a, event.b] }", `{"a":"AWS Internal","b":"192.0.2.1"}`, "src_endpoint.ip", "192.0.2.1"},
		{"an expression", "device: { hostname: 'event.a + \"-\" + event.b' }", `{"a":"x","b":"y"}`, "device.hostname", "x-y"},
		{"text with an expression", "desc: 'on ${{ event.host }} at last'", `{"host":"web-1"}`, "finding_info.desc", "on web-1 at last"},
		{"a literal", "cloud: { provider: '\"AWS\"' }", `{}`, "cloud.provider", "AWS"},
		{"a number where text belongs", "device: { uid: event.id }", `{"id":42}`, "device.uid", "42"},
		{"digits where a number belongs", "dst_endpoint: { port: event.p, ip: event.ip }", `{"p":"443","ip":"192.0.2.1"}`, "dst_endpoint.port", "443"},
		{"an address with a port", "src_endpoint: event.a", `{"a":"[2001:db8::1]:65123"}`, "src_endpoint.ip", "2001:db8::1"},
		{"a host in short", "device: event.a", `{"a":"web-1"}`, "device.hostname", "web-1"},
		{"a user in short", "actor: { user: event.a }", `{"a":"ada@example.org"}`, "actor.user.email_addr", "ada@example.org"},
		{"a hash in short", "evidence: { file: { name: event.n, hashes: [event.h] } }", `{"n":"a.exe","h":"D41D8CD98F00B204E9800998ECF8427E"}`, "file.hashes.0.algorithm", "MD5"},
		{"no hash is no hash", "evidence: { file: { name: event.n, hashes: [event.h] } }", `{"n":"a.exe","h":"0000000000000000000000000000000000000000"}`, "file.hashes", "<nil>"},
		{"a file in short", "evidence: { file: event.f }", `{"f":"C:\\Temp\\a.exe"}`, "file.name", "a.exe"},
		{"a caption of an enumeration", "disposition: event.d", `{"d":"blocked"}`, "disposition_id", "2"},
		{"a caption that OCSF lacks", "disposition: event.d", `{"d":"vaporised"}`, "disposition_id", "99"},
		{"an attack in short", "attacks: [event.a]", `{"a":"TA0006:T1110.003"}`, "finding_info.attacks.0.sub_technique.uid", "T1110.003"},
		{"an attack by name", "attacks: [event.a]", `{"a":"Credential Access"}`, "finding_info.attacks.0.tactic.uid", "TA0006"},
		{"a time in milliseconds", "time: event.t", `{"t":1616609989000}`, "time", "1616609989000"},
		{"a time without a zone", "time: event.t", `{"t":"2024-07-22 21:32:49.531000000"}`, "time", "1721683969531"},
		{"a time that is not set", "time: event.t", `{"t":"1970-01-01T00:00:00Z"}`, "time", "1795335330000"},
		{"what products write for nothing", "actor: { user: event.u }", `{"u":"N/A"}`, "actor", "<nil>"},
		{"an object that says nothing", "device: { type_id: Server }", `{}`, "device", "<nil>"},
		{"an address that is a name", "device: event.a", `{"a":"the left one"}`, "device.name", "the left one"},
		{"a country in short", "src_endpoint: { ip: event.a, location: event.c }", `{"a":"192.0.2.1","c":"FR"}`, "src_endpoint.location.country", "FR"},
		{"a CVE in short", "vulnerabilities: [event.c]", `{"c":"CVE-2024-3094"}`, "vulnerabilities.0.cve.uid", "CVE-2024-3094"},
		{"a CVE inside", "vulnerabilities: [{ cve: event.c }]", `{"c":"CVE-2024-3094"}`, "vulnerabilities.0.cve.uid", "CVE-2024-3094"},
		{"a technique by name", "attacks: [{ technique: event.t }]", `{"t":"Brute Force"}`, "finding_info.attacks.0.technique.name", "Brute Force"},
		{"a hash with its name", "evidence: { file: { name: event.n, hashes: [event.h] } }", `{"n":"a","h":"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"}`, "file.hashes.0.algorithm", "SHA-1"},
		{"true as text", "device: { hostname: event.h, is_managed: event.m }", `{"h":"web-1","m":"True"}`, "device.is_managed", "true"},
		{"true as a number", "device: { hostname: event.h, is_managed: event.m }", `{"h":"web-1","m":0}`, "device.is_managed", "false"},
		{"true as it is", "device: { hostname: event.h, is_managed: true }", `{"h":"web-1"}`, "device.is_managed", "true"},
		{"a number in text", "src_endpoint: { ip: event.a, location: { country: event.c, lat: event.lat, long: event.long } }", `{"a":"192.0.2.1","c":"FR","lat":"48.85","long":2}`, "src_endpoint.location.lat", "48.85"},
		{"a whole number", "src_endpoint: { ip: event.a, location: { country: event.c, lat: event.lat, long: event.long } }", `{"a":"192.0.2.1","c":"FR","lat":48.85,"long":2}`, "src_endpoint.location.long", "2"},
		{"a number that is nearly whole", "risk_score: event.r", `{"r":79.6}`, "risk_score", "80"},
		{"a truth value as text", "status_detail: event.s", `{"s":true}`, "status_detail", "true"},
		{"a time as text", "status_detail: now", `{}`, "status_detail", "2026-11-22T08:15:30Z"},
		{"an object where a list belongs", "resources: { uid: event.r }", `{"r":"a"}`, "resources.0.uid", "a"},
		{"one of two that exclude each other", "vulnerabilities: [{ cve: event.c, cwe: { uid: '\"CWE-79\"' } }]", `{"c":"CVE-2024-3094"}`, "vulnerabilities.0.cwe", "<nil>"},
		{"an observable that we do not look for", "observables: [{ name: event.n, type_id: 6, value: event.v }]", `{"n":"x","v":"https://example.org"}`, "observables.0.type", "URL String"},
		{"text that names a let", "desc: 'on ${{ where }}'\nlet: { where: [event.a, event.b] }", `{"b":"web-1"}`, "finding_info.desc", "on web-1"},
		{"a let that is text", "desc: said\nlet: { said: 'by ${{ who }}', who: event.w }", `{"w":"ada"}`, "finding_info.desc", "by ada"},
		{"a let that is an object", "resources: '[thing]'\nlet: { thing: { uid: inner }, inner: event.w }", `{"w":"ada"}`, "resources.0.uid", "ada"},
		{"an object from CEL", `resources: 'event.r.map(x, {"uid": x.id, "type": x.t})'`, `{"r":[{"id":"a","t":"VM"},{"id":"b","t":"VM"}]}`, "resources.1.uid", "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := source(t, "map:\n  title: '\"T\"'\n  severity: high\n  "+tt.mapping+"\n")
			f, stats := mapOne(t, s, tt.event)
			if got := fmt.Sprint(at(f, tt.path)); got != tt.want {
				t.Errorf("%s is %s, want %s", tt.path, got, tt.want)
			}
			if len(stats.Problems) > 0 {
				t.Error(stats.Problems)
			}
			if wrong := alert.CheckOCSF(f.OCSF); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}

// TestWhatDoesNotFitIsLeftOutAndNamed wants the alert, without the field.
func TestWhatDoesNotFitIsLeftOutAndNamed(t *testing.T) {
	for _, tt := range []struct{ mapping, event, want string }{
		{"device: { hostname: event.a, is_managed: event.b }", `{"a":"web-1","b":"perhaps"}`, "map.device.is_managed: is neither true nor false"},
		{"device: { hostname: event.a, is_managed: event.b }", `{"a":"web-1","b":1.5}`, "map.device.is_managed: is neither true nor false"},
		{"src_endpoint: { ip: event.a, location: { lat: event.b } }", `{"a":"192.0.2.1","b":"north"}`, "map.src_endpoint.location.lat: is no number"},
		{"src_endpoint: { ip: event.a, port: event.b }", `{"a":"192.0.2.1","b":70000}`, "map.src_endpoint.port: 70000 is no port"},
		{"risk_score: event.a", `{"a":"high"}`, "map.risk_score: is no whole number"},
		{"risk_score: event.a", `{"a":1e300}`, "map.risk_score: is no whole number"},
		{"confidence: event.a", `{"a":7}`, "map.confidence: has no value 7"},
		{"desc: event.a", `{"a":{"b":1}}`, "map.desc: is no text"},
		{"desc: event.a", `{"a":["b"]}`, "map.desc: is one string_t, not a list"},
		{"device: event.a", `{"a":["web-1"]}`, "map.device: is one device, not a list"},
		{"actor: event.a", `{"a":{"user":{"name":"ada","shoes":"red"}}}`, `map.actor.user: OCSF knows no "shoes" in user`},
		{"evidence: { file: { name: event.n, hashes: [event.h] } }", `{"n":"a","h":"md5:xyz"}`, "map.evidence.file.hashes[0]: is no fingerprint"},
		{"desc: 'on ${{ event.a.b }}'", `{}`, "map.desc: "},
		{"time: event.a", `{"a":"soon"}`, "map.time: is no time"},
		{"severity: event.a", `{}`, "map.severity: there is none"},
	} {
		if !strings.Contains(tt.mapping, "severity") {
			tt.mapping = "severity: high\n  " + tt.mapping
		}
		f, stats := mapOne(t, source(t, "map:\n  title: '\"T\"'\n  "+tt.mapping+"\n"), tt.event)
		if len(stats.Problems) != 1 || !strings.HasPrefix(stats.Problems[0], tt.want) {
			t.Errorf("%s of %s: problems %q, want %q", tt.mapping, tt.event, stats.Problems, tt.want)
		}
		if wrong := alert.CheckOCSF(f.OCSF); len(wrong) > 0 {
			t.Error(wrong)
		}
	}
}

func TestARuleWhoseTitleFailsStillHasOne(t *testing.T) {
	f, stats := mapOne(t, source(t, `rules:
  - { id: r, title: "Key of ${{ event.who.name }} deleted", when: 'event.action == "x"', severity: high }
map: {}
`), `{"action":"x"}`)
	if f.Title != "Key of … deleted" || len(stats.Problems) != 1 {
		t.Errorf("%q %v", f.Title, stats.Problems)
	}
}

func TestOneEventBringsOnlySoMuch(t *testing.T) {
	var ips []string
	for i := range 200 {
		ips = append(ips, fmt.Sprintf(`"203.0.113.%d"`, i))
	}
	f, _ := mapOne(t, source(t, `map: { title: '"T"', severity: high, resources: 'event.ips.map(a, {"uid": a, "ip": a})' }`+"\n"),
		`{"ips":[`+strings.Join(ips, ",")+`]}`)
	list, _ := f.OCSF["observables"].([]any)
	if len(list) != 64 || len(f.Entities) != 32 {
		t.Errorf("%d observables, %d entities", len(list), len(f.Entities))
	}
}

func TestSeverity(t *testing.T) {
	for _, tt := range []struct{ severity, event, want string }{
		{"critical", `{}`, "critical"},
		{"event.s", `{"s":"High"}`, "high"},
		{"event.s", `{"s":2}`, "low"},
		{"event.s", `{"s":"purple"}`, "unknown"},
		{"event.s", `{"s":9}`, "unknown"},
		{"'event.s > 5 ? \"info\" : \"fatal\"'", `{"s":9}`, "informational"},
		{"{ from: event.s, map: { WARN: medium, '3': high }, else: low }", `{"s":"warn"}`, "medium"},
		{"{ from: event.s, map: { WARN: medium, '3': high }, else: low }", `{"s":3}`, "high"},
		{"{ from: event.s, map: { WARN: medium, '3': high }, else: low }", `{}`, "low"},
		{"{ from: event.s, at_least: { high: 70, medium: 40 }, else: low }", `{"s":69.9}`, "medium"},
		{"{ from: event.s, at_least: { high: 70, medium: 40 }, else: low }", `{"s":"70"}`, "high"},
		{"{ from: event.s, at_least: { high: 70, medium: 40 }, else: low }", `{"s":null}`, "low"},
	} {
		f, _ := mapOne(t, source(t, "map: { title: '\"T\"', severity: "+tt.severity+" }\n"), tt.event)
		if got := alert.SeverityName(f.SeverityID); got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.severity, tt.event, got, tt.want)
		}
	}
}

const withRules = `let:
  action: [event.action, '""']
accept:
  - event.?noise.orValue(false) == false
rules:
  - { id: low-one, title: Low, when: action == "x", severity: low, attack: ["T1110"] }
  - { id: high-one, title: "High of ${{ event.who }}", desc: Why, when: 'action == "x" && event.n > 1', severity: high, confidence: high, attack: ["TA0006:T1110"] }
  - { id: broken, title: Broken, when: event.missing.field == 1, severity: critical }
map: { actor: { user: event.who } }
`

func TestTheMostSevereRuleNamesTheAlertAndTheOthersAreListed(t *testing.T) {
	f, stats := mapOne(t, source(t, withRules), `{"action":"x","n":2,"who":"ada"}`)
	if f.Rule != "high-one" || f.Title != "High of ada" || f.SeverityID != 4 {
		t.Errorf("%s %q %d", f.Rule, f.Title, f.SeverityID)
	}
	for path, want := range map[string]string{
		"finding_info.related_analytics.0.uid":     "low-one",
		"finding_info.attacks.0.tactic.name":       "Credential Access",
		"finding_info.desc":                        "Why",
		"confidence":                               "High",
		"metadata.event_code":                      "high-one",
		"metadata.product.vendor_name":             "Acme",
		"finding_info.related_analytics.0.type":    "Rule",
		"finding_info.attacks.0.technique.uid":     "T1110",
		"finding_info.related_analytics.0.name":    "Low",
		"finding_info.related_analytics.1.uid":     "<nil>",
		"finding_info.analytic.name":               "<nil>",
		"finding_info.attacks.0.sub_technique.uid": "<nil>",
		"metadata.profiles.0":                      "host",
		"metadata.log_name":                        "tool",
		"status":                                   "New",
		"class_name":                               "Detection Finding",
		"severity":                                 "High",
		"type_uid":                                 "200401",
		"observables.0.type":                       "User Name",
		"observables.0.name":                       "actor.user.name",
		"observables.0.value":                      "ada",
		"finding_info.analytic.uid":                "high-one",
	} {
		if got := fmt.Sprint(at(f, path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if len(stats.Problems) != 1 || !strings.HasPrefix(stats.Problems[0], "rules[2].when: ") {
		t.Errorf("a rule that fails does not fire, and is named: %v", stats.Problems)
	}
}

func TestEventsThatAreNoAlertAreCounted(t *testing.T) {
	s := source(t, withRules)
	body, err := expr.FromJSON([]byte(`[{"action":"y"},{"action":"x","noise":true},{"action":"x","who":"ada"},7]`))
	if err != nil {
		t.Fatal(err)
	}
	findings, stats, err := s.Map(body, received)
	if err != nil || len(findings) != 1 || stats.Events != 4 || stats.Ignored != 3 || stats.Alerts != 1 {
		t.Errorf("%d %+v %v", len(findings), stats, err)
	}
}

func TestAFilterThatFailsLetsTheEventThrough(t *testing.T) {
	s := source(t, "accept: [event.level > 3]\nmap: { title: event.t, severity: high, time: event.when }\n")
	f, stats := mapOne(t, s, `{"t":"T","when":"yesterday"}`)
	if len(f.Problems) != 2 || !cmp.Equal(f.Problems, stats.Problems) {
		t.Errorf("problems: %q", f.Problems)
	}
	if !f.Time.Equal(received) {
		t.Errorf("a time that cannot be read is that of arrival, got %v", f.Time)
	}
	if wrong := alert.CheckOCSF(f.OCSF); len(wrong) > 0 {
		t.Error(wrong)
	}
}

func TestFingerprint(t *testing.T) {
	fingerprint := func(doc, event string) string {
		f, _ := mapOne(t, source(t, doc+"map: { title: '\"T\"', severity: high, uid: event.id }\n"), event)
		return f.Fingerprint
	}
	parts := "fingerprint: [event.a, event.b]\n"
	same := fingerprint(parts, `{"a":"x","b":1}`)
	for _, tt := range []struct {
		name, got string
		want      bool // equal to same
	}{
		{"what is not a part does not count", fingerprint(parts, `{"a":"x","b":1,"c":2}`), true},
		{"another value is another alert", fingerprint(parts, `{"a":"x","b":2}`), false},
		{"parts are not glued together", fingerprint(parts, `{"a":"x1","b":""}`), false},
	} {
		if (tt.got == same) != tt.want {
			t.Errorf("%s: %s and %s", tt.name, tt.got, same)
		}
	}
	if fingerprint("fingerprint: [event.a]\n", `{"a":{"x":1,"y":[2]}}`) != fingerprint("fingerprint: [event.a]\n", `{"a":{"y":[2],"x":1}}`) {
		t.Error("the order of keys counts")
	}
	for _, event := range []string{`{"a":"x"}`, `{"a":"x","b":null}`, `{"a":"x","b":""}`, `{}`} {
		if got := fingerprint(parts, event); got != "" {
			t.Errorf("with a part missing there is no fingerprint: %s gives %s", event, got)
		}
	}
	if fingerprint("", `{"id":"1","x":1}`) != fingerprint("", `{"id":"1","x":2}`) {
		t.Error("unless said, the uid makes two alerts the same")
	}
	if a, b := fingerprint("", `{"x":1}`), fingerprint("", `{"x":2}`); a == b || a == "" {
		t.Error("without a uid, the whole event makes two alerts the same")
	}
}

func TestBatches(t *testing.T) {
	const tail = "map: { title: event.t, severity: high }\n"
	for _, tt := range []struct{ name, doc, body, want string }{
		{"one event", "", `{"t":"a"}`, "a"},
		{"a list", "", `[{"t":"a"},{"t":"b"}]`, "a b"},
		{"a path", "batch: body.items\n", `{"items":[{"t":"a"},{"t":"b"}]}`, "a b"},
		{"a path to one", "batch: body.detail\n", `{"detail":{"t":"a"}}`, "a"},
		{"a path that is not there", "batch: body.items\n", `{"t":"a"}`, "a"},
		{"the first path that is there", "batch: [body.x, body.y]\n", `{"y":[{"t":"a"}]}`, "a"},
		{"nothing", "", `null`, ""},
		{"an empty list", "batch: body.items\n", `{"items":[]}`, ""},
		{"a list of bodies", "batch: body.items\n", `[{"items":[{"t":"a"}]},{"items":[{"t":"b"}]},{"t":"c"}]`, "a b c"},
		{"an expression", "batch: 'body.items.filter(i, i.n > 1)'\n", `{"items":[{"t":"a","n":1},{"t":"b","n":2}]}`, "b"},
	} {
		body, err := expr.FromJSON([]byte(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		findings, _, err := source(t, tt.doc+tail).Map(body, received)
		var titles []string
		for _, f := range findings {
			titles = append(titles, f.Title)
		}
		if got := strings.Join(titles, " "); err != nil || got != tt.want {
			t.Errorf("%s: %q, want %q (%v)", tt.name, got, tt.want, err)
		}
	}
	_, _, err := source(t, "batch: body.items.filter(i, i.n > 1)\n"+tail).Map("text", received)
	if errs.KindOf(err) != errs.Invalid {
		t.Errorf("a body without events is %v", err)
	}
}

func TestTheEnvelopeOfSNSIsOpened(t *testing.T) {
	const doc = "kind: source\nname: tool\nproduct: { vendor_name: AWS, name: CloudWatch }\nverify: { scheme: sns, topics: ['arn:x'] }\nmap: { title: event.t, severity: high }\n"
	s, err := compile(t, doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := mapOne(t, s, `{"Type":"Notification","TopicArn":"arn:x","Message":"{\"t\":\"inside\"}"}`)
	if f.Title != "inside" {
		t.Errorf("title %q", f.Title)
	}
}

func TestTheBodyOfSNSThatIsNoJSONIsAnEvent(t *testing.T) {
	const doc = "kind: source\nname: tool\nproduct: { vendor_name: AWS, name: CloudWatch }\nverify: { scheme: sns, topics: ['arn:x'] }\nmap: { title: event.Message, severity: high }\n"
	s, err := compile(t, doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, _ := mapOne(t, s, `{"Type":"Notification","Message":"the disk is full"}`); f.Title != "the disk is full" {
		t.Errorf("title %q", f.Title)
	}
}

func TestCompileNamesWhatIsWrong(t *testing.T) {
	const ok = "map: { title: event.t, severity: high }\n"
	for _, tt := range []struct{ name, doc, want string }{
		{"an attribute that OCSF lacks", "map: { title: event.t, severity: high, device: { hostnam: event.h } }\n", `map.device.hostnam: OCSF knows no "hostnam" in device; did you mean "hostname"?`},
		{"a key that the map lacks", "map: { titel: event.t, severity: high }\n", `map.titel: unknown key "titel"; did you mean "title"?`},
		{"an expression", "map: { title: event.t +, severity: high }\n", "map.title: "},
		{"a variable", "map: { title: evnt.t, severity: high }\n", "map.title: "},
		{"a condition that is none", "accept: ['\"x\"']\n" + ok, "accept[0]: "},
		{"a severity", "map: { title: event.t, severity: { from: event.s, map: { a: hihg }, else: low } }\n", `map.severity.map.a: there is no severity "hihg"; did you mean "high"?`},
		{"a table without else", "map: { title: event.t, severity: { from: event.s, map: { a: high } } }\n", "severity needs from, else"},
		{"no severity", "map: { title: event.t }\n", "nothing says how severe an alert is"},
		{"no title", "map: { severity: high }\n", "nothing says what an alert is called"},
		{"a rule twice", "rules: [{ id: a, title: A, when: 'true', severity: low }, { id: a, title: A, when: 'true', severity: low }]\nmap: {}\n", `the rule "a" is there twice`},
		{"a rule's title", "rules: [{ id: a, title: 'A ${{ event. }}', when: 'true', severity: low }]\nmap: {}\n", "rules[0].title: "},
		{"a rule without a title", "rules: [{ id: a, when: 'true', severity: low }]\nmap: {}\n", "nothing says what a is called"},
		{"a rule without a severity", "rules: [{ id: a, title: A, when: 'true' }]\nmap: {}\n", "nothing says how severe a is"},
		{"a rule's severity", "rules: [{ id: a, title: A, when: 'true', severity: hihg }]\nmap: {}\n", `rules[0].severity: there is no severity "hihg"`},
		{"a rule's confidence", "rules: [{ id: a, title: A, when: 'true', severity: low, confidence: some }]\nmap: {}\n", `rules[0].confidence: there is no confidence "some"`},
		{"a tactic", "rules: [{ id: a, title: A, when: 'true', severity: low, attack: ['TA0099:T1110'] }]\nmap: {}\n", `"TA0099:T1110" is neither`},
		{"a tactic without its technique", "rules: [{ id: a, title: A, when: 'true', severity: low, attack: ['TA0006:'] }]\nmap: {}\n", `"TA0006:" is neither`},
		{"a map where text belongs", "map: { title: { a: event.t }, severity: high }\n", "map.title: title is one string_t, not a map"},
		{"a key of severity", "map: { title: event.t, severity: { form: event.s, map: { a: high }, else: low } }\n", `map.severity.form: unknown key "form"; did you mean "from"?`},
		{"a severity's table", "map: { title: event.t, severity: { from: event.s, map: [high], else: low } }\n", "map must say which of their values"},
		{"a severity's steps", "map: { title: event.t, severity: { from: event.s, at_least: high, else: low } }\n", "at_least must say from which number"},
		{"a severity's step", "map: { title: event.t, severity: { from: event.s, at_least: { high: much }, else: low } }\n", "map.severity.at_least.high: expected a number"},
		{"a name that is no name", "let: { 'a b': body.x }\n" + ok, `let: declare variable "a b"`},
		{"a test's severity", ok + "tests: [{ name: t, event: {}, expect: { alerts: 1, severity: hihg } }]\n", `tests[0].expect.severity: there is no severity "hihg"`},
		{"an attack", "rules: [{ id: a, title: A, when: 'true', severity: low, attack: [T12] }]\nmap: {}\n", `rules[0].attack[0]: "T12" is neither a tactic nor a technique`},
		{"a kind of entity", "correlate: { by: [hots] }\n" + ok, `correlate.by[0]: there is no kind of entity "hots"; did you mean "host"?`},
		{"a size of nothing", "max_size: 0\n" + ok, "max_size: the size must be between"},
		{"a size", "max_size: 5GiB\n" + ok, "max_size: the size must be between"},
		{"a name that needs itself", "let: { a: b.x, b: a.x }\n" + ok, `let.a: "a" needs itself`},
		{"a name that needs itself in a list", "let: { a: { x: [b, event.t] }, b: 'x ${{ a }}' }\n" + ok, `let.a: "a" needs itself`},
		{"a name that is taken", "let: { event: body.x }\n" + ok, "let.event: "},
		{"a test without an event", ok + "tests: [{ name: t, expect: { alerts: 1 } }]\n", "tests[0]: the test has no event"},
		{"an event file that is not there", ok + "tests: [{ name: t, event: x.json, expect: { alerts: 1 } }]\n", `event file "x.json" cannot be read`},
		{"an event file elsewhere", ok + "tests: [{ name: t, event: ../x.json, expect: { alerts: 1 } }]\n", `"../x.json" is no .json file beside the document`},
		{"a rule that is not there", ok + "tests: [{ name: t, event: {}, expect: { alerts: 1, rule: r } }]\n", `there is no rule "r"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compile(t, header+tt.doc, fstest.MapFS{})
			var issues errs.Issues
			if !errors.As(err, &issues) {
				t.Fatalf("got %v", err)
			}
			if !slices.ContainsFunc(issues, func(i errs.Issue) bool { return strings.Contains(i.String(), tt.want) && i.Line > 0 }) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	for _, tt := range []struct{ verify, want string }{
		{"{ scheme: github_hmac, secret: HOOK }", ""},
		{"{ scheme: hmac_sha256, secret: HOOK, header: X-Sig, prefix: 'v1=', encoding: base64 }", ""},
		{"{ scheme: sns, topics: ['arn:x'] }", ""},
		{"{ scheme: none, allow: [203.0.113.0/24, '2001:db8::/32', 192.0.2.1] }", ""},
		{"{ scheme: none }", "the scheme none needs allow; add allow"},
		{"{ scheme: basic, secret: HOOK }", "the scheme basic needs user; add user"},
		{"{ scheme: bearer, secret: HOOK, header: X }", "verify.header: the scheme bearer takes no header"},
		{"{ scheme: bearer, secret: 'correct horse battery staple' }", "verify.secret: this is no name of a secret"},
		{"{ scheme: github, secret: HOOK }", `verify.scheme: there is no scheme "github"`},
		{"{ scheme: hmac_sha256, secret: HOOK, header: X, encoding: hexx }", `there is no encoding "hexx"`},
		{"{ scheme: bearer, secret: HOOK, allow: [10.0.0.0/33] }", `verify.allow[0]: "10.0.0.0/33" is no range of addresses`},
	} {
		doc := "kind: source\nname: tool\nproduct: { vendor_name: A, name: T }\nverify: " + tt.verify + "\nmap: { title: event.t, severity: high }\n"
		_, err := compile(t, doc, nil)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.verify, err, tt.want)
		}
	}
}

func TestAllows(t *testing.T) {
	const doc = "kind: source\nname: tool\nproduct: { vendor_name: A, name: T }\nmap: { title: event.t, severity: high }\nverify: { scheme: none, allow: "
	for _, tt := range []struct {
		allow, from string
		want        bool
	}{
		{"[203.0.113.0/24]", "203.0.113.7", true},
		{"[203.0.113.0/24]", "::ffff:203.0.113.7", true},
		{"[203.0.113.0/24]", "203.0.114.7", false},
		{"[203.0.113.9/24]", "203.0.113.7", true},
		{"['2001:db8::/32', 192.0.2.1]", "2001:db8::7%eth0", true},
		{"['2001:db8::/32', 192.0.2.1]", "192.0.2.2", false},
	} {
		s, err := compile(t, doc+tt.allow+" }\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Verify.Allows(netip.MustParseAddr(tt.from)); got != tt.want {
			t.Errorf("%s from %s: %v", tt.allow, tt.from, got)
		}
	}
	if s := source(t, "map: { title: event.t, severity: high }\nmax_size: 65536\n"); !s.Verify.Allows(netip.MustParseAddr("192.0.2.1")) || s.MaxSize != 65536 {
		t.Errorf("without a list all may call; max_size %d", s.MaxSize)
	}
}

// TestTheKindCompilesADocumentOnce gives the same source for the same text, and
// an error each time for one that is wrong.
func TestTheKindCompilesADocumentOnce(t *testing.T) {
	kind := alert.SourceKind(nil)
	compile := func(body string) any {
		t.Helper()
		docs, err := document.Parse("tool.yaml", []byte(header+body))
		if err != nil {
			t.Fatal(err)
		}
		s, err := kind.Compile(docs[0], nil)
		if err != nil {
			return nil
		}
		return s
	}
	first := compile("map: { title: event.t, severity: high }\n")
	if again := compile("map: { title: event.t, severity: high }\n"); first == nil || again != first {
		t.Error("the same text was compiled again")
	}
	if other := compile("map: { title: event.t, severity: low }\n"); other == nil || other == first {
		t.Error("another text is another source")
	}
	for range 2 {
		if s := compile("map: { title: event.t, severity: hihg }\n"); s != nil {
			t.Errorf("got %v", s)
		}
	}
	if s := compile("map: { title: event.t, severity: low }\ntests: [{ name: t, event: a.json, expect: { alerts: 1 } }]\n"); s != nil {
		t.Error("an event file was found where there are none")
	}
}

func TestDocumentTestsSayWhatDiffers(t *testing.T) {
	events := fstest.MapFS{"a.json": {Data: []byte(`{"t":"T","host":"web-1"}`)}}
	src := header + `map: { title: event.t, severity: high, device: event.host }
tests:
  - { name: right, event: a.json, expect: { alerts: 1, title: T, severity: high, entities: ['host:web-1'], finding: { device: { hostname: web-1 } } } }
  - { name: wrong, event: a.json, expect: { alerts: 2, title: U, severity: low, entities: ['ip:192.0.2.1'], finding: { device: { hostname: web-2 }, resources: [{}] } } }
  - { name: none, events: [a.json], expect: { alerts: 0 } }
`
	s, err := compile(t, src, events)
	if err != nil {
		t.Fatal(err)
	}
	got := alert.SourceKind(events).Test(s, nil)
	want := []document.TestResult{
		{Name: "right", Passed: true, Line: 8},
		{Name: "wrong", Line: 9, Message: `a.json: 1 alerts, want 2
a.json: title is "T", want "U"
a.json: severity is "high", want "low"
a.json: entity ip:192.0.2.1 is missing, there are host:web-1
a.json: finding.device.hostname is web-1, want web-2
a.json: finding.resources: has 0 elements, want at least 1`},
		{Name: "none", Line: 10, Message: "a.json: 1 alerts, want 0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTypeFindsWrongPathsInPlaybooks(t *testing.T) {
	env, err := expr.NewEnv(expr.Var{Name: "alert", Type: alert.Type()})
	if err != nil {
		t.Fatal(err)
	}
	for src, ok := range map[string]bool{
		`alert.severity_id >= 4 && alert.metadata.product.vendor_name == "Elastic"`: true,
		`alert.src_endpoint.ip == "192.0.2.1"`:                                      true,
		`alert.observables.exists(o, o.type_id == 2)`:                               true,
		`alert.process.parent_process.cmd_line.contains("x")`:                       true,
		`alert.unmapped.anything.goes == 1`:                                         true,
		`alert.severty_id >= 4`:                                                     false,
		`alert.device.hostnam == "x"`:                                               false,
	} {
		if _, err := env.CompileBool(src); (err == nil) != ok {
			t.Errorf("%s: %v", src, err)
		}
	}
}
