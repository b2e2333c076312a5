package expr

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

var (
	errTooLarge = errors.New("the result is larger than 16 MiB")
	errTooDeep  = errors.New("the result is nested deeper than 200")
	errNotJSON  = errors.New("the result is not a finite number")
	errKey      = errors.New("a key of the result is neither text nor a whole number")
)

// toJSON returns the JSON value of a result. What came in as JSON is returned
// as it is.
func toJSON(v ref.Val) (any, error) {
	g := gauge{left: maxResult, plain: true}
	if err := g.value(v, 0); err != nil {
		return nil, err
	}
	return convert(v, g.plain)
}

// gauge measures a value before anything is made of it: about the bytes of its
// JSON text. A small expression that repeats its parts could else unfold to
// more than there is memory.
type gauge struct {
	left  int
	plain bool // so far, what came in from outside is JSON
}

func (g *gauge) spend(n int) error {
	if n < 0 || n > g.left {
		g.left = 0
		return errTooLarge
	}
	g.left -= n
	return nil
}

func (g *gauge) value(v ref.Val, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	switch v := v.(type) {
	case types.String:
		return g.spend(len(v) + 3)
	case types.Bytes:
		return g.spend(len(v)/3*4 + 7)
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return errNotJSON
		}
		return g.spend(8)
	case *types.Optional:
		if v.HasValue() {
			return g.value(v.GetValue(), depth+1)
		}
		return g.spend(8)
	case traits.Lister:
		return g.list(v, depth)
	case traits.Mapper:
		return g.mapping(v, depth)
	default:
		return g.spend(8)
	}
}

func (g *gauge) list(l traits.Lister, depth int) error {
	if native, ok := fromOutside(l); ok {
		return g.native(native, depth)
	}
	n := sizeOf(l)
	if n < 0 || n > maxResult {
		return errTooLarge
	}
	if err := g.spend(made + n); err != nil {
		return err
	}
	for i := range n {
		if err := g.value(l.Get(types.Int(i)), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (g *gauge) mapping(m traits.Mapper, depth int) error {
	if native, ok := m.Value().(map[string]any); ok {
		return g.native(native, depth)
	}
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		if err := g.value(k, depth+1); err != nil {
			return err
		}
		if err := g.value(m.Get(k), depth+1); err != nil {
			return err
		}
	}
	return g.spend(made)
}

// made is what a list or a map that the expression made counts for: it takes
// more memory than its text.
const made = 32

// native measures what came in from outside.
func (g *gauge) native(v any, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	switch v := v.(type) {
	case nil, bool, int64:
		return g.spend(8)
	case string:
		return g.spend(len(v) + 3)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errNotJSON
		}
		return g.spend(8)
	case []any:
		for _, el := range v {
			if err := g.native(el, depth+1); err != nil {
				return err
			}
		}
		return g.spend(2)
	case map[string]any:
		for k, el := range v {
			if err := g.spend(len(k) + 4); err != nil {
				return err
			}
			if err := g.native(el, depth+1); err != nil {
				return err
			}
		}
		return g.spend(2)
	default:
		g.plain = false
		return g.value(types.DefaultTypeAdapter.NativeToValue(v), depth)
	}
}

// convert makes JSON of what was measured. When all that came in is plain, it
// is not copied.
func convert(v ref.Val, plain bool) (any, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Double:
		return float64(v), nil
	case types.Uint:
		if uint64(v) <= math.MaxInt64 {
			return int64(v), nil
		}
		return float64(v), nil
	case types.Timestamp:
		return formatTime(v.Time), nil
	case types.Duration:
		return v.String(), nil
	case types.Bytes:
		return base64.StdEncoding.EncodeToString(v), nil
	case types.Null, nil:
		return nil, nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return convert(v.GetValue(), plain)
	case traits.Lister:
		return convertList(v, plain)
	case traits.Mapper:
		return convertMap(v, plain)
	case ref.Type:
		return v.TypeName(), nil
	default:
		return nil, errors.New("the result is of type " + v.Type().TypeName() + ", which JSON does not have")
	}
}

func convertList(l traits.Lister, plain bool) (any, error) {
	if native, ok := fromOutside(l); ok && plain {
		return native, nil
	}
	out := make([]any, sizeOf(l))
	for i := range out {
		var err error
		if out[i], err = convert(l.Get(types.Int(i)), plain); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fromOutside returns the list that came in as it was. The type is asked first
// because Value of two lists that were added copies both.
func fromOutside(l traits.Lister) ([]any, bool) {
	if reflect.TypeOf(l) != outsideList {
		return nil, false
	}
	native, ok := l.Value().([]any)
	return native, ok
}

var outsideList = reflect.TypeOf(types.DefaultTypeAdapter.NativeToValue([]any{}))

func convertMap(m traits.Mapper, plain bool) (any, error) {
	if native, ok := m.Value().(map[string]any); ok && plain {
		return native, nil
	}
	out := make(map[string]any, sizeOf(m))
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, err := keyText(k)
		if err != nil {
			return nil, err
		}
		if out[key], err = convert(m.Get(k), plain); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keyText returns a key as JSON has it.
func keyText(k ref.Val) (string, error) {
	switch k := k.(type) {
	case types.String:
		return string(k), nil
	case types.Int:
		return strconv.FormatInt(int64(k), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(k), 10), nil
	case types.Bool:
		return strconv.FormatBool(bool(k)), nil
	default:
		return "", errKey
	}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
