package alert_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/expr"
)

// FuzzMap sends anything to sources that are written in different ways:
// nothing panics, what comes is OCSF, and comes again in the same way.
func FuzzMap(f *testing.F) {
	dir := os.DirFS("../../catalog/sources")
	var sources []*alert.Source
	for _, name := range []string{"crowdstrike", "okta", "microsoft-defender", "google-workspace", "elastic", "github"} {
		sources = append(sources, load(f, dir, name+".yaml"))
		files, err := filepath.Glob("../../catalog/sources/" + name + "/*.json")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	// Every path of this one leads somewhere, to fit anything to every type.
	sources = append(sources, source(f, `map:
  title: event.a
  severity: event.a
  time: event.a
  uid: event.a
  attacks: [event.a]
  actor: { user: event.a, process: event.a }
  device: event.a
  cloud: { provider: event.a, account: event.a }
  api: { operation: event.a }
  src_endpoint: event.a
  dst_endpoint: { ip: event.a, port: event.a }
  evidence: { file: event.a, process: event.a, email: { from: event.a }, query: { hostname: event.a }, url: event.a }
  resources: event.a
  vulnerabilities: event.a
  malware: event.a
  remediation: event.a
  disposition: event.a
  firewall_rule: event.a
  observables: event.a
  unmapped: event.a
correlate: { by: [ip, host, user, hash, domain, url, resource] }
`))
	for _, seed := range []string{`{"a":"x"}`, `{"a":["T1110","192.0.2.1"]}`, `{"a":{"uid":1,"name":[],"cve":{"uid":"CVE-1"}}}`, `{"a":1e300}`, `{"a":-1}`, `[null,{}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := expr.FromJSON(b)
		if err != nil {
			return
		}
		for _, s := range sources {
			findings, _, err := s.Map(body, received)
			again, _, _ := s.Map(body, received)
			if diff := cmp.Diff(findings, again); diff != "" {
				t.Fatalf("%s is not the same twice:\n%s", s.Name, diff)
			}
			for _, finding := range findings {
				if wrong := alert.CheckOCSF(finding.OCSF); len(wrong) > 0 {
					t.Fatalf("%s: %v", s.Name, wrong)
				}
				if _, err := json.Marshal(finding.Record(alert.Decide(s.Policy, finding, alert.Found{}, received))); err != nil {
					t.Fatal(err)
				}
			}
			_ = err // a body without events is refused
		}
	})
}
