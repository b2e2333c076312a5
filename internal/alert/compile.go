package alert

import (
	"maps"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
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
		to := strings.Replace(m.path, "evidence.", "evidences.", 1)
		s.fields = append(s.fields, field{path, c.tree(where{at: "map." + m.key, to: to}, target(path), m.value)})
	}
	if v := c.spec.Map.Observables; v != nil {
		s.extra = c.tree(where{at: "map.observables"}, ocsf().Class.Attributes["observables"], v)
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
func (c *compiler) tree(w where, attr *attribute, v any) node {
	switch v := v.(type) {
	case map[string]any:
		return c.branch(w, attr, v)
	case []any:
		l := make([]node, len(v))
		for i, e := range v {
			at := w
			at.at = index(w.at, i)
			l[i] = c.tree(at, one(attr), e)
		}
		if attr != nil && !attr.Array && (attr.kind != kindFree || attr.first) {
			return first(l)
		}
		return items(l)
	case string:
		if attr != nil && attr.ids != nil {
			if id, ok := attr.ids[strings.ToLower(v)]; ok {
				return literal{id}
			}
		}
		return c.typed(w, attr, c.textOrExpression(w.at, v))
	}
	return c.typed(w, attr, literal{v})
}

// alternatives stands for one value of any kind: a list is the first that is
// there.
func alternatives() *attribute { return &attribute{Type: "object", kind: kindFree, first: true} }

// typed fits a value to its attribute.
func (c *compiler) typed(w where, attr *attribute, n node) node {
	if attr == nil || attr.first {
		return n
	}
	return &typed{w, attr, n}
}

// textOrExpression compiles text with expressions inside, or an expression.
func (c *compiler) textOrExpression(at, src string) node {
	if strings.Contains(src, "${{") {
		return c.text(at, src)
	}
	return c.expression(at, src)
}

func (c *compiler) branch(w where, attr *attribute, m map[string]any) node {
	b := branch{place: w}
	if attr != nil {
		b.known = attr.object
		if b.known == nil && attr.kind != kindFree {
			c.issue(w.at, "write a CEL expression", "%s is one %s, not a map", last(w.at), attr.Type)
			return &b
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		var a *attribute
		if b.known != nil {
			if a = b.known.Attributes[key]; a == nil {
				c.issue(w.at+"."+key, errs.Suggest(key, b.known.sorted), "OCSF knows no %q in %s", key, b.known.name)
				continue
			}
		}
		b.keys = append(b.keys, key)
		b.nodes = append(b.nodes, c.tree(where{at: w.at + "." + key, to: w.to + "." + key}, a, m[key]))
	}
	if attr != nil && attr.Array {
		return items{&b}
	}
	return &b
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
	when     condition
	title    node  // nil: that of the map
	severity int64 // -1: that of the map
	analytic map[string]any
	attacks  []any
}

func (c *compiler) rule(at string, spec RuleSpec) rule {
	r := rule{RuleSpec: spec, severity: -1, analytic: analytic(spec)}
	if spec.Title != "" {
		r.title = c.text(at+".title", spec.Title)
	} else if c.spec.Map.Title == nil {
		c.issue(at, "add title to the rule or to the map", "nothing says what %s is called", spec.ID)
	}
	r.when = c.condition(at+".when", spec.When)
	var n normaliser
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
			continue
		}
		r.attacks = append(r.attacks, n.object(&where{}, ocsf().Objects["attack"], a))
	}
	return r
}

// analytic is what a finding says of a rule.
func analytic(r RuleSpec) map[string]any {
	m := map[string]any{"type_id": int64(1), "type": "Rule", "uid": r.ID}
	if r.Title != "" && !strings.Contains(r.Title, "${{") {
		m["name"] = r.Title
	}
	return m
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
