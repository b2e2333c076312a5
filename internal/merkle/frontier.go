package merkle

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// A Frontier holds the roots of the largest perfect subtrees of a tree, left
// to right: all that is needed to add leaves and to know the root. The zero
// value is the empty tree.
type Frontier struct {
	size  uint64
	roots []Hash // one for each bit that is set in size, largest first
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Add adds a leaf by its hash.
func (f *Frontier) Add(leaf Hash) { f.add(0, leaf) }

// AddPerfect adds 2^level leaves at once by the root of their subtree. It
// panics when the tree so far does not end where such a subtree begins.
func (f *Frontier) AddPerfect(level int, root Hash) {
	if f.size&(1<<level-1) != 0 {
		panic(fmt.Sprintf("internal error: a subtree of level %d cannot begin at leaf %d", level, f.size))
	}
	f.add(level, root)
}

func (f *Frontier) add(level int, h Hash) {
	for l := level; f.size>>l&1 == 1; l++ {
		last := len(f.roots) - 1
		h = NodeHash(f.roots[last], h)
		f.roots = f.roots[:last]
	}
	f.roots = append(f.roots, h)
	f.size += 1 << level
}

// Root is the root of the tree, RFC 6962 section 2.1.
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return sha256.Sum256(nil)
	}
	h := f.roots[len(f.roots)-1]
	for i := len(f.roots) - 2; i >= 0; i-- {
		h = NodeHash(f.roots[i], h)
	}
	return h
}

// Clone returns a Frontier that shares nothing with f.
func (f *Frontier) Clone() Frontier {
	return Frontier{size: f.size, roots: slices.Clone(f.roots)}
}
