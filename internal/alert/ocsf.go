package alert

import (
	_ "embed" // for ocsf.json
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ocsfJSON is what a Detection Finding may hold, cut from the OCSF schema
// (Apache License 2.0) by testdata/cut.
//
//go:embed ocsf.json
var ocsfJSON []byte

// A schema is the class and its objects. It is built once and then only read.
type schema struct {
	Version string                `json:"version"`
	Types   map[string]scalarType `json:"types"`
	Class   *object               `json:"class"`
	Objects map[string]*object    `json:"objects"`
}

type scalarType struct {
	Type       string `json:"type"` // the base type, "" when this is one
	Observable int64  `json:"observable"`
}

// An object is one OCSF object, or the class itself.
type object struct {
	Attributes map[string]*attribute `json:"attributes"`
	AtLeastOne []string              `json:"at_least_one"`
	JustOne    []string              `json:"just_one"`

	name     string
	sorted   []string // the names of Attributes
	required []string // enumerations that must be there and may be 0, unknown
	must     []string // what else must be there
	siblings []string // enumerations whose caption stands in a sibling
}

// An attribute is one key of an object.
type attribute struct {
	Type       string            `json:"type"`
	Array      bool              `json:"array"`
	Required   bool              `json:"required"`
	Profile    string            `json:"profile"`
	Sibling    string            `json:"sibling"`
	Observable int64             `json:"observable"`
	Enum       map[string]string `json:"enum"`

	object   *object          // nil for scalars and for free-form JSON
	kind     attributeKind    // of a scalar
	watched  bool             // a value is an observable that we list
	first    bool             // a list stands for its first value that is there
	captions map[int64]string // of Enum
	ids      map[string]int64 // of Enum, by caption in lower case
}

// An attributeKind is how a scalar is fitted to its type.
type attributeKind int

const (
	kindText attributeKind = iota
	kindFree
	kindBool
	kindInt
	kindFloat
	kindTime
)

var attributeKinds = map[string]attributeKind{
	"object": kindFree, "json_t": kindFree, "boolean_t": kindBool, "float_t": kindFloat, "timestamp_t": kindTime,
	"integer_t": kindInt, "long_t": kindInt, "port_t": kindInt,
}

// ocsf parses the embedded schema once.
var ocsf = sync.OnceValue(func() *schema {
	var s schema
	if err := json.Unmarshal(ocsfJSON, &s); err != nil {
		panic("internal error: ocsf.json: " + err.Error())
	}
	s.Class.link(&s, "finding")
	for name, o := range s.Objects {
		o.link(&s, name)
	}
	return &s
})

func (o *object) link(s *schema, name string) {
	o.name = name
	for key, a := range o.Attributes {
		o.sorted = append(o.sorted, key)
		a.object, a.kind = s.Objects[a.Type], attributeKinds[a.Type]
		if a.Observable == 0 {
			a.Observable = s.Types[a.Type].Observable
		}
		a.watched = slices.Contains(watched, a.Observable)
		if len(a.Enum) > 0 {
			a.captions, a.ids = map[int64]string{}, map[string]int64{}
		}
		for text, caption := range a.Enum {
			id, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				continue
			}
			a.captions[id], a.ids[strings.ToLower(caption)] = caption, id
		}
		if _, unknown := a.captions[0]; unknown && a.Required {
			o.required = append(o.required, key)
		} else if a.Required {
			o.must = append(o.must, key)
		}
		if a.captions != nil && a.Sibling != "" && !a.Array {
			o.siblings = append(o.siblings, key)
		}
	}
	slices.Sort(o.sorted)
	slices.Sort(o.required)
	slices.Sort(o.must)
	slices.Sort(o.siblings)
}

// Severities of OCSF by name, the only ones a source may give.
var severities = map[string]int64{
	"unknown": 0, "informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5, "fatal": 6,
}

// SeverityID returns the OCSF severity_id of a name such as "high" or
// "Informational", and false for a name that OCSF does not have.
func SeverityID(name string) (int64, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "info" {
		name = "informational"
	}
	id, ok := severities[name]
	return id, ok
}

// SeverityName returns the name of an OCSF severity_id in lower case.
func SeverityName(id int64) string {
	for name, n := range severities {
		if n == id {
			return name
		}
	}
	return "unknown"
}

// tactics are the tactics of MITRE ATT&CK for enterprises (attack.mitre.org).
var tactics = map[string]string{
	"TA0001": "Initial Access", "TA0002": "Execution", "TA0003": "Persistence",
	"TA0004": "Privilege Escalation", "TA0005": "Defense Evasion", "TA0006": "Credential Access",
	"TA0007": "Discovery", "TA0008": "Lateral Movement", "TA0009": "Collection",
	"TA0010": "Exfiltration", "TA0011": "Command and Control", "TA0040": "Impact",
	"TA0042": "Resource Development", "TA0043": "Reconnaissance",
}
