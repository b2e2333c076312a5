package ledger_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/ledger"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestEncodeIsTheDocumentedLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		rec  ledger.Record
		want string
	}{
		{
			"the example of the format",
			ledger.Record{Seq: 1042, Time: at("2026-11-22T08:15:30.123456Z"), Kind: "ask.answered", Subject: "run/1041", Actor: "person/ada", Data: json.RawMessage(`{"answer":"contain"}`)},
			`{"seq":1042,"time":"2026-11-22T08:15:30.123456Z","kind":"ask.answered","subject":"run/1041","actor":"person/ada","data":{"answer":"contain"}}`,
		},
		{
			"another zone, nanoseconds, no data",
			ledger.Record{Time: at("2026-11-22T10:15:30.1234569+02:00"), Kind: "k"},
			`{"seq":0,"time":"2026-11-22T08:15:30.123456Z","kind":"k","subject":"","actor":"","data":{}}`,
		},
		{
			"strings are escaped as little as JSON allows",
			ledger.Record{Time: at("2026-01-02T03:04:05Z"), Kind: "a\"b\\c\n\x01\x7f<é>\u2028", Subject: "\xff", Actor: "\b\f\r\t"},
			`{"seq":0,"time":"2026-01-02T03:04:05.000000Z","kind":"a\"b\\c\n\u0001` + "\x7f<é>\u2028" + `","subject":"` + "\uFFFD" + `","actor":"\b\f\r\t","data":{}}`,
		},
		{
			"data is made compact, and nothing else of it is changed",
			ledger.Record{Time: at("0000-01-01T00:00:00Z"), Kind: "k", Data: json.RawMessage("{ \"b\" : [1.0, 1e5],\n \"a\": \"\\u0041<\" }")},
			`{"seq":0,"time":"0000-01-01T00:00:00.000000Z","kind":"k","subject":"","actor":"","data":{"b":[1.0,1e5],"a":"\u0041<"}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ledger.Encode(tt.rec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Fatal(diff)
			}
			back, err := ledger.ParseRecord(got)
			if err != nil {
				t.Fatal(err)
			}
			if again := back.AppendLine(nil); !bytes.Equal(again, got) {
				t.Errorf("read and written again: %s", again)
			}
			var twin ledger.Record
			if err := json.Unmarshal(got, &twin); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(twin, back); diff != "" {
				t.Errorf("encoding/json reads something else (-json +ours):\n%s", diff)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		rec  ledger.Record
	}{
		{"no kind", ledger.Record{}},
		{"data that is no object", ledger.Record{Kind: "k", Data: json.RawMessage(`[1]`)}},
		{"data that is no JSON", ledger.Record{Kind: "k", Data: json.RawMessage(`{"a":}`)}},
		{"data that is not UTF-8", ledger.Record{Kind: "k", Data: json.RawMessage("{\"a\":\"\xff\"}")}},
		{"data too deep", ledger.Record{Kind: "k", Data: json.RawMessage(`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`)}},
		{"a year of five digits", ledger.Record{Kind: "k", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"a number over 2^63-1", ledger.Record{Kind: "k", Seq: 1 << 63}},
	} {
		if line, err := ledger.Encode(tt.rec); err == nil {
			t.Errorf("%s: accepted as %s", tt.name, line)
		}
	}
}

func TestParseRecordIsStrict(t *testing.T) {
	const good = `{"seq":7,"time":"2024-02-29T08:15:30.123456Z","kind":"k","subject":"s","actor":"a","data":{"x":[1,-2.5e+3,true,false,null,{}]}}`
	if _, err := ledger.ParseRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ from, to string }{
		{`"seq":7`, `"seq":07`},
		{`"seq":7`, `"seq":-7`},
		{`"seq":7`, `"seq":"7"`},
		{`"seq":7`, `"seq":`},
		{`"seq":7`, `"seq":9223372036854775808`},
		{`{"seq"`, ` {"seq"`},
		{`2024-02-29`, `2023-02-29`},
		{`2024-02-29`, `2024-13-01`},
		{`2024-02-29`, `2024-00-01`},
		{`2024-02-29`, `2024-01-00`},
		{`08:15:30`, `24:00:00`},
		{`08:15:30`, `08:15:60`},
		{`08:15:30`, `08:60:00`},
		{`.123456Z`, `.123Z`},
		{`.123456Z`, `.123456+00:00`},
		{`"kind":"k"`, `"kind":""`},
		{`"kind":"k"`, `"kind":"\u006b"`},
		{`"kind":"k"`, `"kind":"\/"`},
		{`"kind":"k"`, `"kind":"\uD800"`},
		{`"kind":"k"`, `"kind":null`},
		{`"kind":"k"`, "\"kind\":\"k\n\""},
		{`"kind":"k"`, "\"kind\":\"\xff\""},
		{`"kind":"k","subject":"s"`, `"subject":"s","kind":"k"`},
		{`"data":{`, `"data": {`},
		{`true`, `true `},
		{`true`, `True`},
		{`-2.5e+3`, `-`},
		{`-2.5e+3`, `01`},
		{`-2.5e+3`, `1.`},
		{`-2.5e+3`, `1e`},
		{`"x":`, `x:`},
		{`"x":`, `"x"=`},
		{`null,{}`, `null,{},`},
		{`null,{}`, `null,{"a":1,}`},
		{`null,{}`, `null,"\x"`},
		{`null,{}`, `null,"\u12g4"`},
		{`{}]}}`, `{}]}} `},
		{`{}]}}`, `{}]}`},
		{`{}]}}`, `{}]},"more":1}`},
		{`{"x":[1,-2.5e+3,true,false,null,{}]}}`, `[]}`},
		{`{"x":[1,-2.5e+3,true,false,null,{}]}}`, ``},
		{`{"x":[1,-2.5e+3,true,false,null,{}]}}`, `}`},
		{`"s"`, `"` + strings.Repeat("s", 70_000) + `"`},
		{good, ``},
	} {
		bad := strings.Replace(good, tt.from, tt.to, 1)
		if bad == good {
			t.Fatalf("%q is not in the line", tt.from)
		}
		if _, err := ledger.ParseRecord([]byte(bad)); err == nil {
			t.Errorf("accepted: %.200s", bad)
		}
	}
}

// FuzzParseRecord: what is accepted is valid JSON, means the same to
// encoding/json, and is written again byte for byte.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"seq":7,"time":"2024-02-29T08:15:30.123456Z","kind":"k","subject":"s","actor":"a","data":{"x":[1,-2.5e+3,true,false,null,{}]}}`))
	f.Add([]byte(`{"seq":0,"time":"0000-01-01T00:00:00.000000Z","kind":"\"\\\n\u0001é","subject":"","actor":"","data":{"a":"\ud800\u0041/\/"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		rec, err := ledger.ParseRecord(line)
		if err != nil {
			return
		}
		again, err := ledger.Encode(rec)
		if err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%s written again: %s, %v", line, again, err)
		}
		var twin ledger.Record
		if err := json.Unmarshal(line, &twin); err != nil {
			t.Fatalf("encoding/json refuses %s: %v", line, err)
		}
		if diff := cmp.Diff(twin, rec); diff != "" {
			t.Fatal(diff)
		}
		if bytes.IndexByte(line, '\n') >= 0 {
			t.Fatalf("a newline in %q", line)
		}
	})
}

func sample(n int) ledger.Record {
	pad := strings.Repeat("0123456789abcdef", n/16+1)[:n]
	data, err := json.Marshal(map[string]string{"title": "Suspicious sign-in", "text": pad})
	if err != nil {
		panic(err)
	}
	return ledger.Record{Seq: 123456, Time: at("2026-11-22T08:15:30.123456Z"), Kind: "alert.received", Subject: "alert/123456", Actor: "source/github", Data: data}
}

func BenchmarkEncode(b *testing.B) {
	r := sample(350)
	line, _ := ledger.Encode(r)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ledger.Encode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendLine(b *testing.B) {
	r := sample(350)
	line, _ := ledger.Encode(r)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	buf := make([]byte, 0, 1024)
	for b.Loop() {
		buf = r.AppendLine(buf[:0])
	}
}

func BenchmarkParseRecord(b *testing.B) {
	line, _ := ledger.Encode(sample(350))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ledger.ParseRecord(line); err != nil {
			b.Fatal(err)
		}
	}
}
