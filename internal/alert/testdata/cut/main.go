// Command cut takes from a checkout of github.com/ocsf/ocsf-schema what a
// Detection Finding needs, and prints it as the JSON that package alert embeds:
//
//	go run ./internal/alert/testdata/cut OCSF_SCHEMA_DIR >internal/alert/ocsf.json
//
// The schema is under the Apache License 2.0.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// objects are the objects that stay; attributes of other object types go.
var objects = strings.Fields(`
	account actor advisory affected_package agent analytic api attack autonomous_system
	cloud container cve cvss cwe database databucket device dns_query email evidences file firewall_rule
	finding_info fingerprint function_invocation group http_request iam_role idp image job
	key_value_object kill_chain_phase location malware metadata network_connection_info
	network_endpoint network_interface observable organization os package policy process
	product query_evidence related_event remediation request resource_details response
	rule script service session sub_technique tactic technique tls url user vulnerability`)

// profiles are those that may be applied to a finding.
var profiles = []string{"host", "cloud", "security_control"}

// dropped are attributes of the class that the ledger keeps elsewhere.
var dropped = []string{"raw_data", "raw_data_hash", "raw_data_size", "enrichments", "notes", "comment", "authorizations"}

type attribute struct {
	Type       string            `json:"type"`
	Array      bool              `json:"array,omitempty"`
	Required   bool              `json:"required,omitempty"`
	Profile    string            `json:"profile,omitempty"`
	Sibling    string            `json:"sibling,omitempty"`
	Observable int               `json:"observable,omitempty"`
	Enum       map[string]string `json:"enum,omitempty"`
}

type object struct {
	Attributes map[string]attribute `json:"attributes"`
	AtLeastOne []string             `json:"at_least_one,omitempty"`
	JustOne    []string             `json:"just_one,omitempty"`
}

type source struct {
	dir   string
	dict  map[string]map[string]any
	types map[string]map[string]any
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cut OCSF_SCHEMA_DIR")
		os.Exit(2)
	}
	s := source{dir: os.Args[1]}
	var dict struct {
		Attributes map[string]map[string]any
		Types      struct{ Attributes map[string]map[string]any }
	}
	s.read("dictionary.json", &dict)
	s.dict, s.types = dict.Attributes, dict.Types.Attributes
	var version struct{ Version string }
	s.read("version.json", &version)
	out := struct {
		Version string                    `json:"version"`
		Types   map[string]map[string]any `json:"types"`
		Class   object                    `json:"class"`
		Objects map[string]object         `json:"objects"`
	}{version.Version, map[string]map[string]any{}, s.class(), map[string]object{}}
	for _, name := range objects {
		out.Objects[name] = s.object(name)
	}
	kinds := out.Objects["observable"].Attributes["type_id"].Enum
	for name, a := range s.dict {
		observable(kinds, a, name)
	}
	for _, name := range objects {
		var o map[string]any
		s.read("objects/"+name+".json", &o)
		observable(kinds, o, name)
	}
	for name, t := range s.types {
		observable(kinds, t, name)
		out.Types[name] = map[string]any{}
		for _, k := range []string{"type", "observable"} {
			if v, ok := t[k]; ok {
				out.Types[name][k] = v
			}
		}
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		panic(err)
	}
}

// observable adds the kind of observable that a definition stands for.
func observable(kinds map[string]string, definition map[string]any, name string) {
	if n, ok := definition["observable"].(float64); ok {
		kinds[fmt.Sprint(n)], _ = definition["caption"].(string)
		if kinds[fmt.Sprint(n)] == "" {
			kinds[fmt.Sprint(n)] = name
		}
	}
}

func (s source) read(name string, v any) {
	b, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(1)
	}
}

type definition struct {
	Extends     string
	Attributes  map[string]json.RawMessage
	Constraints map[string][]string
}

// class merges base event, finding and detection finding, with the profiles.
func (s source) class() object {
	o := object{Attributes: map[string]attribute{}}
	for _, file := range []string{"events/base_event.json", "events/findings/finding.json", "events/findings/detection_finding.json"} {
		var d definition
		s.read(file, &d)
		s.add(o, d, "")
	}
	for _, p := range profiles {
		var d definition
		s.read("profiles/"+p+".json", &d)
		for name := range d.Attributes {
			if _, ok := o.Attributes[name]; ok {
				delete(d.Attributes, name)
			}
		}
		s.add(o, d, p)
	}
	for _, name := range dropped {
		delete(o.Attributes, name)
	}
	return o
}

func (s source) object(name string) object {
	var chain []definition
	for name != "" {
		var d definition
		s.read("objects/"+name+".json", &d)
		chain = append(chain, d)
		if name == d.Extends {
			break
		}
		name = d.Extends
	}
	o := object{Attributes: map[string]attribute{}}
	for _, d := range slices.Backward(chain) {
		s.add(o, d, "")
		if c := d.Constraints["at_least_one"]; c != nil {
			o.AtLeastOne = c
		}
		if c := d.Constraints["just_one"]; c != nil {
			o.JustOne = c
		}
	}
	return o
}

func (s source) add(o object, d definition, profile string) {
	for name, raw := range d.Attributes {
		if name == "$include" {
			continue
		}
		var local map[string]any
		if err := json.Unmarshal(raw, &local); err != nil {
			panic(err)
		}
		merged := maps.Clone(s.dict[name])
		if merged == nil || merged["@deprecated"] != nil || local["@deprecated"] != nil {
			delete(o.Attributes, name)
			continue
		}
		a := o.Attributes[name]
		a.Type, _ = merged["type"].(string)
		if t, ok := local["type"].(string); ok {
			a.Type = t
		}
		if s.types[a.Type] == nil && !slices.Contains(objects, a.Type) && a.Type != "object" {
			continue
		}
		a.Array, _ = merged["is_array"].(bool)
		if r, ok := local["requirement"].(string); ok {
			a.Required = r == "required"
		}
		if sib, ok := merged["sibling"].(string); ok {
			a.Sibling = sib
		}
		if n, ok := merged["observable"].(float64); ok {
			a.Observable = int(n)
		}
		for _, from := range []map[string]any{merged, local} {
			enum, _ := from["enum"].(map[string]any)
			for id, v := range enum {
				if a.Enum == nil {
					a.Enum = map[string]string{}
				}
				a.Enum[id], _ = v.(map[string]any)["caption"].(string)
			}
		}
		if profile != "" {
			a.Profile, a.Required = profile, false
		}
		o.Attributes[name] = a
	}
}
