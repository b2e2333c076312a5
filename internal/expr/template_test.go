package expr_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/expr"
)

func TestTemplates(t *testing.T) {
	env, vars := fixture(t)
	for _, tt := range []struct {
		src  string
		want any
	}{
		{``, ""},
		{`plain text`, "plain text"},
		{`${{ alert.severity_id }}`, int64(4)},
		{`${{alert.tags}}`, []any{"a", "b"}},
		{`${{ x.n }}`, nil},
		{` ${{ alert.severity_id }}`, " 4"},
		{"${{ alert.severity_id }}\n", "4\n"},
		{`${{ alert.title }}: ${{ alert.severity_id }}`, "Malware: 4"},
		{`${{ x.n }}|${{ x.a }}|${{ alert.new }}|${{ alert.tags }}|${{ {"b": "<&>", "a": null} }}`, `|2.5|true|["a","b"]|{"a":null,"b":"<&>"}`},
		{`${{ now }} ${{ duration("1h") }}`, "2026-03-01T12:00:00Z 1h0m0s"},
		// Braces, quotes and comments inside.
		{`${{ "}}" }}`, "}}"},
		{`${{ '}}' + "${{" }}`, "}}${{"},
		{`${{ "\"}}" }}`, `"}}`},
		{`${{ r"\" + "}}" }}`, `\}}`},
		{`${{ """}} "" }}""" }}`, `}} "" }}`},
		{`${{ {"a": {"b": 1}}.a.b }}`, int64(1)},
		{`${{ {"a": {"b": 1}} }}`, map[string]any{"a": map[string]any{"b": int64(1)}}},
		{`${{ {"a": {"b": 1}}}}`, map[string]any{"a": map[string]any{"b": int64(1)}}},
		{"${{ alert.title // it's a comment\n}}", "Malware"},
		{`${{ alert.title // it's a comment }}`, "Malware"},
		{"${{\n  alert.title\n}}", "Malware"},
		// Escapes, and what only looks like an expression.
		{`$${{ x }}`, "${{ x }}"},
		{`$$${{ alert.severity_id }}`, "$${{ alert.severity_id }}"},
		{`a $${{ b }} ${{ alert.severity_id }}`, "a ${{ b }} 4"},
		{`${{ alert.severity_id }}$${{`, "4${{"},
		{`cost: $5 {{ x }} ${x} }}`, "cost: $5 {{ x }} ${x} }}"},
		{`ünï ${{ "cödé" }}`, "ünï cödé"},
		// What came from outside is data, even when it looks like us.
		{`${{ x.hostile }}`, "${{ alert.title }}"},
		{`<${{ x.hostile }}>`, "<${{ alert.title }}>"},
		{`${{ [x.hostile] }}`, []any{"${{ alert.title }}"}},
		{`${{ "$" }}{{ alert.title }}`, "${{ alert.title }}"},
	} {
		tm, err := env.Template(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		got, err := tm.Eval(vars)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
		text, err := tm.Text(vars)
		if s, ok := tt.want.(string); err != nil || ok && s != text {
			t.Errorf("%s: text %q, %v", tt.src, text, err)
		}
	}
}

func TestTemplateErrorsCountColumnsInTheWholeText(t *testing.T) {
	env, vars := fixture(t)
	for _, tt := range []struct {
		src    string
		column int
		msg    string
	}{
		{`é ${{ alert.titel }}`, 13, "no field titel in alert"},
		{`${{ alert.title }} é ${{ x.b and true }}`, 30, `"and" is not an operator`},
		{"a\n${{ x.missing }}", 9, `x has no "missing"`},
		{`a ${{ alert.title`, 3, "${{ is never closed"},
		{`a ${{ "alert }}`, 7, "the quoted text never ends"},
		{`a ${{ }}`, 6, "the expression is empty"},
		{`a ${{ x.b + }} b`, 11, "the expression ends too early"},
		{`${{ ${{ alert.title }} }}`, 5, "${{ is not an operator here"},
	} {
		tm, err := env.Template(tt.src)
		if err == nil {
			_, err = tm.Text(vars)
		}
		if err == nil {
			t.Errorf("%s: no error", tt.src)
			continue
		}
		if e := asError(t, err); e.Column != tt.column || e.Msg != tt.msg {
			t.Errorf("%s: column %d %q, want column %d %q", tt.src, e.Column, e.Msg, tt.column, tt.msg)
		}
	}
}

func TestTemplateIsBounded(t *testing.T) {
	env, vars := fixture(t)
	vars["x"] = map[string]any{"s": strings.Repeat("a", 1<<20)}
	for name, src := range map[string]string{
		"text":        strings.Repeat("a", 1<<20+1),
		"expressions": strings.Repeat("${{1}} ", 1001),
		"result":      strings.Repeat("${{ x.s }}", 17),
	} {
		tm, err := env.Template(src)
		if err == nil {
			_, err = tm.Text(vars)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTree(t *testing.T) {
	env, vars := fixture(t)
	tree, err := env.Tree(map[string]any{
		"url":      "https://example.org/${{ alert.resources[0].uid }}",
		"severity": "${{ alert.severity_id }}",
		"list":     []any{"${{ alert.tags }}", int64(1), nil, true, 2.5, "$${{ literal }}"},
		"nested":   map[string]any{"hostile": "${{ x.hostile }}", "${{ key }}": "keys are not templates"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tree.Eval(vars)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"url":      "https://example.org/u1",
		"severity": int64(4),
		"list":     []any{[]any{"a", "b"}, int64(1), nil, true, 2.5, "${{ literal }}"},
		"nested":   map[string]any{"hostile": "${{ alert.title }}", "${{ key }}": "keys are not templates"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTreeErrorsNameThePath(t *testing.T) {
	env, vars := fixture(t)
	deep := any("x")
	for range 300 {
		deep = []any{deep}
	}
	for _, tt := range []struct {
		tree any
		path string
	}{
		{map[string]any{"with": map[string]any{"headers": map[string]any{"X": "${{ alert.titel }}"}}}, "with.headers.X"},
		{map[string]any{"ids": []any{"a", map[string]any{"x": "${{ x.missing }}"}}}, "ids[1].x"},
		{[]any{[]any{"${{ x.missing }}"}}, "[0][0]"},
		{"${{ x.missing }}", ""},
		{map[string]any{"n": 1}, "n"}, // a Go int is not a JSON value
		{deep, strings.Repeat("[0]", 201)},
	} {
		tree, err := env.Tree(tt.tree)
		if err == nil {
			_, err = tree.Eval(vars)
		}
		if err == nil {
			t.Errorf("%v: no error", tt.tree)
			continue
		}
		if e := asError(t, err); e.Path != tt.path {
			t.Errorf("path %q, want %q", e.Path, tt.path)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"", "a ${{ alert.title }} b", "$${{", "${{ \"}}\" }}", "${{ {\"a\": {\"b\": 1}} }}", "${{", "}}", "${{ r'\\' }}", "${{ '''a' }}",
		"${{ x // '\n}}", "$$${{ 1 }}", "é${{ alert.titel }}", "${{ x.hostile }}${{ x.n }}",
	} {
		f.Add(s)
	}
	env, vars := fixture(f)
	f.Fuzz(func(t *testing.T, src string) {
		tm, err := env.Template(src)
		if err != nil {
			checkError(t, src, err)
			return
		}
		if !strings.Contains(src, "${{") {
			if got, err := tm.Text(vars); err != nil || got != src {
				t.Fatalf("plain text %q became %q, %v", src, got, err)
			}
		}
		if _, err := tm.Eval(vars); err != nil {
			checkError(t, src, err)
		}
	})
}

// checkError holds for all errors: a column inside of the source, and words.
func checkError(t *testing.T, src string, err error) {
	t.Helper()
	e := asError(t, err)
	if e.Msg == "" || e.Column < 0 || e.Column > len([]rune(src))+1 || strings.ContainsAny(e.Msg, "\n\r") {
		t.Fatalf("%q: %#v", src, e)
	}
	var _ error = (*expr.Error)(nil)
}
