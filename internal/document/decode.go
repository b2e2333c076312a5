package document

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"beffroi.dev/internal/errs"
)

// An Unmarshaler reads its own form, for values that may be written in more
// than one way. It calls [DecodeNode] for the parts. A type that is one is also
// a [Schemer].
type Unmarshaler interface {
	UnmarshalNode(n *yaml.Node) error
}

// DecodeNode reads a node strictly into what v points to. It returns all that
// is wrong as [errs.Issues], whose fields are paths from n; the file and the
// path to n are added by the caller that knows them.
//
// Structs take keys by their yaml tags (`yaml:"name"`, `yaml:",inline"`).
// Other tags: required:"true"; enum:"a,b"; pattern:"^x"; min:"1" and max:"9"
// (of a number, a time.Duration, the length of a string, list or map);
// doc:"…" describes the field in the schema.
func DecodeNode(n *yaml.Node, v any) error {
	var d decoder
	d.root(n, v)
	return d.issues.Err()
}

// A decoder walks a tree and a type side by side and collects what is wrong.
type decoder struct {
	file   string
	header []string // keys allowed at the root beside those of the struct
	open   bool     // unknown keys at the root are somebody else's
	issues errs.Issues
	types  map[reflect.Type][]field
}

func (d *decoder) root(n *yaml.Node, v any) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		panic(fmt.Sprintf("internal error: decode into %T", v))
	}
	d.types = make(map[reflect.Type][]field)
	d.value(place{n, n, ""}, p.Elem(), nil)
}

// A place is a node, the node that shows where it is (its key), and its path.
type place struct {
	node, at *yaml.Node
	path     string
}

// pos returns the node whose position a reader should be shown.
func (p place) pos() *yaml.Node {
	if isEmpty(p.node) {
		return p.at
	}
	return p.node
}

