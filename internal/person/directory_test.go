package person_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/person"
)

const company = `
{kind: person, name: ada, title: Ada Lovelace, email: ada@example.org, slack: U00000ADA, manager: bob}
---
{kind: person, name: bob, email: bob@example.org}
---
{kind: person, name: cyd, email: cyd@example.org}
---
{kind: person, name: gus, email: gus@partner.example, guest: true}
---
{kind: person, name: lea, email: lea@example.org, active: false}
---
{kind: team, name: blue, members: [ada, bob, cyd, lea, gus], lead: bob, channel: "#blue",
 on_call: {members: [ada, lea, bob, gus, cyd], every: 7d, start: 2026-01-05T09:00, zone: Europe/Paris}}
---
{kind: team, name: red, members: [ada, lea], lead: lea}
---
{kind: team, name: led, members: [ada, lea], lead: ada, on_call: [lea]}
---
{kind: team, name: all, members: [cyd, bob, gus], on_call: [cyd, gus, bob]}
---
{kind: team, name: gone, members: [lea], on_call: [lea]}
`

func companyDirectory(t testing.TB) *person.Directory {
	t.Helper()
	d, err := person.DirectoryOf(plan(t, company))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFindPeople(t *testing.T) {
	d := companyDirectory(t)
	for _, tt := range []struct {
		name string
		find func() (person.Person, bool)
		want string
	}{
		{"by id", func() (person.Person, bool) { return d.Person("person/ada") }, "ada"},
		{"by name", func() (person.Person, bool) { return d.Person("ada") }, "ada"},
		{"by the id of a team", func() (person.Person, bool) { return d.Person("team/blue") }, ""},
		{"by nothing", func() (person.Person, bool) { return d.Person("") }, ""},
		{"by e-mail", func() (person.Person, bool) { return d.ByEmail("bob@example.org") }, "bob"},
		{"by e-mail in another case", func() (person.Person, bool) { return d.ByEmail(" BOB@Example.ORG ") }, "bob"},
		{"by an unknown e-mail", func() (person.Person, bool) { return d.ByEmail("eve@example.org") }, ""},
		{"by no e-mail", func() (person.Person, bool) { return d.ByEmail("") }, ""},
		{"by a look-alike e-mail", func() (person.Person, bool) { return d.ByEmail("bоb@example.org") }, ""},
		{"by Slack user", func() (person.Person, bool) { return d.BySlackID("U00000ADA") }, "ada"},
		{"by no Slack user", func() (person.Person, bool) { return d.BySlackID("") }, ""},
		{"Slack user first", func() (person.Person, bool) { return d.BySlack("U00000ADA", "bob@example.org") }, "ada"},
		{"e-mail of who names no Slack user", func() (person.Person, bool) { return d.BySlack("U00000BOB", "bob@example.org") }, "bob"},
		{"e-mail of who names another", func() (person.Person, bool) { return d.BySlack("U0000EVIL", "ada@example.org") }, ""},
		{"who left is found, and not active", func() (person.Person, bool) { return d.ByEmail("lea@example.org") }, "lea"},
		{"manager", func() (person.Person, bool) { return d.Manager("person/ada") }, "bob"},
		{"no manager", func() (person.Person, bool) { return d.Manager("bob") }, ""},
		{"manager of nobody", func() (person.Person, bool) { return d.Manager("eve") }, ""},
		{"lead", func() (person.Person, bool) { return d.Lead("team/blue") }, "bob"},
		{"lead who left", func() (person.Person, bool) { return d.Lead("red") }, ""},
		{"no lead", func() (person.Person, bool) { return d.Lead("all") }, ""},
		{"lead of nothing", func() (person.Person, bool) { return d.Lead("team/green") }, ""},
		{"the zero directory", func() (person.Person, bool) { return new(person.Directory).BySlack("U00000ADA", "ada@example.org") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.find(); got.Name != tt.want || ok != (tt.want != "") {
				t.Errorf("found %q, %v; want %q", got.Name, ok, tt.want)
			}
		})
	}
}

func TestTeamsOfPeople(t *testing.T) {
	d := companyDirectory(t)
	var names []string
	for _, team := range d.Teams("person/ada") {
		names = append(names, team.ID())
	}
	if got := strings.Join(names, " "); got != "team/blue team/led team/red" {
		t.Errorf("ada is in %s", got)
	}
	for _, tt := range []struct {
		person, team string
		want         bool
	}{
		{"person/ada", "team/blue", true},
		{"ada", "blue", true},
		{"person/ada", "team/all", false},
		{"person/eve", "team/blue", false},
		{"person/ada", "team/green", false},
		{"", "", false},
	} {
		if got := d.InTeam(tt.person, tt.team); got != tt.want {
			t.Errorf("InTeam(%s, %s) = %v", tt.person, tt.team, got)
		}
	}
	var people, teams []string
	for _, p := range d.People() {
		people = append(people, p.ID()+" "+p.FullName())
	}
	for _, team := range d.AllTeams() {
		teams = append(teams, team.Name)
	}
	if diff := cmp.Diff([]string{"person/ada Ada Lovelace", "person/bob bob", "person/cyd cyd", "person/gus gus", "person/lea lea"}, people); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"all", "blue", "gone", "led", "red"}, teams); diff != "" {
		t.Error(diff)
	}
}

