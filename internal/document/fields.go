package document

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"beffroi.dev/internal/errs"
)

// A field is one key that a struct takes, with the rules of its tags.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string
	required bool
	enum     []string
	pattern  string
	min, max string
}

// fields returns the keys of a struct, those of inlined structs in their place.
func (d *decoder) fields(t reflect.Type) []field {
	if fs, ok := d.types[t]; ok {
		return fs
	}
	fs := structFields(t)
	d.types[t] = fs
	return fs
}

func structFields(t reflect.Type) []field {
	var fs []field
	for sf := range t.Fields() {
		name, opts, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !sf.IsExported():
			continue
		case contains(strings.Split(opts, ","), "inline"):
			for _, f := range structFields(sf.Type) {
				f.index = append(slices.Clone(sf.Index), f.index...)
				fs = append(fs, f)
			}
			continue
		case name == "":
			name = strings.ToLower(sf.Name)
		}
		f := field{
			name: name, index: sf.Index, typ: sf.Type, doc: sf.Tag.Get("doc"),
			required: sf.Tag.Get("required") == "true", pattern: sf.Tag.Get("pattern"), min: sf.Tag.Get("min"), max: sf.Tag.Get("max"),
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		fs = append(fs, f)
	}
	return fs
}

func lookup(fs []field, name string) *field {
	for i := range fs {
		if fs[i].name == name {
			return &fs[i]
		}
	}
	return nil
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// elem returns the rules for the entries of a list or map: what restricts
// strings restricts each of them, min and max count them.
func (f *field) elem() *field {
	if f == nil || f.enum == nil && f.pattern == "" {
		return nil
	}
	return &field{enum: f.enum, pattern: f.pattern}
}

// text checks a string against the rules of its field.
func (d *decoder) text(p place, f *field) {
	if f == nil {
		return
	}
	s := p.node.Value
	switch {
	case f.enum != nil && !contains(f.enum, s):
		hint := errs.Suggest(s, f.enum)
		if hint == "" {
			hint = "write one of " + strings.Join(f.enum, ", ")
		}
		d.add(p.pos(), p.path, hint, "%q is not allowed here", s)
	case f.pattern != "" && !regexp.MustCompile(f.pattern).MatchString(s):
		d.add(p.pos(), p.path, "", "%q does not match %s", s, f.pattern)
	default:
		d.size(p, f, utf8.RuneCountInString(s), "characters")
	}
}

func (d *decoder) size(p place, f *field, n int, what string) {
	if f == nil {
		return
	}
	if lo, err := parseNumber(f.min); err == nil && float64(n) < lo {
		d.add(p.pos(), p.path, "", "has %d %s, at least %s are needed", n, what, f.min)
	}
	if hi, err := parseNumber(f.max); err == nil && float64(n) > hi {
		d.add(p.pos(), p.path, "", "has %d %s, at most %s are allowed", n, what, f.max)
	}
}

func (d *decoder) between(p place, f *field, n float64, parse func(string) (float64, error)) {
	if f == nil {
		return
	}
	if lo, err := parse(f.min); f.min != "" && err == nil && n < lo {
		d.add(p.pos(), p.path, "", "%s is less than the allowed minimum %s", p.node.Value, f.min)
	}
	if hi, err := parse(f.max); f.max != "" && err == nil && n > hi {
		d.add(p.pos(), p.path, "", "%s is more than the allowed maximum %s", p.node.Value, f.max)
	}
}
