package document

import "go.yaml.in/yaml/v4"

func (s *source) layout(nodes []*yaml.Node) [][]byte {
	out := make([][]byte, len(nodes))
	for i, n := range nodes {
		end := len(s.text)
		if i+1 < len(nodes) {
			end = s.offset(nodes[i+1].Line, 1)
		}
		out[i] = []byte(s.text[s.offset(n.Line, 1):end])
	}
	return out
}

func (s *source) inside(n *yaml.Node, col int) (line, column int) {
	return n.Line, n.Column + col
}
