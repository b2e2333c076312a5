package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CheckOCSF says in which ways a finding breaks the OCSF schema: attributes
// that it does not know, values of another type, what is required and missing.
func CheckOCSF(finding map[string]any) []string {
	var c checker
	c.object("", ocsf().Class, finding)
	return c.wrong
}

type checker struct{ wrong []string }

func (c *checker) add(path, format string, args ...any) {
	c.wrong = append(c.wrong, strings.TrimPrefix(path, ".")+": "+fmt.Sprintf(format, args...))
}

func (c *checker) object(path string, o *object, m map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		a := o.Attributes[key]
		switch list, isList := m[key].([]any); {
		case a == nil:
			c.add(path+"."+key, "unknown attribute of %s", o.name)
		case a.Array != isList && a.Type != "json_t" && a.Type != "object":
			c.add(path+"."+key, "list where one value belongs, or one value where a list belongs")
		case a.Array:
			for i, e := range list {
				c.value(index(path+"."+key, i), a, e)
			}
		default:
			c.value(path+"."+key, a, m[key])
		}
	}
	for _, key := range o.sorted {
		if _, ok := m[key]; !ok && o.Attributes[key].Required {
			c.add(path+"."+key, "required attribute of %s is missing", o.name)
		}
	}
	c.constraints(path, o, m)
}

func (c *checker) constraints(path string, o *object, m map[string]any) {
	if len(o.AtLeastOne) > 0 && !anyOf(m, o.AtLeastOne) {
		c.add(path, "%s needs one of %s", o.name, strings.Join(o.AtLeastOne, ", "))
	}
	n := 0
	for _, key := range o.JustOne {
		if _, ok := m[key]; ok {
			n++
		}
	}
	if len(o.JustOne) > 0 && n != 1 {
		c.add(path, "%s needs exactly one of %s", o.name, strings.Join(o.JustOne, ", "))
	}
}

func (c *checker) value(path string, a *attribute, v any) {
	if a.object != nil {
		m, ok := v.(map[string]any)
		if !ok {
			c.add(path, "is no %s", a.Type)
			return
		}
		c.object(path, a.object, m)
		return
	}
	ok := true
	switch base := baseType(a.Type); base {
	case "object", "json_t":
	case "boolean_t":
		_, ok = v.(bool)
	case "float_t":
		_, ok = v.(float64)
	case "integer_t", "long_t":
		id, whole := v.(int64)
		ok = whole
		if _, known := a.captions[id]; a.captions != nil && !known && a.Type == "integer_t" && !constant[id] {
			c.add(path, "%d is not in the enumeration", id)
		}
	default:
		s, text := v.(string)
		ok = text && s != ""
	}
	if !ok {
		c.add(path, "%v is no %s", v, a.Type)
	}
}

// constant are the ids of the class, of which the schema lists only the base.
var constant = map[int64]bool{2004: true, 2: true}

func baseType(name string) string {
	if t := ocsf().Types[name].Type; t != "" {
		if b := ocsf().Types[t].Type; b != "" {
			return b
		}
		return t
	}
	return name
}
