package alert

import (
	"maps"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// place says where a key of a mapping stands in the finding.
type mapped struct {
	key   string
	value any
	path  string
}

// entries returns the mapping in the order in which the finding is filled.
func (m *Mapping) entries() []mapped {
	return []mapped{
		{"uid", m.UID, "finding_info.uid"},
		{"title", m.Title, "finding_info.title"},
		{"desc", m.Desc, "finding_info.desc"},
		{"url", m.URL, "finding_info.src_url"},
		{"types", m.Types, "finding_info.types"},
		{"first_seen", m.FirstSeen, "finding_info.first_seen_time"},
		{"last_seen", m.LastSeen, "finding_info.last_seen_time"},
		{"attacks", m.Attacks, "finding_info.attacks"},
		{"analytic", m.Analytic, "finding_info.analytic"},
		{"tags", m.Tags, "finding_info.tags"},
		{"related_events_count", m.RelatedEvents, "finding_info.related_events_count"},
		{"message", m.Message, "message"},
		{"time", m.Time, "time"},
		{"confidence", m.Confidence, "confidence_id"},
		{"risk_score", m.RiskScore, "risk_score"},
		{"status_detail", m.StatusDetail, "status_detail"},
		{"actor", m.Actor, "actor"},
		{"device", m.Device, "device"},
		{"cloud", m.Cloud, "cloud"},
		{"api", m.API, "api"},
		{"evidence", m.Evidence, "evidence"},
		{"src_endpoint", m.SrcEndpoint, "evidence.src_endpoint"},
		{"dst_endpoint", m.DstEndpoint, "evidence.dst_endpoint"},
		{"evidences", m.Evidences, "evidences"},
		{"resources", m.Resources, "resources"},
		{"vulnerabilities", m.Vulnerabilities, "vulnerabilities"},
		{"malware", m.Malware, "malware"},
		{"remediation", m.Remediation, "remediation"},
		{"action", m.Action, "action_id"},
		{"disposition", m.Disposition, "disposition_id"},
		{"policy", m.Policy, "policy"},
		{"firewall_rule", m.FirewallRule, "firewall_rule"},
		{"unmapped", m.Unmapped, "unmapped"},
	}
}

// evidence is the first of finding.evidences while it is being filled.
func evidence() *attribute {
	return &attribute{Type: "evidences", object: ocsf().Objects["evidences"]}
}

// target returns the attribute at a path of the finding.
func target(path []string) *attribute {
	o := ocsf().Class
	var a *attribute
	for i, key := range path {
		if a = o.Attributes[key]; i == 0 && key == "evidence" {
			a = evidence()
		}
		o = a.object
	}
	return a
}

// mapping compiles the map, the severity and the fingerprint.
func (c *compiler) mapping(s *Source) {
	for _, m := range c.spec.Map.entries() {
		if m.value == nil {
			continue
		}
		path := strings.Split(m.path, ".")
		attr := target(path)
		s.fields = append(s.fields, field{path, "map." + m.key, attr, c.tree("map."+m.key, attr, m.value)})
	}
	if v := c.spec.Map.Observables; v != nil {
		s.extra = c.tree("map.observables", ocsf().Class.Attributes["observables"], v)
	}
	s.severity = c.severity(c.spec.Map.Severity)
	if len(c.spec.Rules) == 0 && c.spec.Map.Severity == nil {
		c.issue("map", "add severity", "nothing says how severe an alert is")
	}
	if len(c.spec.Rules) == 0 && c.spec.Map.Title == nil {
		c.issue("map", "add title", "nothing says what an alert is called")
	}
	for i, src := range c.spec.Fingerprint {
		s.fingerprint = append(s.fingerprint, c.expression(index("fingerprint", i), src))
	}
}

// tree compiles a value for an attribute; attr is nil where anything may stand.
func (c *compiler) tree(at string, attr *attribute, v any) node {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "${{") {
			return c.text(at, v)
		}
		if attr != nil && attr.ids != nil {
			if id, ok := attr.ids[strings.ToLower(v)]; ok {
				return literal{id}
			}
		}
		return c.expression(at, v)
	case map[string]any:
		return c.branch(at, attr, v)
	case []any:
		l := make(items, len(v))
		for i, e := range v {
			l[i] = c.tree(index(at, i), one(attr), e)
		}
		if attr != nil && !attr.Array && attr.Type != "json_t" && attr.Type != "object" {
			return first(l)
		}
		return l
	}
	return literal{v}
}

func (c *compiler) branch(at string, attr *attribute, m map[string]any) node {
	var b branch
	var known *object
	if attr != nil {
		known = attr.object
		if known == nil && attr.Type != "json_t" && attr.Type != "object" {
			c.issue(at, "write a CEL expression", "%s is one %s, not a map", last(at), attr.Type)
			return b
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		var a *attribute
		if known != nil {
			if a = known.Attributes[key]; a == nil {
				c.issue(at+"."+key, errs.Suggest(key, known.sorted), "OCSF knows no %q in %s", key, known.name)
				continue
			}
		}
		b.keys = append(b.keys, key)
		b.nodes = append(b.nodes, c.tree(at+"."+key, a, m[key]))
	}
	return b
}

// one returns the attribute of the elements of a list.
func one(a *attribute) *attribute {
	if a == nil {
		return nil
	}
	e := *a
	e.Array = false
	return &e
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// A rule is a compiled RuleSpec.
type rule struct {
	RuleSpec
	at       string
	when     *expr.Program
	title    node  // nil: that of the map
	severity int64 // -1: that of the map
}

func (c *compiler) rule(at string, spec RuleSpec) rule {
	r := rule{RuleSpec: spec, at: at, severity: -1}
	if spec.Title != "" {
		r.title = c.text(at+".title", spec.Title)
	} else if c.spec.Map.Title == nil {
		c.issue(at, "add title to the rule or to the map", "nothing says what %s is called", spec.ID)
	}
	r.when = c.condition(at+".when", spec.When)
	if spec.Severity != "" {
		id, ok := SeverityID(spec.Severity)
		if !ok {
			c.issue(at+".severity", oneOf(spec.Severity, sortedKeys(severities)), "there is no severity %q", spec.Severity)
		}
		r.severity = id
	} else if c.spec.Map.Severity == nil {
		c.issue(at, "add severity to the rule or to the map", "nothing says how severe %s is", spec.ID)
	}
	if spec.Confidence != "" && ocsf().Class.Attributes["confidence_id"].ids[strings.ToLower(spec.Confidence)] == 0 {
		c.issue(at+".confidence", "write low, medium or high", "there is no confidence %q", spec.Confidence)
	}
	for i, a := range spec.Attack {
		if !validAttack(a) {
			c.issue(index(at+".attack", i), "write TA0006:T1110, TA0006 or T1110", "%q is neither a tactic nor a technique", a)
		}
	}
	return r
}

func validAttack(s string) bool {
	tactic, technique, both := strings.Cut(s, ":")
	if !both && !strings.HasPrefix(tactic, "TA") {
		tactic, technique = "", tactic
	}
	if tactic != "" && tactics[tactic] == "" {
		return false
	}
	if technique == "" {
		return tactic != "" && !both
	}
	digits := strings.Replace(strings.TrimPrefix(technique, "T"), ".", "", 1)
	return technique[0] == 'T' && len(digits) >= 4 && strings.Trim(digits, "0123456789") == ""
}
