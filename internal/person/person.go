// Package person is who Beffroi knows: people, teams, what a role allows, and
// the tokens with which people and machines use the API.
//
// People and teams are documents ([PersonKind], [TeamKind]) until a directory
// service provides them. A [Directory] is an immutable snapshot of all of them,
// which finds a person by name, e-mail address or Slack user and says who leads
// a team and who is on call. A [Role] allows what its row of one fixed table
// says, and nothing else. A [Token] is stored as a hash.
//
// The package promises that no address or Slack user leads to two people, that
// names which are not plain ASCII never match a plain one, and that a token of
// somebody who left is refused. It is pure: the time and the randomness come
// with each call. It never talks to Slack or to a directory service.
//
// Time zones are those of the IANA database (RFC 6557), languages the tags of
// RFC 5646, e-mail addresses those of RFC 5321 section 4.1.2 that are ASCII and
// unquoted.
package person

import (
	"strings"
	"time"
)

// A Person is somebody who may be asked, told, or answer.
type Person struct {
	Name     string `json:"name"`            // of the document: ada
	Title    string `json:"title,omitempty"` // the full name: Ada Lovelace
	Email    string `json:"email"`           // as [NormalEmail] returns it
	Slack    string `json:"slack,omitempty"` // user id; empty: found by e-mail
	Active   bool   `json:"active"`          // false once they left
	Guest    bool   `json:"guest,omitempty"` // may be told, never answers
	Manager  string `json:"manager,omitempty"`
	TimeZone string `json:"time_zone,omitempty"` // Europe/Paris
	Language string `json:"language,omitempty"`  // fr, en-GB
}

// ID returns the person as records name them: person/ada.
func (p Person) ID() string { return personPrefix + p.Name }

// FullName returns the title, or the name when there is none.
func (p Person) FullName() string {
	if p.Title != "" {
		return p.Title
	}
	return p.Name
}

// available reports whether the person can be asked to act.
func (p Person) available() bool { return p.Active && !p.Guest }

// A Team is a group of people who may be asked together.
type Team struct {
	Name    string   `json:"name"` // of the document: blue
	Title   string   `json:"title,omitempty"`
	Members []string `json:"members"` // names of people, in the order of the document
	Lead    string   `json:"lead,omitempty"`
	OnCall  OnCall   `json:"on_call,omitzero"`
	Channel string   `json:"channel,omitempty"` // where the team reads: #blue-team
}

// ID returns the team as records name it: team/blue.
func (t Team) ID() string { return teamPrefix + t.Name }

// OnCall says which members are called first: all of them, or one after the
// other when Every is set. The zero OnCall is nobody.
type OnCall struct {
	Members []string      `json:"members,omitempty"`
	Every   time.Duration `json:"every,omitempty"` // length of a turn
	Start   time.Time     `json:"start,omitzero"`  // of the first member's turn, in the zone of the rotation
}

const (
	personPrefix  = "person/"
	teamPrefix    = "team/"
	machinePrefix = "machine/"
)

// NormalEmail returns an e-mail address in the one form in which addresses are
// compared: without space around it and in lower case. It reports false for
// what is not a plain ASCII address, so that no look-alike letter, and none
// that becomes another in lower case, leads to somebody else.
func NormalEmail(s string) (string, bool) {
	s = strings.TrimSpace(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || len(s) > 254 || !isDomain(domain) {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return "", false
		}
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", false
	}
	return strings.ToLower(s), true
}

// isDomain reports whether s is a host name of at least two labels.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			if c := l[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(labels) >= 2
}

// isName reports whether s may be the name of a document.
func isName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
