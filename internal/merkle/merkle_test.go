package merkle_test

import (
	"fmt"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/tlog"

	"beffroi.dev/internal/merkle"
)

func hash(b []byte) (h merkle.Hash) {
	copy(h[:], b)
	return h
}

func TestHashesOfSharedVectors(t *testing.T) {
	inputs, nodes, roots := testonly.LeafInputs(), testonly.NodeHashes(), testonly.RootHashes()
	var f merkle.Frontier
	for i, in := range inputs {
		if got, want := merkle.LeafHash(in), hash(nodes[0][i]); got != want {
			t.Errorf("LeafHash(%x) = %v, want %v", in, got, want)
		}
		if got, want := f.Root(), hash(roots[i]); got != want {
			t.Errorf("root of %d leaves = %v, want %v", i, got, want)
		}
		f.Add(merkle.LeafHash(in))
	}
	if got, want := f.Root(), hash(roots[len(inputs)]); got != want {
		t.Errorf("root of %d leaves = %v, want %v", len(inputs), got, want)
	}
	if got, want := f.Size(), uint64(len(inputs)); got != want {
		t.Errorf("size = %d, want %d", got, want)
	}
}

func TestLeafHashOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 63, 2046, 2047, 2048, 70_000} {
		b := make([]byte, n)
		if got, want := merkle.LeafHash(b), hash(rfc6962.DefaultHasher.HashLeaf(b)); got != want {
			t.Errorf("LeafHash of %d bytes = %v, want %v", n, got, want)
		}
	}
}

func TestPerfectSubtreesAddUpToTheSameRoot(t *testing.T) {
	var leaves []merkle.Hash
	for i := range 1000 {
		leaves = append(leaves, merkle.LeafHash(fmt.Append(nil, i)))
	}
	var byLeaf, byTile merkle.Frontier
	for i, h := range leaves {
		byLeaf.Add(h)
		switch {
		case i%256 == 255:
			byTile.AddPerfect(8, merkle.PerfectRoot(leaves[i-255:i+1]))
		case i >= 768:
			byTile.Add(h)
		}
	}
	if byLeaf.Root() != byTile.Root() {
		t.Errorf("roots differ: %v by leaf, %v by tile", byLeaf.Root(), byTile.Root())
	}
	c := byLeaf.Clone()
	c.Add(leaves[0])
	if byLeaf.Size() != 1000 || c.Size() != 1001 || c.Root() == byLeaf.Root() {
		t.Error("a clone shares state")
	}
}

func TestFrontierPanicsOnMisplacedSubtree(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var f merkle.Frontier
	f.Add(merkle.Hash{})
	f.AddPerfect(8, merkle.Hash{})
}

func TestPerfectRootPanicsOnOtherSizes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	merkle.PerfectRoot(make([]merkle.Hash, 3))
}

// Proofs that the independent twin makes are accepted; with any bit of them
// changed they are not.
func TestCheckInclusion(t *testing.T) {
	const size = 37
	tree := testonly.New(rfc6962.DefaultHasher)
	for i := range size {
		tree.AppendData(fmt.Append(nil, i))
	}
	root := hash(tree.Hash())
	for i := range uint64(size) {
		raw, err := tree.InclusionProof(i, size)
		if err != nil {
			t.Fatal(err)
		}
		var p []merkle.Hash
		for _, h := range raw {
			p = append(p, hash(h))
		}
		leaf := merkle.LeafHash(fmt.Append(nil, i))
		if err := merkle.CheckInclusion(p, size, root, i, leaf); err != nil {
			t.Errorf("index %d: %v", i, err)
		}
		p[i%uint64(len(p))][i%32] ^= 1 << (i % 8)
		if err := merkle.CheckInclusion(p, size, root, i, leaf); err == nil {
			t.Errorf("index %d: a changed proof is accepted", i)
		}
	}
	for _, tt := range []struct{ size, index uint64 }{{0, 0}, {1, 1}, {1 << 63, 0}, {1<<64 - 1, 1}} {
		if err := merkle.CheckInclusion(nil, tt.size, root, tt.index, merkle.Hash{}); err == nil {
			t.Errorf("index %d of size %d is accepted", tt.index, tt.size)
		}
	}
}

// FuzzCheckInclusion compares with the twin: both accept or both refuse.
func FuzzCheckInclusion(f *testing.F) {
	f.Add(uint64(1), uint64(0), []byte{})
	f.Add(uint64(7), uint64(3), make([]byte, 96))
	f.Fuzz(func(t *testing.T, size, index uint64, raw []byte) {
		var p []merkle.Hash
		var theirs [][]byte
		for ; len(raw) >= 32; raw = raw[32:] {
			p = append(p, hash(raw))
			theirs = append(theirs, raw[:32:32])
		}
		leaf := merkle.LeafHash([]byte("leaf"))
		root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, index, size, leaf[:], theirs)
		if size > 1<<62 {
			return
		}
		if got := merkle.CheckInclusion(p, size, hash(root), index, leaf); (got == nil) != (err == nil) {
			t.Errorf("size %d index %d: %v, the twin says %v", size, index, got, err)
		}
	})
}

func TestFrontierEqualsTwins(t *testing.T) {
	var f merkle.Frontier
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i := range int64(600) {
		data := fmt.Append(nil, i)
		f.Add(merkle.LeafHash(data))
		if err := r.Append(rfc6962.DefaultHasher.HashLeaf(data), nil); err != nil {
			t.Fatal(err)
		}
		hs, err := tlog.StoredHashes(i, data, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		want, err := r.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := tlog.TreeHash(i+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Root(); got != hash(want) || got != sum {
			t.Fatalf("root of %d: %v, want %x and %v", i+1, got, want, sum)
		}
	}
}

func BenchmarkLeafHash(b *testing.B) {
	data := make([]byte, 500)
	b.SetBytes(500)
	for b.Loop() {
		merkle.LeafHash(data)
	}
}

func BenchmarkNodeHash(b *testing.B) {
	var h merkle.Hash
	for b.Loop() {
		h = merkle.NodeHash(h, h)
	}
}
