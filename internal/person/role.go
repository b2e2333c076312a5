package person

import (
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
)

// A Permission is one thing that may be done through the API.
type Permission string

// All permissions. What is not granted by a role is denied.
const (
	AlertsRead        Permission = "alerts.read"
	CasesRead         Permission = "cases.read"
	CasesAct          Permission = "cases.act"           // assign, comment, resolve, reopen
	CasesPersonalData Permission = "cases.personal_data" // see it unmasked; each time is a record
	RunsRead          Permission = "runs.read"
	RunsAct           Permission = "runs.act" // start, cancel, retry
	PlaybooksPlan     Permission = "playbooks.plan"
	DocumentsRead     Permission = "documents.read"
	DocumentsApply    Permission = "documents.apply" // and roll back
	SecretsWrite      Permission = "secrets.write"   // nobody reads them
	TokensManage      Permission = "tokens.manage"
	LedgerRead        Permission = "ledger.read"  // records as they are stored
	LedgerProof       Permission = "ledger.proof" // checkpoints and proofs
	PeopleRead        Permission = "people.read"
	AskRead           Permission = "ask.read"
	AskAnswer         Permission = "ask.answer" // where the question also allows it
	HooksSend         Permission = "hooks.send" // alerts in the place of a tool, for trials
	ReportsRead       Permission = "reports.read"
)

// A Role is a set of permissions with a name. Only the five below exist.
type Role string

// The roles.
const (
	Viewer  Role = "viewer"  // sees how things stand
	Analyst Role = "analyst" // handles alerts and cases
	Author  Role = "author"  // writes playbooks and what they need
	Admin   Role = "admin"   // everything
	Auditor Role = "auditor" // checks the records, changes nothing
)

// Roles returns all roles.
func Roles() []Role { return []Role{Viewer, Analyst, Author, Admin, Auditor} }

// Permissions returns all permissions, in the order of the documentation.
func Permissions() []Permission {
	return []Permission{
		AlertsRead, CasesRead, CasesAct, CasesPersonalData, RunsRead, RunsAct, PlaybooksPlan, DocumentsRead,
		DocumentsApply, SecretsWrite, TokensManage, LedgerRead, LedgerProof, PeopleRead, AskRead, AskAnswer,
		HooksSend, ReportsRead,
	}
}

// May reports whether the role has a permission. An unknown role, and an
// unknown permission, mean no.
func (r Role) May(p Permission) bool {
	switch p {
	case AlertsRead, CasesRead, RunsRead, DocumentsRead, PeopleRead, AskRead, ReportsRead, LedgerProof:
		return slices.Contains(Roles(), r)
	case CasesAct, CasesPersonalData, AskAnswer:
		return r == Analyst || r == Admin
	case RunsAct:
		return r == Analyst || r == Author || r == Admin
	case PlaybooksPlan, DocumentsApply, SecretsWrite, HooksSend:
		return r == Author || r == Admin
	case LedgerRead:
		return r == Auditor || r == Admin
	case TokensManage:
		return r == Admin
	default:
		return false
	}
}

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	names := make([]string, 0, len(Roles()))
	for _, r := range Roles() {
		if s == string(r) {
			return r, nil
		}
		names = append(names, string(r))
	}
	hint := errs.Suggest(s, names)
	if hint == "" {
		hint = "write one of " + strings.Join(names, ", ")
	}
	return "", errs.Hint(errs.Invalid, hint, "there is no role %q", s)
}
