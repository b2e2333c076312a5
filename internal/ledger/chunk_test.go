package ledger

import (
	"bytes"
	"testing"

	"beffroi.dev/internal/merkle"
)

// FuzzPack: whatever stands in a pack under checksums that fit, reading it
// ends in 256 records or in an error.
func FuzzPack(f *testing.F) {
	var lines [][]byte
	for seq := range uint64(tileWidth) {
		lines = append(lines, vectorRecord(seq))
	}
	chunk, root, err := appendChunk(nil, 3, lines, leafHashes(lines))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(chunk, uint32(codecZstd), uint32(bundleSize(lines)))
	f.Add(chunk, uint32(codecNone), uint32(10))
	f.Add(chunk[:chunkHead+tileBytes], uint32(codecZstd), uint32(1<<31))
	refs := make([]chunkRef, packBundles)
	for i := range refs {
		refs[i] = chunkRef{offset: int64(i), root: root}
	}
	end, _ := appendFoot(nil, 3, refs)
	f.Add(end, uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, codec, raw uint32) {
		b = bytes.Clone(b)
		if len(b) >= footBytes {
			be.PutUint32(b[footBytes-4:], crc(b[:footBytes-4]))
			if foot, err := parseFoot(b[:footBytes], 3); err == nil {
				for i := range packBundles {
					if from, to, err := foot.chunk(i); err == nil && (from < 0 || to-from > int64(chunkHead+tileBytes+maxBundle)) {
						t.Errorf("chunk from %d to %d", from, to)
					}
				}
			}
		}
		if len(b) < chunkHead+tileBytes {
			return
		}
		h := chunkInfo{number: 3, codec: codec, stored: len(b) - chunkHead - tileBytes, raw: int(raw), root: merkle.Hash{}, sum: crc(b[chunkHead:])}
		h.put(b)
		if bun, err := decodeChunk(b, 3); err == nil && (len(bun.lines) != tileWidth || len(bun.tile) != tileBytes || len(bun.raw) != int(raw)) {
			t.Errorf("a bundle of %d records, %d bytes", len(bun.lines), len(bun.raw))
		}
	})
}
