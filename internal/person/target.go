package person

import (
	"maps"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// A Reach is what a target means at one moment: where a message goes, and to
// whom. One of Channel and People is set; of a team with a channel, both are.
type Reach struct {
	Channel string   // #soc, or a Slack channel id
	People  []Person // who can act
}

// IDs returns the ids of the people.
func (r Reach) IDs() []string {
	var ids []string
	for _, p := range r.People {
		ids = append(ids, p.ID())
	}
	return ids
}

// Resolve says what a target means at a time: a channel, person/ada, team/blue,
// @ada or @blue, team/blue/lead or team/blue/on_call. It is an error when that
// is nobody: whoever relies on it must hear of it.
func (d *Directory) Resolve(target string, at time.Time) (Reach, error) {
	kind, rest, ok := strings.Cut(target, "/")
	switch {
	case strings.HasPrefix(target, "#") && len(target) > 1, !ok && isChannelID(target):
		return Reach{Channel: target}, nil
	case strings.HasPrefix(target, "@") && !ok:
		name := target[1:]
		if _, person := d.people[name]; person {
			return d.reachPerson(name)
		}
		if _, team := d.teams[name]; team {
			return d.reachTeam(name, "", at)
		}
		names := slices.Concat(slices.Collect(maps.Keys(d.people)), slices.Collect(maps.Keys(d.teams)))
		return Reach{}, errs.Hint(errs.NotFound, errs.Suggest(name, names), "there is no person or team %q", name)
	case kind == "person":
		return d.reachPerson(rest)
	case kind == "team":
		name, role, _ := strings.Cut(rest, "/")
		return d.reachTeam(name, role, at)
	default:
		return Reach{}, errs.Hint(errs.Invalid, "write #channel, person/NAME, team/NAME, @NAME, team/NAME/lead or team/NAME/on_call", "%q is no target", target)
	}
}

func (d *Directory) reachPerson(name string) (Reach, error) {
	p, ok := d.people[name]
	if !ok {
		return Reach{}, errs.Hint(errs.NotFound, errs.Suggest(name, slices.Collect(maps.Keys(d.people))), "there is no person %q", name)
	}
	if !p.available() {
		return Reach{}, errs.E(errs.Conflict, "%s is not active, or a guest", p.ID())
	}
	return Reach{People: []Person{p}}, nil
}

func (d *Directory) reachTeam(name, role string, at time.Time) (Reach, error) {
	t, ok := d.teams[name]
	if !ok {
		return Reach{}, errs.Hint(errs.NotFound, errs.Suggest(name, slices.Collect(maps.Keys(d.teams))), "there is no team %q", name)
	}
	var r Reach
	switch role {
	case "":
		r = Reach{Channel: t.Channel, People: d.Members(name)}
	case "lead":
		if p, ok := d.Lead(name); ok {
			r.People = []Person{p}
		}
	case "on_call":
		r.People = d.OnCall(name, at)
	default:
		return Reach{}, errs.Hint(errs.Invalid, errs.Suggest(role, []string{"lead", "on_call"}), "a team has a lead and an on_call, and no %q", role)
	}
	if len(r.People) == 0 {
		what := strings.TrimSuffix(t.ID()+"/"+role, "/")
		return Reach{}, errs.E(errs.Conflict, "%s is nobody who could act", what)
	}
	return r, nil
}

// isChannelID reports whether s looks like C0123ABCD, as Slack names channels.
func isChannelID(s string) bool {
	return len(s) >= 7 && len(s) <= 21 && (s[0] == 'C' || s[0] == 'G') && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
