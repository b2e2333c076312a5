package ask

import (
	"slices"
	"strings"
)

// A targetKind is what a target may name; kinds combine by or.
type targetKind uint8

const (
	channelTarget targetKind = 1 << iota // #soc, or a Slack channel id
	personTarget                         // person/ada
	teamTarget                           // team/blue
	mentionTarget                        // @ada or @blue: the person or team of that name
	roleTarget                           // team/blue/lead, team/blue/on_call

	peopleTarget = personTarget | teamTarget | mentionTarget
	anyTarget    = peopleTarget | channelTarget | roleTarget
)

func targetHint(allowed targetKind) string {
	if allowed&channelTarget != 0 {
		return "write #channel, person/NAME, team/NAME, @NAME, team/NAME/lead or team/NAME/on_call"
	}
	return "write person/NAME, team/NAME or @NAME"
}

// kindOf says what a target names, by its form alone; 0 if it names nothing.
func kindOf(s string) targetKind {
	if name, ok := strings.CutPrefix(s, "#"); ok {
		if name == "" || len(name) > 80 || strings.ContainsAny(name, " \t\r\n#@<>|") {
			return 0
		}
		return channelTarget
	}
	if name, ok := strings.CutPrefix(s, "@"); ok {
		return when(isName(name), mentionTarget)
	}
	if isPerson(s) {
		return personTarget
	}
	if rest, ok := strings.CutPrefix(s, "team/"); ok {
		name, role, isRole := strings.Cut(rest, "/")
		if isRole {
			return when(isName(name) && (role == "lead" || role == "on_call"), roleTarget)
		}
		return when(isName(name), teamTarget)
	}
	return when(isChannelID(s), channelTarget)
}

func when(ok bool, k targetKind) targetKind {
	if ok {
		return k
	}
	return 0
}

// isChannelID reports whether s looks like C0123ABCD, as Slack names channels.
func isChannelID(s string) bool {
	return len(s) >= 7 && len(s) <= 21 && (s[0] == 'C' || s[0] == 'G') && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

func isPerson(s string) bool {
	name, ok := strings.CutPrefix(s, "person/")
	return ok && isName(name)
}

// isName reports whether s may be the name of a document.
func isName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// names reports whether one of the targets is the person or a team of theirs.
func names(targets []string, person string, dir Directory) bool {
	return slices.ContainsFunc(targets, func(t string) bool {
		switch kindOf(t) {
		case personTarget:
			return t == person
		case teamTarget:
			return dir.InTeam(person, t)
		case mentionTarget:
			return "person/"+t[1:] == person || dir.InTeam(person, "team/"+t[1:])
		default:
			return false
		}
	})
}
