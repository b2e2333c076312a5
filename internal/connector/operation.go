package connector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// ArgType is what an argument holds.
type ArgType string

// What an argument holds. Text also takes numbers and true or false.
const (
	Text ArgType = "text"
	Map  ArgType = "map"
	List ArgType = "list"
	Any  ArgType = "any"
)

// An Arg is one argument of an operation.
type Arg struct {
	Name     string   `json:"name"`
	Type     ArgType  `json:"type"`
	Required bool     `json:"required,omitempty"`
	Values   []string `json:"values,omitempty"` // all that it may be; nil: anything
	Doc      string   `json:"doc"`
}

// An Operation is one thing that a playbook can call.
type Operation struct {
	ID              string     `json:"id"`
	Title           string     `json:"title"`
	NeedsConnection bool       `json:"needs_connection,omitempty"`
	Args            []Arg      `json:"args"`
	ReadOnly        bool       `json:"read_only,omitempty"` // changes nothing, so it may be tried freely
	Result          *expr.Type `json:"-"`                   // what the step that calls it holds afterwards
}

// Check finds what is wrong with arguments as a document has them; connected
// says whether the step names a connection. Texts with expressions in them are
// known only when the playbook runs, and pass. Fields are paths inside with.
func (o Operation) Check(with map[string]any, connected bool) errs.Issues {
	return o.check(with, connected, dynamic)
}

// check is Check where later says which values are not known yet.
func (o Operation) check(with map[string]any, connected bool, later func(any) bool) errs.Issues {
	var issues errs.Issues
	if o.NeedsConnection && !connected {
		issues = append(issues, errs.Issue{Msg: o.ID + " needs a connection", Hint: "connection: NAME"})
	}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		i := slices.IndexFunc(o.Args, func(a Arg) bool { return a.Name == name })
		if i < 0 {
			i := errs.Issue{Field: name, Msg: "unknown argument of " + o.ID, Hint: orChoose(name, o.argNames())}
			if len(o.Args) == 0 {
				i.Msg, i.Hint = o.ID+" takes no arguments", ""
			}
			issues = append(issues, i)
			continue
		}
		if v := with[name]; v != nil && !later(v) {
			issues = append(issues, o.Args[i].check(v)...)
		}
	}
	for _, a := range o.Args {
		if v := with[a.Name]; a.Required && (v == nil || v == "") {
			issues = append(issues, errs.Issue{Field: a.Name, Msg: fmt.Sprintf("%s needs %s", o.ID, a.Name), Hint: a.Doc})
		}
	}
	if o.ID == "http" {
		issues = append(issues, checkHTTP(with, connected, later)...)
	}
	return issues
}

func (o Operation) argNames() []string {
	names := make([]string, len(o.Args))
	for i, a := range o.Args {
		names[i] = a.Name
	}
	return names
}

func (a Arg) check(v any) errs.Issues {
	ok := true
	switch a.Type {
	case Text:
		_, ok = text(v)
	case Map:
		_, ok = v.(map[string]any)
	case List:
		_, ok = v.([]any)
	case Any:
	}
	if !ok {
		return errs.Issues{{Field: a.Name, Msg: fmt.Sprintf("is %s, where a %s is wanted", describe(v), a.Type)}}
	}
	if s, isText := text(v); isText && a.Values != nil && !slices.Contains(a.Values, s) {
		return errs.Issues{{Field: a.Name, Msg: fmt.Sprintf("%q is not known", s), Hint: orChoose(s, a.Values)}}
	}
	return nil
}

// dynamic reports whether v is a text with an expression in it.
func dynamic(v any) bool {
	s, ok := v.(string)
	return ok && strings.Contains(strings.ReplaceAll(s, "$${{", ""), "${{")
}

// Builtin returns the operations that need no catalogue, by their id.
func Builtin() map[string]Operation {
	m := map[string]Operation{}
	for _, o := range []Operation{
		httpOperation,
		{
			ID: "case.comment", Title: "Write into the case of the alert", Args: []Arg{
				{Name: "text", Type: Text, Required: true, Doc: "what to write"},
			},
		},
		{
			ID: "case.resolve", Title: "Close the case with a verdict", Args: []Arg{
				{Name: "verdict", Type: Text, Required: true, Doc: "what it was, for example true_positive, false_positive or benign"},
				{Name: "reason", Type: Text, Doc: "why, for whoever reads the case later"},
			},
		},
		{
			ID: "case.assign", Title: "Give the case to a person or a team", Args: []Arg{
				{Name: "to", Type: Text, Required: true, Doc: "person/NAME or team/NAME"},
			},
		},
		{ID: "case.acknowledge", Title: "Note that the case is being handled", Args: []Arg{}},
		{
			ID: "slack.post", Title: "Post a message in Slack", Args: []Arg{
				{Name: "channel", Type: Text, Required: true, Doc: "a channel such as #soc, or a person's @name or e-mail"},
				{Name: "text", Type: Text, Required: true, Doc: "the message; nothing in it is read as markup from outside"},
				{Name: "fields", Type: Map, Doc: "titles and short values shown below the text"},
			}, Result: expr.OpenObject(map[string]*expr.Type{"channel": expr.String(), "ts": expr.String()}),
		},
	} {
		m[o.ID] = o
	}
	return m
}
