package document_test

import (
	"bytes"
	"fmt"
	"testing"

	"beffroi.dev/internal/document"
)

// playbook returns a document of 200 lines as people write them.
func playbook() []byte {
	var b bytes.Buffer
	b.WriteString("# Triage of alerts.\n\nkind: recipe\nname: triage\ntitle: Triage\nsteps:\n")
	for i := range 24 {
		fmt.Fprintf(&b, `  # step %d
  - do: virustotal.get-ip-report # an operation of the catalogue
    with:
      ip: "${{ alert.src_endpoint.ip }}"
      fields: { Source IP: "${{ alert.src_endpoint.ip }}", count: %d }
    then:
      - do: if steps.triage.answer == "contain"
        with: { retry: 4, list: [a, b, c] }
`, i, i)
	}
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	src := playbook()
	b.SetBytes(int64(len(src)))
	b.ReportMetric(float64(bytes.Count(src, []byte("\n"))), "lines")
	for b.Loop() {
		if _, err := document.Parse("a.yaml", src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	docs, err := document.Parse("a.yaml", playbook())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var r recipe
		if err := docs[0].Decode(&r); err == nil {
			b.Fatal("24 steps are more than 9")
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	docs, err := document.Parse("a.yaml", playbook())
	if err != nil {
		b.Fatal(err)
	}
	current := make(document.Set, 500)
	for i := range 500 {
		d := docs[0]
		d.Name = fmt.Sprintf("triage-%d", i)
		current[d.ID] = d
	}
	for b.Loop() {
		kinds().Plan(current, docs, nil)
	}
}