func names(people []person.Person) string {
	var out []string
	for _, p := range people {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

// TestOnCall follows the rotation of the blue team: ada, lea (who left: bob
// instead), bob, gus (a guest: cyd instead), cyd, a week each, from Monday at
// nine in Paris.
func TestOnCall(t *testing.T) {
	d := companyDirectory(t)
	for _, tt := range []struct{ team, at, want string }{
		{"blue", "2026-01-05T08:00:00Z", "ada"},
		{"blue", "2026-01-12T07:59:59Z", "ada"},
		{"blue", "2026-01-12T08:00:00Z", "bob"},
		{"blue", "2026-01-19T08:00:00Z", "bob"},
		{"blue", "2026-01-26T08:00:00Z", "cyd"},
		{"blue", "2026-02-02T08:00:00Z", "cyd"},
		{"blue", "2026-02-09T08:00:00Z", "ada"},
		{"blue", "2026-01-05T07:59:59Z", "cyd"}, // before the first turn it is the last one's
		{"blue", "2025-12-29T08:00:00Z", "cyd"},
		{"blue", "2025-12-29T07:59:59Z", "cyd"},
		// In summer nine in Paris is seven in Greenwich.
		{"blue", "2026-04-06T06:59:59Z", "bob"},
		{"blue", "2026-04-06T07:00:00Z", "cyd"},
		{"all", "2026-01-05T08:00:00Z", "cyd bob"},
		{"led", "2026-01-05T08:00:00Z", "ada"},
		{"red", "2026-01-05T08:00:00Z", ""},
		{"gone", "2026-01-05T08:00:00Z", ""},
		{"green", "2026-01-05T08:00:00Z", ""},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(d.OnCall("team/"+tt.team, at)); got != tt.want {
			t.Errorf("at %s on call for %s: %q, want %q", tt.at, tt.team, got, tt.want)
		}
	}
}

// TestRotationLeavesNoGap walks two years hour by hour: turns follow each other
// in order, and each is as long as it should be but for an hour when the clock
// changes.
func TestRotationLeavesNoGap(t *testing.T) {
	for _, every := range []string{"1d", "7d", "12h", "36h"} {
		t.Run(every, func(t *testing.T) {
			d, err := person.DirectoryOf(plan(t, `
{kind: person, name: p0, email: p0@example.org}
---
{kind: person, name: p1, email: p1@example.org}
---
{kind: person, name: p2, email: p2@example.org}
---
{kind: team, name: t, members: [p0, p1, p2], on_call: {members: [p0, p1, p2], every: `+every+`, start: 2026-01-01, zone: America/New_York}}`))
			if err != nil {
				t.Fatal(err)
			}
			team, _ := d.Team("t")
			start := team.OnCall.Start
			want, began := 0, start
			for at := start; at.Before(start.AddDate(2, 0, 0)); at = at.Add(time.Hour) {
				got := names(d.OnCall("t", at))
				if got == "p"+string(rune('0'+want)) {
					continue
				}
				want = (want + 1) % 3
				if got != "p"+string(rune('0'+want)) {
					t.Fatalf("at %s it is %s, after %d", at, got, want)
				}
				if off := at.Sub(began) - team.OnCall.Every; off.Abs() > time.Hour {
					t.Fatalf("a turn of %s ended at %s", at.Sub(began), at)
				}
				began = at
			}
		})
	}
}

func TestResolve(t *testing.T) {
	d := companyDirectory(t)
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		target, channel, people string
		err                     string
	}{
		{"#soc", "#soc", "", ""},
		{"C0123ABCD", "C0123ABCD", "", ""},
		{"person/ada", "", "person/ada", ""},
		{"@ada", "", "person/ada", ""},
		{"team/blue", "#blue", "person/ada person/bob person/cyd", ""},
		{"@blue", "#blue", "person/ada person/bob person/cyd", ""},
		{"team/blue/lead", "", "person/bob", ""},
		{"team/blue/on_call", "", "person/ada", ""},
		{"team/led/on_call", "", "person/ada", ""},
		{"person/lea", "", "", "person/lea is not active, or a guest"},
		{"@gus", "", "", "person/gus is not active, or a guest"},
		{"@adda", "", "", `there is no person or team "adda" (did you mean "ada"?)`},
		{"person/adda", "", "", `there is no person "adda" (did you mean "ada"?)`},
		{"team/bleu", "", "", `there is no team "bleu" (did you mean "blue"?)`},
		{"team/blue/laed", "", "", `a team has a lead and an on_call, and no "laed" (did you mean "lead"?)`},
		{"team/red/lead", "", "", "team/red/lead is nobody who could act"},
		{"team/gone", "", "", "team/gone is nobody who could act"},
		{"ada", "", "", `"ada" is no target`},
		{"", "", "", `"" is no target`},
		{"#", "", "", `"#" is no target`},
		{"@a/b", "", "", `"@a/b" is no target`},
	} {
		got, err := d.Resolve(tt.target, at)
		if tt.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) || errs.KindOf(err) == "" {
				t.Errorf("%s: %v, want %s", tt.target, err, tt.err)
			}
			continue
		}
		if err != nil || got.Channel != tt.channel || strings.Join(got.IDs(), " ") != tt.people {
			t.Errorf("%s: %s and %v, %v", tt.target, got.Channel, got.IDs(), err)
		}
	}
}

func TestADirectoryIsNeverAmbiguous(t *testing.T) {
	ada := person.Person{Name: "ada", Email: "ada@example.org", Slack: "U1"}
	for name, people := range map[string][]person.Person{
		"name":  {ada, {Name: "ada", Email: "b@example.org"}},
		"email": {ada, {Name: "b", Email: "ada@example.org"}},
		"slack": {ada, {Name: "b", Email: "b@example.org", Slack: "U1"}},
	} {
		if _, err := person.NewDirectory(people, nil); err == nil {
			t.Errorf("two people of one %s", name)
		}
	}
	if _, err := person.NewDirectory(nil, []person.Team{{Name: "t"}, {Name: "t"}}); err == nil {
		t.Error("two teams of one name")
	}
}

func BenchmarkBySlack(b *testing.B) {
	d := companyDirectory(b)
	for b.Loop() {
		if _, ok := d.BySlack("U00000BOB", "Bob@example.org"); !ok {
			b.Fatal("not found")
		}
	}
}
