package expr_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

// FuzzAppendJSON holds the encoder against encoding/json as its twin: what
// either writes reads back as the same value.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-0.0,1e300,9007199254740993,null,true],"b":{"z":"\u2028é\"\\\n\t\u0000","a":""}}`,
		`"\ud800"`, `[]`, `{}`, `1.0`, `123456789012345678901234567890`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := expr.FromJSON(b)
		if err != nil {
			return
		}
		got := expr.AppendJSON(nil, v)
		if !json.Valid(got) || bytes.ContainsAny(got, "\n\r") {
			t.Fatalf("%q is not one line of JSON", got)
		}
		back, err := expr.FromJSON(got)
		if err != nil {
			t.Fatal(err)
		}
		twin, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		want, err := expr.FromJSON(twin)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, back); d != "" {
			t.Errorf("%s\n%s", got, d)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	v, err := expr.FromJSON([]byte(`{"id":"a-1","title":"Credential dumping","severity":"high","ip":"203.0.113.7","rule":{"name":"lsass","tags":["T1003","credentials"]},"n":12,"f":0.5}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = expr.AppendJSON(buf[:0], v)
	}
}
