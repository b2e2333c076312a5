package alert

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A normaliser fits values from outside to the OCSF schema. What does not fit
// is left out and named in problems.
type normaliser struct {
	problems []string
}

// maxProblems bounds what one event can make us write down.
const maxProblems = 20

func (n *normaliser) problem(path, format string, args ...any) {
	if len(n.problems) < maxProblems {
		n.problems = append(n.problems, path+": "+fmt.Sprintf(format, args...))
	}
}

// attribute returns v as the attribute wants it, or nil when nothing is left.
func (n *normaliser) attribute(path string, a *attribute, v any) any {
	list, isList := v.([]any)
	switch {
	case empty(v):
		return nil
	case a.Array && !isList:
		list = []any{v}
	case a.Array:
	case isList:
		n.problem(path, "is one %s, not a list", a.Type)
		return nil
	default:
		return n.one(path, a, v)
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		if e = n.one(path, a, e); e != nil {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (n *normaliser) one(path string, a *attribute, v any) any {
	if empty(v) {
		return nil
	}
	if a.object != nil {
		return n.object(path, a.object, v)
	}
	switch a.Type {
	case "object", "json_t":
		return v
	case "boolean_t":
		return n.boolean(path, v)
	case "integer_t", "long_t", "port_t":
		return n.integer(path, a, v)
	case "float_t":
		return n.float(path, v)
	case "timestamp_t":
		t, ok := parseTime(v)
		if !ok {
			n.problem(path, "is no time")
		}
		if t.IsZero() {
			return nil
		}
		return t.UnixMilli()
	}
	return n.text(path, a, v)
}

// object fits a map, or the short form of an object, to its schema.
func (n *normaliser) object(path string, o *object, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		if s, text := v.(string); text && (placeholder(strings.TrimSpace(s)) || o.name == "fingerprint" && strings.Trim(s, "0") == "") {
			return nil // nothing, as products write it
		}
		if m = shorthand(o.name, v); m == nil {
			n.problem(path, "is no %s", o.name)
			return nil
		}
	}
	out := make(map[string]any, len(m)+1)
	for key, e := range m {
		a := o.Attributes[key]
		if a == nil {
			n.problem(path, "OCSF knows no %q in %s", key, o.name)
			continue
		}
		if e = n.attribute(path+"."+key, a, e); e != nil {
			out[key] = e
		}
	}
	return n.complete(path, o, out)
}

// complete adds what the schema requires and we can know, and drops an object
// that says nothing.
func (n *normaliser) complete(path string, o *object, m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	switch o.name {
	case "user":
		fill(m, "name", m["email_addr"])
	case "file":
		fill(m, "name", base(m["path"]))
	case "attack":
		completeAttack(m)
	}
	if len(o.AtLeastOne) > 0 && !anyOf(m, o.AtLeastOne) {
		return nil // a device of which only the type is known, a user without a name
	}
	for _, key := range o.required {
		if _, ok := m[key]; ok {
			continue
		}
		m[key] = int64(0)
		if o.Attributes[key].Array {
			m[key] = []any{int64(0)}
		}
	}
	for _, key := range o.siblings {
		a := o.Attributes[key]
		id, ok := m[key].(int64)
		if !ok || id == 0 {
			continue
		}
		if caption, known := a.captions[id]; known && id != 99 {
			m[a.Sibling] = caption
		}
	}
	return m
}

func (n *normaliser) text(path string, a *attribute, v any) any {
	s, ok := scalarText(v)
	if !ok {
		n.problem(path, "is no text")
		return nil
	}
	s = strings.TrimSpace(s)
	switch a.Type {
	case "ip_t":
		ip, ok := parseIP(s)
		if !ok {
			return nil // "AWS Internal", "unknown", a host name: not an address
		}
		s = ip.String()
	case "mac_t":
		s = strings.ToLower(strings.ReplaceAll(s, "-", ":"))
	case "email_t":
		if !strings.Contains(s, "@") {
			return nil
		}
	case "hostname_t", "username_t":
		if placeholder(s) {
			return nil
		}
	}
	if s == "" {
		return nil
	}
	return s
}

// integer accepts the number, digits, or the caption of an enumeration.
func (n *normaliser) integer(path string, a *attribute, v any) any {
	id, ok := wholeNumber(v)
	if s, text := v.(string); text && !ok && a.ids != nil {
		if id, ok = a.ids[strings.ToLower(strings.TrimSpace(s))]; !ok {
			_, ok = a.captions[99]
			id = 99
		}
	}
	if !ok {
		n.problem(path, "is no whole number")
		return nil
	}
	if _, known := a.captions[id]; a.captions != nil && !known {
		n.problem(path, "has no value %d", id)
		return nil
	}
	if a.Type == "port_t" && (id < 0 || id > math.MaxUint16) {
		n.problem(path, "%d is no port", id)
		return nil
	}
	return id
}

func (n *normaliser) float(path string, v any) any {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	n.problem(path, "is no number")
	return nil
}

func (n *normaliser) boolean(path string, v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
	case int64:
		return v != 0
	}
	n.problem(path, "is neither true nor false")
	return nil
}

// empty says that a value carries nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// placeholder says that a name is what products write when they have none.
func placeholder(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "--", "?", "n/a", "na", "none", "null", "nil", "unknown", "<unknown>", "undefined", "(none)", "not available":
		return true
	}
	return false
}

// scalarText writes a scalar as text, and refuses lists and objects.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	}
	return "", false
}

func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		if math.Abs(v) < 1<<53 {
			return int64(math.Round(v)), true
		}
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// parseIP reads an address with or without zone, brackets and port.
func parseIP(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// anyOf says that m has one of the keys.
func anyOf(m map[string]any, keys []string) bool {
	for _, k := range keys {
		if _, ok := m[k]; ok {
			return true
		}
	}
	return false
}

func fill(m map[string]any, key string, v any) {
	if _, ok := m[key]; !ok && v != nil && v != "" {
		m[key] = v
	}
}

// base returns the last element of a Unix or Windows path.
func base(path any) any {
	s, ok := path.(string)
	if !ok {
		return nil
	}
	s = strings.TrimRight(s, `/\`)
	return s[strings.LastIndexAny(s, `/\`)+1:]
}

// jsonText writes any JSON value as text for people: scalars as they are, the rest
// as JSON.
func jsonText(v any) string {
	if s, ok := scalarText(v); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
