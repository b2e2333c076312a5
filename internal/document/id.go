package document

import (
	"strings"

	"beffroi.dev/internal/errs"
)

// An ID names a document: its kind and its name. It is comparable and sorts
// by [ID.Compare].
type ID struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// String returns the ID as people and records write it: playbook/siem-alert.
func (id ID) String() string { return id.Kind + "/" + id.Name }

// Compare orders by kind, then by name.
func (id ID) Compare(to ID) int {
	if c := strings.Compare(id.Kind, to.Kind); c != 0 {
		return c
	}
	return strings.Compare(id.Name, to.Name)
}

// ParseID reads what [ID.String] writes.
func ParseID(s string) (ID, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || !isSlug(kind) || !isSlug(name) {
		return ID{}, errs.Hint(errs.Invalid, "write KIND/NAME, for example playbook/siem-alert", "%q is not the id of a document", s)
	}
	return ID{Kind: kind, Name: name}, nil
}

const slugPattern = "^[a-z0-9][a-z0-9-]{0,62}$"

const slugRule = "use 1 to 63 of a-z, 0-9 and -, starting with a letter or a digit"

// isSlug reports whether s may be the kind or the name of a document.
func isSlug(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
