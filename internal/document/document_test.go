package document_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/document"
)

type spec struct {
	Steps []step        `yaml:"steps" required:"true"`
	Wait  time.Duration `yaml:"wait"`
	Mode  string        `yaml:"mode" enum:"fast,slow"`
	On    bool          `yaml:"on"`
}

type step struct {
	ID   string         `yaml:"id"`
	With map[string]any `yaml:"with"`
	Then []step         `yaml:"then"`
}

func TestDecode(t *testing.T) {
	docs, err := document.Parse("a.yaml", []byte(`kind: playbook
name: a
title: 1.10
wait: 1d
on: true
steps:
  - id: no
    with: { a: 1, b: yes, c: [1.5, null, true] }
    then:
      - id: |
          two
          lines
`))
	if err != nil {
		t.Fatal(err)
	}
	var got spec
	if err := docs[0].Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := spec{
		Wait: 24 * time.Hour, On: true,
		Steps: []step{{
			ID: "no", With: map[string]any{"a": int64(1), "b": "yes", "c": []any{1.5, nil, true}},
			Then: []step{{ID: "two\nlines\n"}},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if docs[0].Title != "1.10" {
		t.Errorf("title %q", docs[0].Title)
	}
	t.Log(docs[0].Issue("steps[0].with.c", "x"))
}

func TestIssues(t *testing.T) {
	docs, err := document.Parse("a.yaml", []byte(`kind: playbook
name: a
wait: soon
mode: fsat
on: yes
steps:
  - wiht: {}
    then: foo
    with: [1]
`))
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + docs[0].Decode(new(spec)).Error())
}
