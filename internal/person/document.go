package person

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

var language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// personSpec is a person as written.
type personSpec struct {
	Email    string `yaml:"email" required:"true" doc:"E-mail address. Slack users are found by it."`
	Slack    string `yaml:"slack" doc:"Slack user id (U0123ABCD), if the e-mail address in Slack is another one."`
	Active   *bool  `yaml:"active" doc:"false once the person left: they can no longer answer, and their tokens stop. true when absent."`
	Guest    bool   `yaml:"guest" doc:"true for somebody from outside: they can be told, and never answer."`
	Manager  string `yaml:"manager" doc:"Name of the person's manager."`
	TimeZone string `yaml:"time_zone" doc:"Such as Europe/Paris."`
	Language string `yaml:"language" doc:"Such as fr or en-GB."`
}

// teamSpec is a team as written.
type teamSpec struct {
	Members []string    `yaml:"members" required:"true" min:"1" doc:"Names of people."`
	Lead    string      `yaml:"lead" doc:"The member to whom a question climbs."`
	OnCall  *onCallSpec `yaml:"on_call" doc:"Members who are called first: a list, or a rotation."`
	Channel string      `yaml:"channel" doc:"Where the team reads: \"#blue-team\"."`
}

// onCallSpec is a list of members, or a rotation.
type onCallSpec struct {
	Members []string      `yaml:"members" required:"true" min:"1"`
	Every   time.Duration `yaml:"every" required:"true" min:"1h" max:"366d"`
	Start   string        `yaml:"start" required:"true"`
	Zone    string        `yaml:"zone" required:"true"`

	list bool
}

// UnmarshalNode implements document.Unmarshaler.
func (o *onCallSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		o.list = true
		return document.DecodeNode(n, &o.Members)
	}
	if n.Kind != yaml.MappingNode {
		return errors.New("expected a list of members, or a rotation with members, every, start and zone")
	}
	type plain onCallSpec
	return document.DecodeNode(n, (*plain)(o))
}

// JSONSchema implements document.Unmarshaler.
func (onCallSpec) JSONSchema() map[string]any {
	text := map[string]any{"type": "string"}
	names := map[string]any{"type": "array", "items": text, "minItems": 1}
	return map[string]any{"anyOf": []any{names, map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"members", "every", "start", "zone"},
		"properties": map[string]any{
			"members": names,
			"every":   map[string]any{"type": "string", "description": "Length of a turn: 7d, 24h, 12h."},
			"start":   map[string]any{"type": "string", "description": "When the first member's turn began: 2026-01-05T09:00."},
			"zone":    map[string]any{"type": "string", "description": "Time zone of start: Europe/Paris."},
		},
	}}}
}

// PersonKind is the kind of document that describes a person. It compiles to a
// [Person].
func PersonKind() document.Kind {
	return document.Kind{
		Name: "person", Title: "A person", Spec: personSpec{},
		Doc: "Somebody who works here: who is asked, who answers, whose tokens work. The title is the full name.",
		Compile: func(d document.Document, in document.Set) (any, error) {
			p, issues := readPerson(d)
			issues = append(issues, checkPerson(d, p, in)...)
			return p, issues.Err()
		},
	}
}

// TeamKind is the kind of document that describes a team. It compiles to a
// [Team].
func TeamKind() document.Kind {
	return document.Kind{
		Name: "team", Title: "A team", Spec: teamSpec{},
		Doc: "People who may be asked together, who leads them and who is on call.",
		Compile: func(d document.Document, in document.Set) (any, error) {
			t, issues := readTeam(d)
			issues = append(issues, checkTeam(d, t, in)...)
			return t, issues.Err()
		},
	}
}

// readPerson returns the person of a document and what is wrong with it alone.
func readPerson(d document.Document) (Person, errs.Issues) {
	p, issues := decodePerson(d)
	switch email, ok := NormalEmail(p.Email); {
	case p.Email == "": // decode said so
	case !ok:
		issues = append(issues, hinted(d, "email", "write a plain address such as ada@example.org; an international domain in its xn-- form", "%q is not an e-mail address", p.Email))
	case email != p.Email:
		issues = append(issues, hinted(d, "email", "write "+email, "addresses are written in lower case"))
	}
	if p.Slack != "" && !isSlackID(p.Slack) {
		issues = append(issues, hinted(d, "slack", "in Slack open the profile, then ⋮, Copy member ID", "%q is not a Slack user id such as U0123ABCD", p.Slack))
	}
	if p.TimeZone != "" {
		if _, err := location(p.TimeZone); err != nil {
			issues = append(issues, hinted(d, "time_zone", "write for example Europe/Paris", "%s", err))
		}
	}
	if p.Language != "" && !language.MatchString(p.Language) {
		issues = append(issues, hinted(d, "language", "write for example fr or en-GB", "%q is not a language", p.Language))
	}
	return p, issues
}

