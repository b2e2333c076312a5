package document

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// FuzzFormat holds Format to its word: it keeps every value and every comment,
// and its output is its own canonical form.
func FuzzFormat(f *testing.F) {
	files, err := filepath.Glob("testdata/format/*.txt")
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
	for _, seed := range formatSeeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) { checkFormat(t, src) })
}

func formatSeeds() []string {
	return []string{
		"", "# only\n", "---\n# a\n---\nkind: x\n...\n# b\n", "{kind: a, b: [c, {d: e}, f: g], h: }\n",
		"a: |\n  x\n\n\nb: |+\n  y\n\n\nc: |2-\n    z\n", "a: >\n x\n y\n\n z\n  w\n", "- a\n- b\n",
		"a: \"x\\ty\\u202e\\\n  z\"\nb: 'it''s\n  long'\nc: x\n  y\n\n  z\n", "a: [ # c\n  1, # d\n  # e\n]#f\n",
		"- # c\n  a: 1\n- - # d\n    b\n", "a:\n  # in\nb:\n-\n  # in\n- x\n# out\n", "? a # c\n: # d\n  b\n",
		"a: &x 1\nb: *x\nc: !!str 2\n<<: {}\n", "\uFEFFkind: x\r\nname: y\r\n", "a: {b: \"c\", 'd': e, f}\n", "a: x # c\n # d\nb: y\n",
		"a:\n  - b: {c: d} # e\n    # f\n  # g\n# h\ni: j\n",
	}
}

func checkFormat(t *testing.T, src []byte) {
	s, nodes, issues := read("", src)
	if len(issues) > 0 {
		return
	}
	checkScan(t, s, nodes)
	once, err := Format(src)
	if err != nil {
		t.Fatalf("first: %v", err)
	}
	s2, nodes2, issues := read("", once)
	if len(issues) > 0 {
		t.Fatalf("the output cannot be read: %v\n%s", issues, once)
	}
	if a, b := values(nodes), values(nodes2); !reflect.DeepEqual(a, b) { // cmp.Diff is slow on deep trees
		t.Fatalf("values changed: %q\nto %q\n%s", a, b, once)
	}
	if d := cmp.Diff(s.commentTexts(nodes), s2.commentTexts(nodes2)); d != "" {
		t.Fatalf("comments changed: %s\n%s", d, once)
	}
	twice, err := Format(once)
	if err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("not idempotent: %v\n--- once\n%s--- twice\n%s", err, once, twice)
	}
}

// checkScan holds the scan for comments to the reader of the YAML library: when
// what was found is cut down to its #, the values are the same and no other comment is left.
func checkScan(t *testing.T, s *source, nodes []*yaml.Node) {
	var text []byte
	last := 0
	for _, c := range s.scanComments(nodes).comments {
		text = append(text, s.text[last:c.at+1]...)
		last = c.at + strings.IndexByte(s.text[c.at:]+"\n", '\n')
	}
	text = append(text, s.text[last:]...)
	_, bare, issues := read("", text)
	if len(issues) > 0 {
		t.Fatalf("without comments: %v\n%s", issues, text)
	}
	if a, b := values(nodes), values(bare); !reflect.DeepEqual(a, b) {
		t.Fatalf("a comment was none: %q\nto %q\n%s", a, b, s.text)
	}
	var left func(n *yaml.Node)
	left = func(n *yaml.Node) {
		if c := n.HeadComment + n.LineComment + n.FootComment; strings.Trim(c, "#\n") != "" {
			t.Fatalf("the comment %q was not found:\n%s", c, text)
		}
		for _, c := range n.Content {
			left(c)
		}
	}
	for _, n := range bare {
		left(n)
	}
}

// A plainValue is a scalar that was written without quotes, whose type
// depends on its text.
type plainValue string

func values(docs []*yaml.Node) (out []any) {
	for _, d := range docs {
		out = append(out, valueOf(d.Content[0]))
	}
	return out
}

func valueOf(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, valueOf(c))
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = valueOf(n.Content[i+1])
		}
		return m
	default:
		if x, err := scalar(n); err != nil || x != any(n.Value) {
			return plainValue(n.Value)
		}
		return n.Value
	}
}

func (s *source) commentTexts(docs []*yaml.Node) (out []string) {
	for _, c := range s.scanComments(docs).comments {
		out = append(out, c.text)
	}
	slices.Sort(out)
	return out
}

// FuzzFormatWords does the same with texts made of words that mean something
// in YAML, which random bytes rarely are.
func FuzzFormatWords(f *testing.F) {
	words := []string{
		"\n", "\n  ", "\n    ", "\n      ", "\n", "\n  ", "- ", "- ", "a: ", "b: ", "c: ", "d:\n  ", "kind: ", "name: ", "x", "y z", "1",
		" # one", "# two", "\n# three", "\n  # four", "\n    # five", " ", "\n\n", "\n \n", "{", "}", "[", "]", ", ", ",",
		"\"", "'", "|\n", "|-\n  ", "|+\n    ", "|2\n   ", ">\n  ", ">-\n    ", "| # six\n  ", "\\", "\\n", "\\\n", "#", ":", "-", "?", "? ", ": ",
		"---\n", "...\n", "\n---\n# seven\n", "null", "~", "é", "\t", "e: {f: 1, g: [2, h]}", "i: \"x\n  y\"", "j: 'k\n\n  l'",
		"m: " + string(bytes.Repeat([]byte("word "), 30)), "\n      word", "''", "\\u2028", "\\x00", "0", "%", "@", "true", "- - ", "-\n", "\n-\n", "- # eight\n  ",
	}
	f.Add([]byte{8, 14, 0, 9, 4, 6, 14})
	f.Fuzz(func(t *testing.T, picks []byte) {
		var b bytes.Buffer
		for _, p := range picks {
			b.WriteString(words[int(p)%len(words)])
		}
		checkFormat(t, b.Bytes())
	})
}
