package playbook

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// Spec is a playbook as its author writes it; docs/playbooks.md explains it.
// Where a field holds an expression, the name of its type says so: an
// expression is CEL, every other text may have ${{ CEL }} inside.
type Spec struct {
	On          triggersSpec         `yaml:"on" doc:"What starts the playbook: one trigger or a list."`
	Inputs      map[string]InputSpec `yaml:"inputs" doc:"Values that a run is given when it starts, by name."`
	Concurrency *concurrencySpec     `yaml:"concurrency" doc:"How many runs may go on at once."`
	Steps       []stepSpec           `yaml:"steps" required:"true" doc:"What is done, from top to bottom."`
	Finally     []stepSpec           `yaml:"finally" doc:"Steps that run at the end, however the run ends."`
	Output      any                  `yaml:"output" doc:"The result of a run that ended well."`
	Tests       []testSpec           `yaml:"tests" doc:"Tests that plan runs."`
}

// InputSpec declares one input.
type InputSpec struct {
	Type        string `yaml:"type" enum:"string,int,number,bool,list,object" doc:"Type of the value; any when absent."`
	Required    bool   `yaml:"required" doc:"A run cannot start without it."`
	Default     any    `yaml:"default" doc:"Value when none is given."`
	Enum        []any  `yaml:"enum" doc:"The values that are allowed."`
	Description string `yaml:"description" doc:"For people who fill it in."`
}

type concurrencySpec struct {
	Key      string `yaml:"key" doc:"Runs with the same key are counted together; all of the playbook when absent."`
	Max      int    `yaml:"max" required:"true" min:"1" max:"1000" doc:"How many may go on at once."`
	WhenFull string `yaml:"when_full" enum:"queue,drop" doc:"queue (default): the run waits its turn; drop: it does not start."`
}

type triggerSpec struct {
	Alert    *string       `yaml:"alert" doc:"Expression over alert and case: each new alert for which it is true starts a run."`
	Webhook  string        `yaml:"webhook" pattern:"^[a-z0-9][a-z0-9-]{0,62}$" doc:"Name of the hook whose calls start a run; what was sent is trigger.data."`
	Schedule *scheduleSpec `yaml:"schedule" doc:"Times at which a run starts."`
	Manual   *bool         `yaml:"manual" doc:"true: people and the API may start it."`
	Record   *recordSpec   `yaml:"record" doc:"Records of the ledger that start a run; the record is trigger.record."`
}

type scheduleSpec struct {
	Cron   string `yaml:"cron" required:"true" doc:"minute hour day month weekday, or @hourly, @daily, @weekly, @monthly, @yearly."`
	Zone   string `yaml:"zone" doc:"Time zone such as Europe/Paris; UTC when absent."`
	Missed string `yaml:"missed" enum:"skip,once,all" doc:"What is done after a stop for the times that were missed: once (default), skip or all."`
}

type recordSpec struct {
	Kinds []string `yaml:"kinds" required:"true" min:"1" max:"50" doc:"Kinds of record, such as case.resolved."`
	If    string   `yaml:"if" doc:"Expression over record."`
}

// triggersSpec is one trigger or a list of triggers.
type triggersSpec []triggerSpec

// UnmarshalNode implements document.Unmarshaler.
func (t *triggersSpec) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		var list []triggerSpec
		err := document.DecodeNode(n, &list)
		*t = list
		return err
	}
	var one triggerSpec
	err := document.DecodeNode(n, &one)
	*t = triggersSpec{one}
	return err
}

// JSONSchema implements document.Schemer.
func (triggersSpec) JSONSchema() map[string]any { return oneOrMore[triggerSpec]() }

// oneOrMany is a text or a list of texts.
type oneOrMany []string

// UnmarshalNode implements document.Unmarshaler.
func (l *oneOrMany) UnmarshalNode(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return document.DecodeNode(n, (*[]string)(l))
	}
	*l = make(oneOrMany, 1)
	return document.DecodeNode(n, &(*l)[0])
}

// JSONSchema implements document.Schemer.
func (oneOrMany) JSONSchema() map[string]any { return oneOrMore[string]() }

// named is a map that keeps its order.
type named[T any] []entry[T]

type entry[T any] struct {
	name  string
	value T
}

// UnmarshalNode implements document.Unmarshaler.
func (m *named[T]) UnmarshalNode(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("expected a map")
	}
	var issues errs.Issues
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry[T]{name: n.Content[i].Value}
		issues = append(issues, below(pathKey("", e.name), document.DecodeNode(n.Content[i+1], &e.value))...)
		*m = append(*m, e)
	}
	return issues.Err()
}

// JSONSchema implements document.Schemer.
func (named[T]) JSONSchema() map[string]any { return mapOf[T]() }

// below puts a path in front of those of the issues.
func below(path string, err error) errs.Issues {
	if err == nil {
		return nil
	}
	issues, ok := err.(errs.Issues) //nolint:errorlint // document.DecodeNode returns them bare
	if !ok {
		return errs.Issues{{Field: path, Msg: err.Error()}}
	}
	for i := range issues {
		switch f := issues[i].Field; {
		case f == "":
			issues[i].Field = path
		case f[0] == '[':
			issues[i].Field = path + f
		default:
			issues[i].Field = path + "." + f
		}
	}
	return issues
}

// pathKey extends the path of a field as document does.
func pathKey(path, key string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
	}
	if strings.IndexFunc(key, func(r rune) bool { return !plain(r) }) >= 0 || key == "" {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// testSpec is one test of a playbook.
type testSpec struct {
	Name   string     `yaml:"name" required:"true" doc:"What is true when the test passes."`
	Given  givenSpec  `yaml:"given" doc:"What the run meets."`
	Expect expectSpec `yaml:"expect" required:"true" doc:"What must come of it."`
}

type givenSpec struct {
	Alert     map[string]any `yaml:"alert" doc:"The alert."`
	Case      map[string]any `yaml:"case" doc:"The case of the alert."`
	Inputs    map[string]any `yaml:"inputs" doc:"The inputs."`
	Trigger   map[string]any `yaml:"trigger" doc:"What started the run: the webhook's call, the record."`
	Requester string         `yaml:"requester" doc:"Who started the run, such as person/ada."`
	Now       string         `yaml:"now" doc:"When the run starts: 2026-11-22T08:00:00Z."`
	Steps     map[string]any `yaml:"steps" doc:"What each step that leaves the machine gets, by id: one result, or a list for one time after another."`
}

type expectSpec struct {
	Matches *bool                    `yaml:"matches" doc:"Whether the alert starts the playbook at all."`
	Status  string                   `yaml:"status" enum:"ok,failed,stopped,cancelled" doc:"How the run ends."`
	Called  *[]string                `yaml:"called" doc:"All operations that are called, in order."`
	Asked   *[]string                `yaml:"asked" doc:"Ids of all steps that ask, in order."`
	Played  *[]string                `yaml:"played" doc:"All playbooks that are played, in order."`
	Sent    map[string]any           `yaml:"sent" doc:"Part of what a step sends, by id: its arguments, its question."`
	Steps   map[string]any           `yaml:"steps" doc:"Part of the result of steps, by id."`
	Vars    map[string]any           `yaml:"vars" doc:"Part of the variables at the end."`
	Output  any                      `yaml:"output" doc:"The whole output."`
	Waits   map[string]time.Duration `yaml:"waits" doc:"How long steps wait, by id."`
	Took    *time.Duration           `yaml:"took" doc:"How long the run takes."`
	Error   string                   `yaml:"error" doc:"Part of the error of the run."`
}
