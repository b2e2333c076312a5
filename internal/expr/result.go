package expr

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

var (
	errTooLarge = errors.New("the result is larger than 16 MiB")
	errTooDeep  = errors.New("the result is nested deeper than 200")
	errNotJSON  = errors.New("the result is not a number")
)

// toJSON returns the JSON value of a result. What came in as JSON is returned
// as it is, after it was measured.
func toJSON(v ref.Val) (any, error) {
	c := converter{budget: maxResult}
	return c.value(v, 0)
}

// converter spends its budget, about the bytes of the JSON text, so that a
// small expression that repeats its parts cannot unfold without end.
type converter struct {
	budget int
}

func (c *converter) spend(n int) error {
	if c.budget -= n; c.budget < 0 {
		return errTooLarge
	}
	return nil
}

func (c *converter) value(v ref.Val, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch v := v.(type) {
	case types.String:
		return string(v), c.spend(len(v) + 3)
	case types.Bool:
		return bool(v), c.spend(5)
	case types.Int:
		return int64(v), c.spend(8)
	case types.Null, nil:
		return nil, c.spend(5)
	case traits.Lister:
		return c.list(v, depth)
	case traits.Mapper:
		return c.mapping(v, depth)
	case *types.Optional:
		if !v.HasValue() {
			return nil, c.spend(5)
		}
		return c.value(v.GetValue(), depth+1)
	}
	return c.scalar(v)
}

// scalar converts what is rarer, and what JSON has no type for.
func (c *converter) scalar(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errNotJSON
		}
		return float64(v), c.spend(8)
	case types.Uint:
		if uint64(v) <= math.MaxInt64 {
			return int64(v), c.spend(8)
		}
		return float64(v), c.spend(8)
	case types.Timestamp:
		return formatTime(v.Time), c.spend(32)
	case types.Duration:
		return v.Duration.String(), c.spend(32)
	case types.Bytes:
		if err := c.spend(base64.StdEncoding.EncodedLen(len(v))); err != nil {
			return nil, err
		}
		return base64.StdEncoding.EncodeToString(v), nil
	default:
		return typeName(v.Type()), c.spend(8)
	}
}

func (c *converter) list(l traits.Lister, depth int) (any, error) {
	if native, ok := l.Value().([]any); ok {
		return c.native(native, depth)
	}
	n := sizeOf(l)
	if err := c.spend(2 + n); err != nil {
		return nil, err
	}
	out := make([]any, 0, n)
	for i := range n {
		v, err := c.value(l.Get(types.Int(i)), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (c *converter) mapping(m traits.Mapper, depth int) (any, error) {
	if native, ok := m.Value().(map[string]any); ok {
		return c.native(native, depth)
	}
	n := sizeOf(m)
	if err := c.spend(2 + n); err != nil {
		return nil, err
	}
	out := make(map[string]any, n)
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, err := keyText(k)
		if err != nil {
			return nil, err
		}
		if err := c.spend(len(key) + 4); err != nil {
			return nil, err
		}
		if out[key], err = c.value(m.Get(k), depth+1); err != nil {
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
		return "", errors.New("a key of the result is neither text nor a whole number")
	}
}

// native measures a value that came in from outside, and copies it only when
// it holds what JSON does not.
func (c *converter) native(v any, depth int) (any, error) {
	plain, err := c.measure(v, depth)
	if err != nil || plain {
		return v, err
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			if out[i], err = c.native(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			if out[k], err = c.native(v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return c.value(types.DefaultTypeAdapter.NativeToValue(v), depth)
	}
}

// measure spends for v and says whether it is plain JSON through and through.
func (c *converter) measure(v any, depth int) (bool, error) {
	if depth > maxDepth {
		return false, errTooDeep
	}
	plain := true
	switch v := v.(type) {
	case nil, bool, int64:
		return true, c.spend(8)
	case string:
		return true, c.spend(len(v) + 3)
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0), c.spend(8)
	case []any:
		for _, el := range v {
			p, err := c.measure(el, depth+1)
			if err != nil {
				return false, err
			}
			plain = plain && p
		}
		return plain, c.spend(2)
	case map[string]any:
		for k, el := range v {
			p, err := c.measure(el, depth+1)
			if err != nil {
				return false, err
			}
			plain = plain && p
			if err := c.spend(len(k) + 4); err != nil {
				return false, err
			}
		}
		return plain, c.spend(2)
	default:
		return false, c.spend(8)
	}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
