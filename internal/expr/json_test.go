package expr_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"beffroi.dev/internal/expr"
)

func TestFromJSON(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want any
	}{
		{`null`, nil},
		{` true `, true},
		{`"é\u00e9\ud83d\ude00\n\/\"\\"`, "éé😀\n/\"\\"},
		{`"\ud83d x \ude00"`, "\uFFFD x \uFFFD"},
		{"\"a\xffb\"", "a\uFFFDb"},
		{`0`, int64(0)},
		{`-0`, int64(0)},
		{`-12`, int64(-12)},
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`-9223372036854775808`, int64(math.MinInt64)},
		{`9223372036854775808`, 9223372036854775808.0},
		{`1.0`, 1.0},
		{`1e3`, 1000.0},
		{`-1.5E-2`, -0.015},
		{`{}`, map[string]any{}},
		{`[]`, []any{}},
		{`{"a": [1, {"b": null}], "a": 2}`, map[string]any{"a": int64(2)}}, // the last of duplicate keys
		{`[[1], {"x": []}, "s"]`, []any{[]any{int64(1)}, map[string]any{"x": []any{}}, "s"}},
		{strings.Repeat("[", 200) + strings.Repeat("]", 200), nest(200)},
	} {
		got, err := expr.FromJSON([]byte(tt.src))
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
		} else if !reflect.DeepEqual(tt.want, got) { // cmp is slow on deep values
			t.Errorf("%s = %#v, want %#v", tt.src, got, tt.want)
		}
	}
}

func nest(depth int) any {
	v := []any{}
	for range depth - 1 {
		v = []any{v}
	}
	return v
}

func TestFromJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{``, "decode JSON: byte 1: unexpected end where a value should begin"},
		{`{"a":1} x`, `decode JSON: byte 9: unexpected 'x' after the end of the value`},
		{`{"a" 1}`, `decode JSON: byte 6: unexpected '1' after a key`},
		{`{a: 1}`, `decode JSON: byte 2: unexpected 'a' where a key should begin`},
		{`{"a":1,}`, `decode JSON: byte 8: unexpected '}' where a key should begin`},
		{`{"a":1 "b":2}`, `decode JSON: byte 8: unexpected '"' in an object`},
		{`[1,]`, `decode JSON: byte 4: unexpected ']' where a value should begin`},
		{`[1 2]`, `decode JSON: byte 4: unexpected '2' in an array`},
		{`01`, `decode JSON: byte 3: unexpected end in a number`},
		{`-`, `decode JSON: byte 2: unexpected end in a number`},
		{`1.`, `decode JSON: byte 3: unexpected end in a number`},
		{`1e+`, `decode JSON: byte 4: unexpected end in a number`},
		{`1e999`, `decode JSON: byte 1: number out of range`},
		{`"abc`, `decode JSON: byte 5: unexpected end in a string`},
		{"\"a\nb\"", `decode JSON: byte 3: unexpected '\n' in a string`},
		{"\"é\nb\"", `decode JSON: byte 4: unexpected '\n' in a string`},
		{`"\x"`, `decode JSON: byte 3: unexpected 'x' in an escape`},
		{`"\u12g4"`, `decode JSON: byte 4: unexpected '1' in an escape`},
		{`"\`, `decode JSON: byte 3: unexpected end in a string`},
		{`nul`, `decode JSON: byte 4: unexpected end in null`},
		{`trUe`, `decode JSON: byte 3: unexpected 'U' in true`},
		{`NaN`, `decode JSON: byte 1: unexpected 'N' where a value should begin`},
		{strings.Repeat("[", 201) + strings.Repeat("]", 201), `decode JSON: byte 201: nested deeper than 200`},
	} {
		_, err := expr.FromJSON([]byte(tt.src))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.src, err, tt.want)
		}
	}
}

// twin decodes with encoding/json.
func twin(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errTrailing
	}
	return numbers(v)
}

var errTrailing = io.ErrUnexpectedEOF

func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if n, err := v.Int64(); err == nil {
				return n, nil
			}
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func depthOf(b []byte) int {
	depth, deepest := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-0,1e3,"x\u00e9\ud83d\ude00",null,true,false,{}]}`, `[]`, `"\ud800"`, `1`, `-0.0`, `{"a":1,"a":2}`, ` [ ] `, `"é"`, "\"\xff\"",
		`123456789012345678901234567890`, `1e400`, `[1,]`, `{"a"}`, `"\u0000"`, `0x1`, `.5`, `+1`, `1 2`, "\ufeff1",
	} {
		f.Add([]byte(s))
	}
	f.Add(rawAlert())
	env, err := expr.NewEnv(expr.Var{Name: "v", Type: expr.Dyn()})
	if err != nil {
		f.Fatal(err)
	}
	write, err := env.Compile(`to_json(v)`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := expr.FromJSON(b)
		want, wantErr := twin(b)
		if depthOf(b) > 200 {
			return // ours refuses, and brackets in strings count above
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json %v", b, err, wantErr)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%q = %#v, encoding/json has %#v", b, got, want)
		}
		roundTrip(t, write, got)
	})
}

// roundTrip writes v as to_json does, and reads it.
func roundTrip(t *testing.T, write *expr.Program, v any) {
	t.Helper()
	out, err := write.Eval(map[string]any{"v": v})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := out.(string)
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		t.Fatalf("to_json wrote %q", text)
	}
	back, err := expr.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(v)
	got, _ := json.Marshal(back)
	var w, g any
	_ = json.Unmarshal(want, &w)
	_ = json.Unmarshal(got, &g)
	if !reflect.DeepEqual(w, g) {
		t.Fatalf("%s became %s", want, got)
	}
}
