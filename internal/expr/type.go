package expr

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Type describes what may be selected from a variable, so that a wrong path is
// found when a document is planned. Values are not checked against it: an
// alert may lack a field, and any field may be null. A Type is immutable.
type Type struct {
	cel    *types.Type      // what the checker sees; nil for objects and lists
	elem   *Type            // of a list
	fields map[string]*Type // of an object
	open   bool             // an object that may have other fields
}

// Dyn is anything.
func Dyn() *Type { return &Type{cel: types.DynType} }

// String is text.
func String() *Type { return &Type{cel: types.NewNullableType(types.StringType)} }

// Int is a number without fraction.
func Int() *Type { return &Type{cel: types.NewNullableType(types.IntType)} }

// Double is a number; at run time it may be an integer.
func Double() *Type { return &Type{cel: types.NewNullableType(types.DoubleType)} }

// Bool is true or false.
func Bool() *Type { return &Type{cel: types.NewNullableType(types.BoolType)} }

// Timestamp is a moment; the value is a time.Time.
func Timestamp() *Type { return &Type{cel: types.TimestampType} }

// Duration is a length of time; the value is a time.Duration.
func Duration() *Type { return &Type{cel: types.DurationType} }

// List is a list of elem.
func List(elem *Type) *Type { return &Type{elem: elem} }

// Object has these fields and no other: selecting another is an error that
// asks "did you mean".
func Object(fields map[string]*Type) *Type { return &Type{fields: maps.Clone(fields)} }

// OpenObject has these fields, and others of which nothing is known.
func OpenObject(fields map[string]*Type) *Type {
	return &Type{fields: maps.Clone(fields), open: true}
}

func (t *Type) isObject() bool { return t != nil && t.cel == nil && t.elem == nil }

func (t *Type) isDouble() bool {
	return t != nil && t.cel != nil && t.cel.Kind() == types.DoubleKind
}

// holdsObject says whether t is an object, or a list of such.
func (t *Type) holdsObject() bool {
	for t != nil && t.elem != nil {
		t = t.elem
	}
	return t.isObject()
}

// field returns the type of a field, nil when nothing is known of it, and
// whether there can be such a field.
func (t *Type) field(name string) (*Type, bool) {
	if !t.isObject() {
		return nil, true
	}
	f, ok := t.fields[name]
	return f, ok || t.open
}

// objects tells CEL of the object types. To the checker they are messages with
// typed fields; the values are plain maps, which the evaluator reads as such.
type objects struct {
	types.Provider
	names  map[*Type]string
	byName map[string]*Type
}

// add names the objects in t by the path on which they are first met.
func (o *objects) add(path string, t *Type) {
	for t != nil && t.elem != nil {
		t = t.elem
	}
	if !t.isObject() || o.names[t] != "" {
		return
	}
	// The space keeps it from being taken for an identifier.
	name := "object " + path
	for o.byName[name] != nil {
		name += "'"
	}
	o.names[t], o.byName[name] = name, t
	for _, f := range slices.Sorted(maps.Keys(t.fields)) {
		o.add(path+"."+f, t.fields[f])
	}
}

// cel returns the checker's type for t.
func (o *objects) cel(t *Type) *types.Type {
	switch {
	case t == nil:
		return types.DynType
	case t.cel != nil:
		return t.cel
	case t.elem != nil:
		return types.NewListType(o.cel(t.elem))
	default:
		return types.NewObjectType(o.names[t])
	}
}

// FindStructType implements types.Provider.
func (o *objects) FindStructType(name string) (*types.Type, bool) {
	if o.byName[name] != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return nil, false
}

// FindStructFieldNames implements types.Provider.
func (o *objects) FindStructFieldNames(name string) ([]string, bool) {
	if t := o.byName[name]; t != nil {
		return slices.Sorted(maps.Keys(t.fields)), true
	}
	return nil, false
}

// FindStructFieldType implements types.Provider.
func (o *objects) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t := o.byName[name]
	if t == nil {
		return nil, false
	}
	f, ok := t.field(field)
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: o.cel(f)}, true
}

// NewValue implements types.Provider: objects come from outside only.
func (o *objects) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("%s cannot be made; write a map: {\"key\": value}", name)
}
