package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// A Schemer is a type with a form of its own that tells it to editors. In the
// map, a reflect.Type stands for the schema of that type:
//
//	map[string]any{"anyOf": []any{reflect.TypeFor[step](), reflect.TypeFor[[]step]()}}
type Schemer interface {
	JSONSchema() map[string]any
}

// Schema returns the JSON Schema (draft 2020-12) of a kind, for editors that
// complete and check while a document is written.
func (ks Kinds) Schema(kind string) ([]byte, error) {
	k, ok := ks[kind]
	if !ok {
		return nil, errs.Hint(errs.NotFound, errs.Suggest(kind, slices.Sorted(maps.Keys(ks))), "there is no kind %q", kind)
	}
	g := schemas{defs: make(map[string]any), names: make(map[reflect.Type]string)}
	spec := reflect.TypeOf(k.Spec)
	fields := structFields(spec)
	for _, f := range structFields(reflect.TypeFor[header]()) {
		if lookup(fields, f.name) == nil {
			fields = append(fields, f)
		}
	}
	root := g.object(fields)
	props, _ := root["properties"].(map[string]any)
	props["kind"] = map[string]any{"const": kind, "description": k.Title}
	if name, ok := props["name"].(map[string]any); ok {
		name["pattern"] = slugPattern
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"], root["description"] = k.Title, k.Doc
	if len(g.defs) > 0 {
		root["$defs"] = g.defs
	}
	if err := g.check(root); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	return json.MarshalIndent(root, "", "  ")
}

// schemas makes the schemas of types. Structs and types with a form of their
// own are definitions, so that a type may hold itself.
type schemas struct {
	defs  map[string]any
	names map[reflect.Type]string
}

func (g *schemas) object(fields []field) map[string]any {
	props := make(map[string]any, len(fields))
	o := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	var required []string
	for i := range fields {
		props[fields[i].name] = g.field(&fields[i])
		if fields[i].required {
			required = append(required, fields[i].name)
		}
	}
	if required != nil {
		o["required"] = required
	}
	return o
}

// field returns the schema of a field's type with what its tags add.
func (g *schemas) field(f *field) map[string]any {
	s := g.typ(f.typ)
	if f.doc != "" {
		s["description"] = f.doc
	}
	text := s // enum and pattern are for the strings of a list or map
	for _, part := range []string{"items", "additionalProperties"} {
		if inner, ok := s[part].(map[string]any); ok {
			text = inner
		}
	}
	if f.enum != nil {
		text["enum"] = f.enum
	}
	if f.pattern != "" {
		text["pattern"] = f.pattern
	}
	kind, _ := s["type"].(string)
	limits := map[string][2]string{
		"integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"}, "string": {"minLength", "maxLength"},
		"array": {"minItems", "maxItems"}, "object": {"minProperties", "maxProperties"},
	}[kind]
	for i, bound := range []string{f.min, f.max} {
		if n, err := strconv.ParseFloat(bound, 64); err == nil && limits[i] != "" {
			s[limits[i]] = n
		}
	}
	return s
}

// typ returns the schema of a type; the map is the caller's to extend.
func (g *schemas) typ(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[time.Duration]() {
		return map[string]any{"type": "string", "pattern": durationPattern, "examples": []string{"90s", "15m", "2h30m", "7d"}}
	}
	if _, own := reflect.New(t).Interface().(Schemer); own {
		return g.define(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.typ(t.Elem())
	case reflect.Struct:
		return g.define(t)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.typ(t.Elem())}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.typ(t.Elem())}
	case reflect.Interface:
		return map[string]any{}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		return map[string]any{"type": "integer"}
	}
}

// define makes a type a definition and returns the reference to it.
func (g *schemas) define(t reflect.Type) map[string]any {
	name, ok := g.names[t]
	if !ok {
		name = defName(t.Name())
		for n := 2; g.defs[name] != nil; n++ {
			name = defName(t.Name()) + strconv.Itoa(n)
		}
		g.names[t], g.defs[name] = name, true // known before its parts, which may hold it
		if s, own := reflect.New(t).Interface().(Schemer); own {
			g.defs[name] = g.fill(s.JSONSchema())
		} else {
			g.defs[name] = g.object(structFields(t))
		}
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// defName makes a name without what a reference would have to escape.
func defName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, s)
	if s == "" {
		return "object"
	}
	return s
}

// fill replaces the types in what a [Schemer] returned by their schemas. It
// copies, so that what it returns may be changed.
func (g *schemas) fill(x any) any {
	switch x := x.(type) {
	case reflect.Type:
		return g.typ(x)
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = g.fill(v)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = g.fill(v)
		}
		return l
	default:
		return x
	}
}

// check reports a reference to a definition that is not there.
func (g *schemas) check(x any) error {
	switch x := x.(type) {
	case map[string]any:
		if ref, ok := x["$ref"].(string); ok && g.defs[strings.TrimPrefix(ref, "#/$defs/")] == nil {
			return fmt.Errorf("no definition for %s; put the reflect.Type there", ref)
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if err := g.check(x[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range x {
			if err := g.check(v); err != nil {
				return err
			}
		}
	}
	return nil
}