// decodePerson returns the person of a document as written.
func decodePerson(d document.Document) (Person, errs.Issues) {
	var s personSpec
	issues := decode(d, &s)
	return Person{
		Name: d.Name, Title: strings.TrimSpace(d.Title), Email: s.Email, Slack: s.Slack,
		Active: s.Active == nil || *s.Active, Guest: s.Guest,
		Manager: strings.TrimPrefix(s.Manager, personPrefix), TimeZone: s.TimeZone, Language: s.Language,
	}, issues
}

// readTeam returns the team of a document and what is wrong with it alone.
func readTeam(d document.Document) (Team, errs.Issues) {
	var s teamSpec
	issues := decode(d, &s)
	t := Team{
		Name: d.Name, Title: d.Title, Members: trimAll(s.Members),
		Lead: strings.TrimPrefix(s.Lead, personPrefix), Channel: s.Channel,
	}
	for i, m := range t.Members {
		if slices.Contains(t.Members[:i], m) {
			issues = append(issues, d.Issue(fmt.Sprintf("members[%d]", i), "%q is there twice", m))
		}
	}
	if t.Lead != "" && !slices.Contains(t.Members, t.Lead) {
		issues = append(issues, hinted(d, "lead", errs.Suggest(t.Lead, t.Members), "the lead %q is not a member of the team", t.Lead))
	}
	if c := s.Channel; c != "" && (len(c) < 2 || len(c) > 81 || c[0] != '#' || strings.ContainsAny(c[1:], " \t\n#@<>|")) {
		issues = append(issues, hinted(d, "channel", `write "#name", in quotes`, "%q is not a channel", c))
	}
	if s.OnCall != nil {
		var bad errs.Issues
		t.OnCall, bad = readOnCall(d, *s.OnCall, t.Members)
		issues = append(issues, bad...)
	}
	return t, issues
}

func readOnCall(d document.Document, s onCallSpec, members []string) (OnCall, errs.Issues) {
	var issues errs.Issues
	o := OnCall{Members: trimAll(s.Members), Every: s.Every}
	path := "on_call.members"
	if s.list {
		path = "on_call"
	}
	for i, m := range o.Members {
		if !slices.Contains(members, m) {
			issues = append(issues, hinted(d, fmt.Sprintf("%s[%d]", path, i), errs.Suggest(m, members), "%q is on call and not a member of the team", m))
		}
	}
	if s.list || s.Zone == "" || s.Start == "" {
		return o, issues
	}
	zone, err := location(s.Zone)
	if err != nil {
		return o, append(issues, hinted(d, "on_call.zone", "write for example Europe/Paris", "%s", err))
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if o.Start, err = time.ParseInLocation(layout, s.Start, zone); err == nil && o.Start.Year() >= 2000 && o.Start.Year() < 2200 {
			return o, issues
		}
	}
	return o, append(issues, hinted(d, "on_call.start", "write for example 2026-01-05T09:00", "%q is not a time", s.Start))
}

// decode returns what is wrong as issues; s holds what could be read.
func decode(d document.Document, s any) errs.Issues {
	err := d.Decode(s)
	if err == nil {
		return nil
	}
	if issues, ok := err.(errs.Issues); ok { //nolint:errorlint // Decode returns Issues as they are
		return issues
	}
	return errs.Issues{d.Issue("", "%s", err)}
}

func hinted(d document.Document, path, hint, format string, args ...any) errs.Issue {
	i := d.Issue(path, format, args...)
	i.Hint = hint
	return i
}

// location returns a zone of the IANA database by its name.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone", name)
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone that is known here", name)
	}
	return l, nil
}

func isSlackID(s string) bool {
	return len(s) >= 7 && len(s) <= 30 && (s[0] == 'U' || s[0] == 'W') && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

func trimAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimPrefix(n, personPrefix)
	}
	return out
}
