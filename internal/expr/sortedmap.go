package expr

import (
	"cmp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// sortedMap walks a map in the order of its keys, so that the same values give
// the same result.
type sortedMap struct {
	traits.Mapper
	keys []ref.Val
}

func newSortedMap(m traits.Mapper) *sortedMap {
	return &sortedMap{Mapper: m, keys: sortedKeys(m)}
}

// sortedKeys returns numbers first, then text, then what else there may be.
func sortedKeys(m traits.Mapper) []ref.Val {
	keys := make([]ref.Val, 0, sizeOf(m))
	for it := m.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys(a, b ref.Val) int {
	s, aText := a.(types.String)
	t, bText := b.(types.String)
	if aText && bText {
		return strings.Compare(string(s), string(t))
	}
	if c := cmp.Compare(keyRank(a), keyRank(b)); c != 0 {
		return c
	}
	if c, ok := a.(traits.Comparer); ok {
		if n, ok := c.Compare(b).(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

func keyRank(v ref.Val) int {
	switch v.(type) {
	case types.Int, types.Uint, types.Double:
		return 0
	case types.String:
		return 1
	default:
		return 2
	}
}

func sizeOf(s traits.Sizer) int {
	if n, ok := s.Size().(types.Int); ok {
		return int(n)
	}
	return 0
}

// Fold implements traits.Foldable.
func (m *sortedMap) Fold(f traits.Folder) {
	for _, k := range m.keys {
		v, ok := m.Find(k)
		if ok && !f.FoldEntry(k, v) {
			return
		}
	}
}

// Iterator implements traits.Iterable.
func (m *sortedMap) Iterator() traits.Iterator {
	return types.DefaultTypeAdapter.NativeToValue(m.keys).(traits.Lister).Iterator() //nolint:errcheck // a []ref.Val is a list
}
