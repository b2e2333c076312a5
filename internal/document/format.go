package document

import "strings"

// Format returns the canonical form of a file: kind, name, title and
// description first, then keys as they were written, two spaces of
// indentation, at most one empty line in a row, comments kept. It changes no
// value, and formatting the result again changes nothing.
func Format(src []byte) ([]byte, error) {
	s, nodes, issues := read("", src)
	if len(issues) > 0 {
		return nil, issues
	}
	var texts []string
	for _, text := range s.layout(nodes) {
		texts = append(texts, string(text))
	}
	return []byte(strings.Join(texts, "---\n")), nil
}