func (d *decoder) add(at *yaml.Node, path, hint, format string, args ...any) {
	d.issues = append(d.issues, errs.Issue{
		File: d.file, Line: at.Line, Column: at.Column, Field: path,
		Msg: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (d *decoder) expected(p place, want, got, hint string) {
	d.add(p.pos(), p.path, hint, "expected %s, got %s", want, got)
}

// value reads one node into v. f holds the rules of the field that v is in.
func (d *decoder) value(p place, v reflect.Value, f *field) {
	if v.CanAddr() {
		if u, ok := v.Addr().Interface().(Unmarshaler); ok {
			d.custom(p, u)
			return
		}
	}
	if isNull(p.node) && d.null(p, v) {
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(p, v, f)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(p, v.Elem(), f)
	case reflect.Struct:
		d.structure(p, v)
	case reflect.Map:
		d.mapping(p, v, f)
	case reflect.Slice:
		d.list(p, v, f)
	case reflect.Interface:
		if x := d.free(p); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(p, v, f)
	}
}

// null leaves the zero value where "nothing" is a value, and reports whether
// that was so. A string that says null is the text "null". Nothing is a struct
// without keys, which may lack some.
func (d *decoder) null(p place, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		v.SetZero()
		return true
	case reflect.String:
		return isEmpty(p.node)
	default:
		return false
	}
}

func (d *decoder) custom(p place, u Unmarshaler) {
	err := u.UnmarshalNode(p.node)
	if err == nil {
		return
	}
	issues, ok := err.(errs.Issues) //nolint:errorlint // a wrapped error is one sentence about the whole node
	if !ok {
		d.add(p.pos(), p.path, "", "%s", err)
		return
	}
	for _, i := range issues {
		i.File, i.Field = d.file, joinPath(p.path, i.Field)
		if i.Line == 0 {
			i.Line, i.Column = p.pos().Line, p.pos().Column
		}
		d.issues = append(d.issues, i)
	}
}

func (d *decoder) structure(p place, v reflect.Value) {
	if p.node.Kind != yaml.MappingNode && !isNull(p.node) {
		d.expected(p, "a map", shape(p.node), "")
		return
	}
	fields := d.fields(v.Type())
	atRoot := p.path == ""
	given := make(map[string]bool, len(fields))
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		k, n := p.node.Content[i], p.node.Content[i+1]
		path := pathKey(p.path, k.Value)
		f := lookup(fields, k.Value)
		if f == nil {
			if !atRoot || !d.open && !contains(d.header, k.Value) {
				d.unknown(k, path, fields, atRoot)
			}
			continue
		}
		given[k.Value] = !isEmpty(n) && (f.typ.Kind() == reflect.String || !isNull(n))
		if f.required && !given[k.Value] {
			continue // told below
		}
		d.value(place{n, k, path}, v.FieldByIndex(f.index), f)
	}
	for i := range fields {
		if f := &fields[i]; f.required && !given[f.name] {
			d.add(p.at, pathKey(p.path, f.name), "", "the key %q is required", f.name)
		}
	}
}

func (d *decoder) unknown(k *yaml.Node, path string, fields []field, atRoot bool) {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	if atRoot {
		names = append(names, d.header...)
	}
	hint := errs.Suggest(k.Value, names)
	if hint == "" && len(names) > 0 && len(names) <= 12 {
		hint = "known keys: " + strings.Join(names, ", ")
	}
	d.add(k, path, hint, "unknown key %q", k.Value)
}

func (d *decoder) mapping(p place, v reflect.Value, f *field) {
	if p.node.Kind != yaml.MappingNode {
		d.expected(p, "a map", shape(p.node), "")
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		panic("internal error: document maps have string keys, not " + v.Type().String())
	}
	m := reflect.MakeMapWithSize(v.Type(), len(p.node.Content)/2)
	for i := 0; i < len(p.node.Content); i += 2 {
		k, n := p.node.Content[i], p.node.Content[i+1]
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(place{n, k, pathKey(p.path, k.Value)}, x, f.elem())
		m.SetMapIndex(reflect.ValueOf(k.Value).Convert(v.Type().Key()), x)
	}
	v.Set(m)
	d.size(p, f, m.Len(), "entries")
}

func (d *decoder) list(p place, v reflect.Value, f *field) {
	if p.node.Kind != yaml.SequenceNode {
		d.expected(p, "a list", shape(p.node), "")
		return
	}
	l := reflect.MakeSlice(v.Type(), len(p.node.Content), len(p.node.Content))
	for i, n := range p.node.Content {
		d.value(place{n, n, pathIndex(p.path, i)}, l.Index(i), f.elem())
	}
	v.Set(l)
	d.size(p, f, l.Len(), "entries")
}

// free reads a JSON value.
func (d *decoder) free(p place) any {
	switch p.node.Kind {
	case yaml.SequenceNode:
		l := make([]any, len(p.node.Content))
		for i, n := range p.node.Content {
			l[i] = d.free(place{n, n, pathIndex(p.path, i)})
		}
		return l
	case yaml.MappingNode:
		m := make(map[string]any, len(p.node.Content)/2)
		for i := 0; i < len(p.node.Content); i += 2 {
			k := p.node.Content[i]
			m[k.Value] = d.free(place{p.node.Content[i+1], k, pathKey(p.path, k.Value)})
		}
		return m
	default:
		x, err := scalar(p.node)
		if err != nil {
			d.add(p.node, p.path, "put quotes around it to keep it as text", "%s", err)
		}
		return x
	}
}

func (d *decoder) duration(p place, v reflect.Value, f *field) {
	const hint = "write a length of time such as 90s, 15m, 2h30m, 7d or 2w"
	if p.node.Kind != yaml.ScalarNode || isNull(p.node) {
		d.expected(p, "a length of time", shape(p.node), hint)
		return
	}
	t, err := ParseDuration(p.node.Value)
	if err != nil {
		d.add(p.pos(), p.path, hint, "%s", err)
		return
	}
	v.SetInt(int64(t))
	d.between(p, f, float64(t), func(s string) (float64, error) {
		t, err := ParseDuration(s)
		return float64(t), err
	})
}

func (d *decoder) scalar(p place, v reflect.Value, f *field) {
	if v.Kind() == reflect.String {
		if p.node.Kind != yaml.ScalarNode {
			d.expected(p, "a string", shape(p.node), "")
			return
		}
		v.SetString(p.node.Value)
		d.text(p, f)
		return
	}
	var x any
	if p.node.Kind == yaml.ScalarNode {
		var err error
		if x, err = scalar(p.node); err != nil {
			d.add(p.pos(), p.path, "", "%s", err)
			return
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := x.(bool)
		if !ok {
			d.expected(p, "true or false", describe(p.node), "write true or false without quotes")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, ok := x.(int64)
		if !ok || v.OverflowInt(i) {
			d.expected(p, "a whole number", describe(p.node), "")
			return
		}
		v.SetInt(i)
		d.between(p, f, float64(i), parseNumber)
	case reflect.Float64:
		n, ok := x.(float64)
		if i, whole := x.(int64); whole {
			n, ok = float64(i), true
		}
		if !ok {
			d.expected(p, "a number", describe(p.node), "")
			return
		}
		v.SetFloat(n)
		d.between(p, f, n, parseNumber)
	default:
		panic("internal error: documents cannot hold a " + v.Type().String())
	}
}

func parseNumber(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
