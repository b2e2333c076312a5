package document

import (
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns the unified diff of two texts with three lines of context, ""
// when they are equal. names are those of the sides, "from" and "to" unless
// given.
func Diff(from, to []byte, names ...string) string {
	a, b := "from", "to"
	if len(names) > 0 {
		a, b = names[0], names[len(names)-1]
	}
	d := string(diff.Diff(a, from, b, to))
	_, d, _ = strings.Cut(d, "\n") // "diff a b" says nothing that the next lines do not
	return d
}
