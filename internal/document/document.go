package document

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/errs"
)

// A Document is one checked YAML document. It never changes; copies share what
// was read.
type Document struct {
	ID
	Title   string
	Text    []byte // the canonical form, comments kept; not to be written to
	Version string // hex SHA-256 of Text
	File    string // where it was read, for messages
	Line    int    // of its first key in File

	src  *source
	root *yaml.Node // a mapping
}

// headerKeys are the keys that every document may have, in canonical order.
func headerKeys() []string { return []string{"kind", "name", "title", "description"} }

// Parse reads a file of one or many YAML documents. The error is [errs.Issues]
// with all that is wrong; empty documents are skipped.
func Parse(file string, src []byte) ([]Document, error) {
	s, nodes, issues := read(file, src)
	if len(issues) > 0 {
		return nil, issues
	}
	texts := s.layout(nodes)
	var docs []Document
	for i, n := range nodes {
		if root := n.Content[0]; !isEmpty(root) {
			d, bad := s.document(root, texts[i])
			issues, docs = append(issues, bad...), append(docs, d)
		}
	}
	if len(issues) > 0 {
		return nil, issues
	}
	return docs, nil
}

// FromText returns the one document of a stored canonical text.
func FromText(file string, text []byte) (Document, error) {
	docs, err := Parse(file, text)
	if err != nil {
		return Document{}, err
	}
	if len(docs) != 1 {
		return Document{}, errs.Issues{{File: file, Msg: fmt.Sprintf("expected one document, got %d", len(docs))}}
	}
	return docs[0], nil
}

// read returns the trees of a file after the checks that hold for any kind.
func read(file string, src []byte) (*source, []*yaml.Node, errs.Issues) {
	s, issues := newSource(file, src)
	if len(issues) > 0 {
		return nil, nil, issues
	}
	nodes, issues := s.load()
	for _, n := range nodes {
		root := n.Content[0]
		if root.Kind != yaml.MappingNode && !isEmpty(root) {
			issues = append(issues, errs.Issue{
				File: file, Line: root.Line, Column: root.Column,
				Msg:  "a document is a map of keys, got " + shape(root),
				Hint: "start with kind: and name:",
			})
		}
		s.check(root, "", &issues)
	}
	return s, nodes, issues
}

// header is what every document says about itself.
type header struct {
	Kind        string `yaml:"kind" required:"true" doc:"What the document is."`
	Name        string `yaml:"name" required:"true" doc:"The name, unique among documents of the kind: a-z, 0-9 and -."`
	Title       string `yaml:"title" doc:"One line for people."`
	Description string `yaml:"description" doc:"What it is for, for people; Markdown."`
}

// document checks the header of a tree and returns the document.
func (s *source) document(root *yaml.Node, text []byte) (Document, errs.Issues) {
	var h header
	dec := decoder{file: s.file, open: true}
	dec.root(root, &h)
	d := Document{
		ID: ID{Kind: h.Kind, Name: h.Name}, Title: h.Title, Text: text, Version: version(text),
		File: s.file, Line: root.Line, src: s, root: root,
	}
	for _, f := range []struct{ key, value string }{{"kind", h.Kind}, {"name", h.Name}} {
		if f.value != "" && !isSlug(f.value) {
			i := d.Issue(f.key, "%q is not a %s", f.value, f.key)
			i.Hint = slugRule
			dec.issues = append(dec.issues, i)
		}
	}
	slices.SortStableFunc(dec.issues, byPlace)
	return d, dec.issues
}

func version(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func byPlace(a, b errs.Issue) int {
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// Decode reads the document into a struct, strictly: see [DecodeNode]. The
// keys kind, name, title and description are always allowed.
func (d Document) Decode(v any) error {
	if d.root == nil {
		panic("internal error: Decode of a document that was not parsed")
	}
	dec := decoder{file: d.File, header: headerKeys()}
	dec.root(d.root, v)
	slices.SortStableFunc(dec.issues, byPlace)
	return dec.issues.Err()
}
