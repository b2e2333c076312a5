package alert_test

import (
	"os"
	"testing"

	"beffroi.dev/internal/expr"
)

// BenchmarkMap maps one event from its decoded body to the finding.
func BenchmarkMap(b *testing.B) {
	for _, bb := range []struct{ name, file string }{
		{"crowdstrike", "crowdstrike/epp-detection-critical.json"},
		{"aws-guardduty", "aws-guardduty/rdp-brute-force.json"},
		{"github", "github/dependabot-alert-created.json"},
		{"okta", "okta/super-admin-granted.json"},
		{"sentinelone", "sentinelone/threat.json"},
		{"aws-cloudtrail", "aws-cloudtrail/describe-instances.json"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			dir := os.DirFS("../../catalog/sources")
			s := load(b, dir, bb.name+".yaml")
			raw, err := os.ReadFile("../../catalog/sources/" + bb.file)
			if err != nil {
				b.Fatal(err)
			}
			body, err := expr.FromJSON(raw)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Map(body, received); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
