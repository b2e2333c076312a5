package person_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"beffroi.dev/internal/person"
)

// TestRoleTable compares the table of docs/people.md with the code: a change of
// what a role may do shows in both.
func TestRoleTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/people.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, p := range person.Permissions() {
		fmt.Fprintf(&table, "| `%s` |", p)
		for _, r := range person.Roles() {
			mark := " "
			if r.May(p) {
				mark = " yes "
			}
			table.WriteString(mark + "|")
		}
		table.WriteByte('\n')
	}
	if !strings.Contains(string(doc), table.String()) {
		t.Errorf("docs/people.md should hold this table:\n%s", table.String())
	}
}

func TestRolesDenyByDefault(t *testing.T) {
	for _, p := range append(person.Permissions(), "", "everything") {
		for _, r := range []person.Role{"", "Admin", "root"} {
			if r.May(p) {
				t.Errorf("the unknown role %q may %q", r, p)
			}
		}
	}
	for _, r := range person.Roles() {
		if r.May("") || r.May("everything") {
			t.Errorf("%s may what does not exist", r)
		}
	}
	for _, p := range person.Permissions() {
		if !person.Admin.May(p) {
			t.Errorf("an admin may not %s", p)
		}
		writes := strings.HasSuffix(string(p), ".act") || strings.HasSuffix(string(p), ".apply") || strings.HasSuffix(string(p), ".write") ||
			strings.HasSuffix(string(p), ".manage") || strings.HasSuffix(string(p), ".answer") || strings.HasSuffix(string(p), ".send")
		if writes && (person.Viewer.May(p) || person.Auditor.May(p)) {
			t.Errorf("who only looks may %s", p)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range person.Roles() {
		if got, err := person.ParseRole(string(r)); err != nil || got != r {
			t.Errorf("%s: %v, %v", r, got, err)
		}
	}
	for in, want := range map[string]string{
		"anlyst": `there is no role "anlyst" (did you mean "analyst"?)`,
		"root":   `there is no role "root" (write one of viewer, analyst, author, admin, auditor)`,
	} {
		if _, err := person.ParseRole(in); err == nil || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}
