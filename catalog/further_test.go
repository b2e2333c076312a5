package catalog_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/expr"
)

var update = flag.Bool("update", false, "write testdata anew")

// further are the folders of events by source. The events may not be copied
// into this repository, for most are under the GPL, the AGPL or the Elastic
// license; they stand in a folder beside it.
var further = [][2]string{
	{"aws-cloudtrail", "aws_cloudtrail"},
	{"aws-guardduty", "aws_guardduty"},
	{"aws-securityhub", "aws_securityhub"},
	{"cloudflare", "cloudflare"},
	{"crowdstrike", "crowdstrike"},
	{"duo", "duo"},
	{"elastic", "elastic_ecs"},
	{"falco", "falco"},
	{"gcp-audit", "gcp_audit"},
	{"gcp-monitoring", "gcp_monitoring"},
	{"github", "github"},
	{"github", "github_audit"},
	{"github-audit", "github_audit"},
	{"gitlab", "gitlab"},
	{"google-workspace", "google_workspace"},
	{"grafana", "grafana"},
	{"kapacitor", "kapacitor"},
	{"microsoft-365", "office365"},
	{"microsoft-defender", "microsoft_defender"},
	{"microsoft-entra", "microsoft_entra"},
	{"okta", "okta"},
	{"onelogin", "onelogin"},
	{"pagerduty", "pagerduty"},
	{"prometheus-alertmanager", "prometheus_alertmanager"},
	{"slack-audit", "slack"},
	{"sophos", "sophos"},
	{"splunk", "splunk"},
	{"suricata", "suricata"},
	{"sysdig", "sysdig"},
	{"teleport", "teleport"},
	{"vectra", "vectra"},
	{"wazuh", "wazuh"},
	{"zabbix", "zabbix"},
}

// TestFurtherEvents maps every event of a product, also those that are no
// alert: what comes of it is in testdata/further.txt, all of it is OCSF, and no
// expression fails.
func TestFurtherEvents(t *testing.T) {
	dir := os.Getenv("BEFFROI_EVENTS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data", "events")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the folder of further events is not here; set BEFFROI_EVENTS")
	}
	byName := map[string]*alert.Source{}
	for _, s := range sources(t) {
		byName[s.doc.Name] = compile(t, s.doc)
	}
	var got strings.Builder
	for _, f := range further {
		files, err := filepath.Glob(filepath.Join(dir, f[1], "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			fmt.Fprintf(&got, "%s %s/%s:%s\n", f[0], f[1], filepath.Base(file), outcome(t, byName[f[0]], file))
		}
	}
	golden := filepath.Join("testdata", "further.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// outcome says in a few words what comes of an event.
func outcome(t *testing.T, s *alert.Source, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body, err := expr.FromJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	findings, stats, err := s.Map(body, testTime)
	if err != nil {
		return " refused: " + err.Error()
	}
	var out strings.Builder
	for _, f := range findings {
		for _, wrong := range alert.CheckOCSF(f.OCSF) {
			t.Errorf("%s: %s", file, wrong)
		}
		out.WriteString(strings.TrimRight(fmt.Sprintf(" %s %s", alert.SeverityName(f.SeverityID), f.Rule), " "))
	}
	for _, p := range stats.Problems {
		out.WriteString(" (" + p + ")")
	}
	return out.String()
}
