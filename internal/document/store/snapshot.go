package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"beffroi.dev/internal/document"
)

// A Snapshot is all documents in force at one moment, compiled. It is never
// changed, so what is derived from it can be kept with it.
type Snapshot struct {
	Set      document.Set
	Compiled map[document.ID]any
	Version  string // changes whenever any document does

	memo sync.Map // key → *memoized
}

type memoized struct {
	once  sync.Once
	value any
}

func newSnapshot(set document.Set, compiled map[document.ID]any) *Snapshot {
	ids := make([]document.ID, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b document.ID) int { return strings.Compare(a.String(), b.String()) })
	h := sha256.New()
	for _, id := range ids {
		fmt.Fprintf(h, "%s %s\n", id, set[id].Version)
	}
	return &Snapshot{Set: set, Compiled: compiled, Version: hex.EncodeToString(h.Sum(nil))}
}

// All lists the compiled documents of a kind, by name.
func All[T any](s *Snapshot, kind string) []T {
	return Derived(s, "all/"+kind, func() []T {
		var ids []document.ID
		for id := range s.Compiled {
			if id.Kind == kind {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, func(a, b document.ID) int { return strings.Compare(a.Name, b.Name) })
		out := make([]T, 0, len(ids))
		for _, id := range ids {
			if c, ok := s.Compiled[id].(T); ok {
				out = append(out, c)
			}
		}
		return out
	})
}

// Get is one compiled document.
func Get[T any](s *Snapshot, kind, name string) (T, bool) {
	c, ok := s.Compiled[document.ID{Kind: kind, Name: name}].(T)
	return c, ok
}

// Derived computes a value once for each snapshot.
func Derived[T any](s *Snapshot, key string, f func() T) T {
	m, _ := s.memo.LoadOrStore(key, new(memoized))
	e, ok := m.(*memoized)
	if !ok {
		panic("internal error: memo holds something else")
	}
	e.once.Do(func() { e.value = f() })
	v, ok := e.value.(T)
	if !ok {
		panic("internal error: memo " + key + " holds another type")
	}
	return v
}
