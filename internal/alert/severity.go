package alert

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A severity reads how severe an event is: from a name or an id, by a table,
// or by thresholds.
type severity struct {
	at    string
	from  node // nil: unknown
	table map[string]int64
	steps []step // highest first
	other int64  // what the table and the steps do not say
	plain bool   // from gives a name or an id
}

type step struct {
	least    float64
	severity int64
}

// severity compiles map.severity.
func (c *compiler) severity(v any) severity {
	s := severity{at: "map.severity"}
	m, isMap := v.(map[string]any)
	switch v := v.(type) {
	case nil:
		return s
	case string:
		s.plain = true
		if id, ok := SeverityID(v); ok {
			s.from = literal{id}
			return s
		}
	}
	if !isMap {
		s.plain = true
		s.from = c.tree(where{at: s.at}, alternatives(), v)
		return s
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch key {
		case "from":
			s.from = c.tree(where{at: "map.severity.from"}, alternatives(), m[key])
		case "map":
			s.table = c.severityTable(m[key])
		case "at_least":
			s.steps = c.severitySteps(m[key])
		case "else":
			s.other = c.severityName("map.severity.else", m[key])
		default:
			c.issue("map.severity."+key, oneOf(key, []string{"from", "map", "at_least", "else"}), "unknown key %q", key)
		}
	}
	if s.from == nil || (s.table == nil) == (s.steps == nil) || m["else"] == nil {
		c.issue("map.severity", "for example {from: event.level, map: {WARN: medium}, else: low}",
			"severity needs from, else, and one of map and at_least")
	}
	return s
}

func (c *compiler) severityTable(v any) map[string]int64 {
	m, ok := v.(map[string]any)
	if !ok {
		c.issue("map.severity.map", "write {theirs: ours}", "map must say which of their values is which severity")
	}
	table := make(map[string]int64, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		table[strings.ToLower(key)] = c.severityName("map.severity.map."+key, m[key])
	}
	return table
}

func (c *compiler) severitySteps(v any) []step {
	m, ok := v.(map[string]any)
	if !ok {
		c.issue("map.severity.at_least", "write {high: 70, medium: 40}", "at_least must say from which number on a severity holds")
	}
	steps := make([]step, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := "map.severity.at_least." + key
		least, ok := number(m[key])
		if !ok {
			c.issue(at, "", "expected a number")
		}
		steps = append(steps, step{least, c.severityName(at, key)})
	}
	slices.SortFunc(steps, func(a, b step) int {
		if a.least > b.least {
			return -1
		}
		return 1
	})
	return steps
}

func (c *compiler) severityName(at string, v any) int64 {
	name, _ := v.(string)
	id, ok := SeverityID(name)
	if !ok {
		c.issue(at, oneOf(name, sortedKeys(severities)), "there is no severity %q", jsonText(v))
	}
	return id
}

// eval returns the OCSF severity_id of an event.
func (s severity) eval(e *evaluation) int64 {
	if s.from == nil {
		return 0
	}
	v := s.from.eval(e)
	if !s.plain {
		return s.look(v)
	}
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= 6 {
			return v
		}
	case string:
		if id, ok := SeverityID(v); ok {
			return id
		}
	case nil:
		e.note(s.at + ": there is none")
		return 0
	}
	e.note(s.at + ": is no severity")
	return 0
}

func (s severity) look(v any) int64 {
	if s.table != nil {
		text, _ := scalarText(v)
		if id, ok := s.table[strings.ToLower(text)]; ok {
			return id
		}
		return s.other
	}
	n, ok := number(v)
	for _, st := range s.steps {
		if ok && n >= st.least {
			return st.severity
		}
	}
	return s.other
}

// number reads a number, also from text.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}
