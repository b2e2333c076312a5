package person

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// A Directory is all people and teams at one moment. It never changes, so it is
// safe for concurrent use; the zero Directory knows nobody. Methods that take
// the id of a person or team (person/ada) also take the bare name.
type Directory struct {
	people  map[string]Person   // by name
	teams   map[string]Team     // by name
	byEmail map[string]string   // name by address
	bySlack map[string]string   // name by user id
	of      map[string][]string // teams by member
}

// NewDirectory returns the directory of some people and teams. Two people with
// one name, address or Slack user are an error.
func NewDirectory(people []Person, teams []Team) (*Directory, error) {
	d := &Directory{
		people: make(map[string]Person, len(people)), teams: make(map[string]Team, len(teams)),
		byEmail: make(map[string]string, len(people)), bySlack: make(map[string]string),
		of: make(map[string][]string),
	}
	for _, p := range people {
		if _, twice := d.people[p.Name]; twice {
			return nil, fmt.Errorf("two people are named %s", p.Name)
		}
		d.people[p.Name] = p
		if err := claim(d.byEmail, p.Email, p.Name); err != nil {
			return nil, err
		}
		if err := claim(d.bySlack, p.Slack, p.Name); err != nil {
			return nil, err
		}
	}
	for _, t := range teams {
		if _, twice := d.teams[t.Name]; twice {
			return nil, fmt.Errorf("two teams are named %s", t.Name)
		}
		d.teams[t.Name] = t
		for _, m := range t.Members {
			d.of[m] = append(d.of[m], t.Name)
		}
	}
	for _, names := range d.of {
		slices.Sort(names)
	}
	return d, nil
}

// claim notes that key leads to name, unless it leads elsewhere.
func claim(m map[string]string, key, name string) error {
	if key == "" {
		return nil
	}
	if other, taken := m[key]; taken {
		return fmt.Errorf("%s and %s share %s", other, name, key)
	}
	m[key] = name
	return nil
}

// DirectoryOf returns the directory of all person and team documents of a set.
func DirectoryOf(in document.Set) (*Directory, error) {
	var people []Person
	var teams []Team
	var issues errs.Issues
	for id, d := range in {
		switch id.Kind {
		case "person":
			p, bad := readPerson(d)
			people, issues = append(people, p), append(issues, bad...)
		case "team":
			t, bad := readTeam(d)
			teams, issues = append(teams, t), append(issues, bad...)
		}
	}
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("read people and teams: %w", err)
	}
	return NewDirectory(people, teams)
}

// Person returns the person with an id.
func (d *Directory) Person(id string) (Person, bool) {
	p, ok := d.people[strings.TrimPrefix(id, personPrefix)]
	return p, ok
}

// Team returns the team with an id.
func (d *Directory) Team(id string) (Team, bool) {
	t, ok := d.teams[strings.TrimPrefix(id, teamPrefix)]
	return t, ok
}

// People returns everybody, by name.
func (d *Directory) People() []Person {
	return slices.SortedFunc(maps.Values(d.people), func(a, b Person) int { return cmp.Compare(a.Name, b.Name) })
}

// AllTeams returns every team, by name.
func (d *Directory) AllTeams() []Team {
	return slices.SortedFunc(maps.Values(d.teams), func(a, b Team) int { return cmp.Compare(a.Name, b.Name) })
}

// ByEmail returns the person with an e-mail address, in whatever case it is
// written.
func (d *Directory) ByEmail(email string) (Person, bool) {
	normal, ok := NormalEmail(email)
	if !ok {
		return Person{}, false
	}
	return d.Person(d.byEmail[normal])
}

// BySlackID returns the person whose document names a Slack user.
func (d *Directory) BySlackID(id string) (Person, bool) { return d.Person(d.bySlack[id]) }

// BySlack returns the person behind a Slack user: who names that user, else
// who has its e-mail address and names no other user.
func (d *Directory) BySlack(id, email string) (Person, bool) {
	if p, ok := d.BySlackID(id); ok {
		return p, true
	}
	if p, ok := d.ByEmail(email); ok && p.Slack == "" {
		return p, true
	}
	return Person{}, false
}

// Teams returns the teams of a person, by name.
func (d *Directory) Teams(person string) []Team {
	var teams []Team
	for _, name := range d.of[strings.TrimPrefix(person, personPrefix)] {
		teams = append(teams, d.teams[name])
	}
	return teams
}

// InTeam reports whether a person is a member of a team.
func (d *Directory) InTeam(person, team string) bool {
	return slices.Contains(d.of[strings.TrimPrefix(person, personPrefix)], strings.TrimPrefix(team, teamPrefix))
}

// Manager returns the manager of a person.
func (d *Directory) Manager(person string) (Person, bool) {
	p, ok := d.Person(person)
	if !ok {
		return Person{}, false
	}
	return d.Person(p.Manager)
}

// Lead returns the lead of a team, if there is one who can act.
func (d *Directory) Lead(team string) (Person, bool) {
	t, ok := d.Team(team)
	if !ok {
		return Person{}, false
	}
	p, ok := d.Person(t.Lead)
	if !ok || !p.available() {
		return Person{}, false
	}
	return p, true
}

// Members returns the members of a team who can act, in the order of the team.
func (d *Directory) Members(team string) []Person {
	t, _ := d.Team(team)
	return d.available(t.Members)
}

// OnCall returns who is called first in a team at a time. Whoever cannot act is
// passed over: in a rotation for the next in turn. When nobody is left, or the
// team has nobody on call, it is the lead.
func (d *Directory) OnCall(team string, at time.Time) []Person {
	t, ok := d.Team(team)
	if !ok {
		return nil
	}
	called := d.available(t.OnCall.from(at))
	if t.OnCall.Every > 0 && len(called) > 1 {
		called = called[:1]
	}
	if lead, ok := d.Lead(team); ok && len(called) == 0 {
		called = []Person{lead}
	}
	return called
}

func (d *Directory) available(names []string) []Person {
	var out []Person
	for _, name := range names {
		if p, ok := d.Person(name); ok && p.available() {
			out = append(out, p)
		}
	}
	return out
}
