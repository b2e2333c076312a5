package alert

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A normaliser fits values from outside to the OCSF schema. What does not fit
// is left out and named in problems; observables are noted on the way.
type normaliser struct {
	problems []string
	observed observed
}

// maxProblems bounds what one event can make us write down.
const maxProblems = 20

// where is the place of a value. It is a text only when somebody asks.
type where struct {
	at  string // in the document, of the root
	to  string // in the finding, of the root
	up  *where // nil for the root
	key string // below up
}

func (w *where) String() string {
	if w.up == nil {
		return w.at
	}
	return w.up.String() + "." + w.key
}

func (w *where) finding() string {
	if w.up == nil {
		return w.to
	}
	return w.up.finding() + "." + w.key
}

func (n *normaliser) problem(w *where, format string, args ...any) {
	n.note(w.String() + ": " + fmt.Sprintf(format, args...))
}

// failed notes that an expression failed.
func (n *normaliser) failed(at string, err error) { n.note(at + ": " + err.Error()) }

func (n *normaliser) note(problem string) {
	if len(n.problems) < maxProblems {
		n.problems = append(n.problems, problem)
	}
}

// attribute returns v as the attribute wants it, or nil when nothing is left.
func (n *normaliser) attribute(w *where, a *attribute, v any) any {
	if empty(v) {
		return nil
	}
	list, isList := v.([]any)
	switch {
	case a.Array && !isList:
		if one := n.one(w, a, v); one != nil {
			return []any{one}
		}
		return nil
	case a.Array:
	case isList && a.Type != "json_t" && a.Type != "object":
		n.problem(w, "is one %s, not a list", a.Type)
		return nil
	default:
		return n.one(w, a, v)
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		if e = n.one(w, a, e); e != nil {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (n *normaliser) one(w *where, a *attribute, v any) any {
	if empty(v) {
		return nil
	}
	if a.object != nil {
		return n.object(w, a.object, v)
	}
	switch a.kind {
	case kindFree:
		return v
	case kindBool:
		return n.boolean(w, v)
	case kindInt:
		return n.integer(w, a, v)
	case kindFloat:
		return n.float(w, v)
	case kindTime:
		t, ok := parseTime(v)
		if !ok {
			n.problem(w, "is no time")
		}
		if t.IsZero() {
			return nil
		}
		return t.UnixMilli()
	case kindText:
	}
	s := n.text(w, a, v)
	if s == "" {
		return nil
	}
	if a.watched {
		n.observed.add(w.finding(), a.Observable, s)
	}
	return s
}

// object fits a map, or the short form of an object, to its schema.
func (n *normaliser) object(w *where, o *object, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		if s, text := v.(string); text && (placeholder(strings.TrimSpace(s)) || o.name == "fingerprint" && strings.Trim(s, "0") == "") {
			return nil // nothing, as products write it
		}
		if m = shorthand(o.name, v); m == nil {
			n.problem(w, "is no %s", o.name)
			return nil
		}
	}
	out := make(map[string]any, min(len(m), 8))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		a := o.Attributes[key]
		if a == nil {
			n.problem(w, "OCSF knows no %q in %s", key, o.name)
			continue
		}
		if e := n.attribute(&where{up: w, key: key}, a, m[key]); e != nil {
			out[key] = e
		}
	}
	return n.complete(o, out)
}

// complete adds what the schema requires and we can know, and drops an object
// that says nothing.
func (n *normaliser) complete(o *object, m map[string]any) any {
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
	if !o.says(m) {
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
		id, ok := m[key].(int64)
		if !ok || id == 0 || id == 99 {
			continue
		}
		a := o.Attributes[key]
		if caption, known := a.captions[id]; known {
			m[a.Sibling] = caption
		}
	}
	return m
}

// says tells whether an object has what the schema cannot do without. Of
// attributes that exclude each other it keeps the first.
func (o *object) says(m map[string]any) bool {
	for _, key := range o.must {
		if _, ok := m[key]; !ok {
			return false
		}
	}
	if len(o.JustOne) > 0 {
		found := false
		for _, key := range o.JustOne {
			if _, ok := m[key]; ok && found {
				delete(m, key)
			} else if ok {
				found = true
			}
		}
		return found
	}
	return len(o.AtLeastOne) == 0 || anyOf(m, o.AtLeastOne)
}

// text returns "" when nothing is left.
func (n *normaliser) text(w *where, a *attribute, v any) string {
	s, ok := scalarText(v)
	if !ok {
		n.problem(w, "is no text")
		return ""
	}
	s = strings.TrimSpace(s)
	switch a.Type {
	case "ip_t":
		ip, ok := parseIP(s)
		if !ok {
			return "" // "AWS Internal", "unknown", a host name: not an address
		}
		return ip.String()
	case "mac_t":
		return strings.ToLower(strings.ReplaceAll(s, "-", ":"))
	case "email_t":
		if !strings.Contains(s, "@") {
			return ""
		}
	case "hostname_t", "username_t":
		if placeholder(s) {
			return ""
		}
	}
	return s
}

// integer accepts the number, digits, or the caption of an enumeration.
func (n *normaliser) integer(w *where, a *attribute, v any) any {
	id, ok := wholeNumber(v)
	if s, text := v.(string); text && !ok && a.ids != nil {
		if id, ok = a.ids[strings.ToLower(strings.TrimSpace(s))]; !ok {
			_, ok = a.captions[99]
			id = 99
		}
	}
	if !ok {
		n.problem(w, "is no whole number")
		return nil
	}
	if _, known := a.captions[id]; a.captions != nil && !known {
		n.problem(w, "has no value %d", id)
		return nil
	}
	if a.Type == "port_t" && (id < 0 || id > math.MaxUint16) {
		n.problem(w, "%d is no port", id)
		return nil
	}
	return id
}

func (n *normaliser) float(w *where, v any) any {
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
	n.problem(w, "is no number")
	return nil
}

func (n *normaliser) boolean(w *where, v any) any {
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
	n.problem(w, "is neither true nor false")
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

// withoutNull leaves out the fields of objects that are null, since products
// write null and nothing for the same thing. What has none is not copied.
func withoutNull(v any) any {
	v, _ = strip(v)
	return v
}

// strip returns v or a copy without nulls, and whether it is a copy.
func strip(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		var out map[string]any
		for key, e := range v {
			c, copied := strip(e)
			if e != nil && !copied {
				continue
			}
			if out == nil {
				out = maps.Clone(v)
			}
			out[key] = c
			if e == nil {
				delete(out, key)
			}
		}
		if out != nil {
			return out, true
		}
	case []any:
		var out []any
		for i, e := range v {
			c, copied := strip(e)
			if !copied {
				continue
			}
			if out == nil {
				out = slices.Clone(v)
			}
			out[i] = c
		}
		if out != nil {
			return out, true
		}
	}
	return v, false
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
