package errs

import (
	"slices"
	"strconv"
	"strings"
)

// An Issue is one thing wrong with a document, and what to do about it.
type Issue struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 when unknown
	Column int    `json:"column,omitempty"` // from 1, in runes; 0 when unknown
	Field  string `json:"field,omitempty"`  // path inside the document: steps[1].with.url
	Msg    string `json:"message"`
	Hint   string `json:"hint,omitempty"` // did you mean "steps"?
}

func (i Issue) String() string {
	var b strings.Builder
	if i.File != "" {
		b.WriteString(i.File)
		b.WriteByte(':')
	}
	if i.Line > 0 {
		b.WriteString(strconv.Itoa(i.Line))
		b.WriteByte(':')
		if i.Column > 0 {
			b.WriteString(strconv.Itoa(i.Column))
			b.WriteByte(':')
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if i.Field != "" {
		b.WriteString(i.Field)
		b.WriteString(": ")
	}
	b.WriteString(i.Msg)
	if i.Hint != "" {
		b.WriteString("; ")
		b.WriteString(i.Hint)
	}
	return b.String()
}

// Issues are all findings of one check, in the order of the document. A nil
// Issues means that nothing is wrong; use [Issues.Err] to return it as error.
type Issues []Issue //nolint:errname // a list of findings that is returned as an error, not an error that holds a list

func (is Issues) Error() string {
	lines := make([]string, len(is))
	for n, i := range is {
		lines[n] = i.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when there is no issue, so that an empty list is not an error.
func (is Issues) Err() error {
	if len(is) == 0 {
		return nil
	}
	return is
}

// Suggest returns the hint `did you mean "x"?` for the candidate closest to
// word, or "" when none is close: at most two edits, and fewer than half of
// the word.
func Suggest(word string, candidates []string) string {
	best, at := "", min(2, max(1, len(word)/2))+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < at {
			best, at = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(best) + "?"
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	prev2, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(y)]
}
