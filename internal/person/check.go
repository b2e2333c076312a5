package person

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// checkPerson checks a person against all others.
func checkPerson(d document.Document, p Person, in document.Set) errs.Issues {
	var issues errs.Issues
	if p.Manager != "" {
		switch chain := managers(p, in); {
		case p.Manager == p.Name:
			issues = append(issues, d.Issue("manager", "%s cannot manage themselves", p.Name))
		case chain == nil:
			issues = append(issues, unknown(d, "manager", p.Manager, in))
		case chain[len(chain)-1] == p.Name:
			issues = append(issues, d.Issue("manager", "managers go in a circle: %s", strings.Join(chain, ", then ")))
		}
	}
	if isFirst(d.ID, in) {
		issues = append(issues, shared(in)...)
	}
	return issues
}

// isFirst reports whether no person comes before id. What holds between all
// people is checked once for the set, with the first of them: checking each
// against each other would take seconds in a large company.
func isFirst(id document.ID, in document.Set) bool {
	for other := range in {
		if other.Kind == id.Kind && other.Compare(id) < 0 {
			return false
		}
	}
	return true
}

// shared says which people have an address or a Slack user that belongs to
// another one already.
func shared(in document.Set) errs.Issues {
	var issues errs.Issues
	emails, users := map[string]document.ID{}, map[string]document.ID{}
	for _, id := range slices.SortedFunc(maps.Keys(in), document.ID.Compare) {
		if id.Kind != "person" {
			continue
		}
		p, _ := decodePerson(in[id])
		email, _ := NormalEmail(p.Email)
		for _, of := range []struct {
			owners           map[string]document.ID
			value, key, what string
		}{{emails, email, "email", "address"}, {users, p.Slack, "slack", "Slack user"}} {
			if other, taken := of.owners[of.value]; taken {
				issues = append(issues, in[id].Issue(of.key, "%s has the same %s as %s", id, of.what, other))
			} else if of.value != "" {
				of.owners[of.value] = id
			}
		}
	}
	return issues
}

// managers returns the names from p upwards: to the top, or to the first one
// that is met twice. It is nil when p's own manager is not known; an unknown
// one further up is told at the document that names it.
func managers(p Person, in document.Set) []string {
	chain := []string{p.Name}
	for name := p.Manager; name != ""; {
		again := slices.Contains(chain, name)
		d, ok := in[document.ID{Kind: "person", Name: name}]
		if !ok {
			if len(chain) == 1 {
				return nil
			}
			return chain
		}
		if chain = append(chain, name); again {
			return chain
		}
		next, _ := decodePerson(d)
		name = next.Manager
	}
	return chain
}

// checkTeam checks a team against the people.
func checkTeam(d document.Document, t Team, in document.Set) errs.Issues {
	var issues errs.Issues
	for i, m := range t.Members {
		if _, ok := in[document.ID{Kind: "person", Name: m}]; !ok {
			issues = append(issues, unknown(d, "members["+strconv.Itoa(i)+"]", m, in))
		}
	}
	if _, ok := in[document.ID{Kind: "person", Name: t.Name}]; ok {
		issues = append(issues, hinted(d, "name", "name the team otherwise", "there is a person of that name, and @%s would mean both", t.Name))
	}
	return issues
}

func unknown(d document.Document, path, name string, in document.Set) errs.Issue {
	var names []string
	for id := range in {
		if id.Kind == "person" {
			names = append(names, id.Name)
		}
	}
	return hinted(d, path, errs.Suggest(name, names), "there is no person %q", name)
}
