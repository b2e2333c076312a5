package ledger

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"beffroi.dev/internal/merkle"
)

// A pack file holds packRecords records: for each bundle a chunk with its tile
// of level 0 and its entries, compressed; and, when all chunks are there, a
// foot with the tile of level 1. docs/format/ledger.md, "Pack".
const (
	chunkMark = "\xfbchk"
	chunkHead = len(chunkMark) + 4 + 8 + 4 + 4 + merkle.HashSize + 4 + 4
	tileBytes = tileWidth * merkle.HashSize

	footMark  = "\xfbend"
	footBytes = packBundles*8 + tileBytes + merkle.HashSize + 8 + len(footMark) + 4

	codecNone = 0
	codecZstd = 1

	// maxBundle is what 256 entries of full length take.
	maxBundle = tileWidth * (2 + MaxLine)
)

// codec compresses bundles. Making one is dear, so they are made once, when
// first used, and shared.
var (
	compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	})
	decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxBundle))
	})
)

// appendChunk appends the chunk of one bundle and returns the root over its
// tile: a hash of level 1.
func appendChunk(dst []byte, number uint64, lines [][]byte, leaves []merkle.Hash) ([]byte, merkle.Hash, error) {
	raw := make([]byte, 0, bundleSize(lines))
	for _, l := range lines {
		raw = appendEntry(raw, l)
	}
	enc, err := compressor()
	if err != nil {
		return nil, merkle.Hash{}, fmt.Errorf("make compressor: %w", err)
	}
	root := merkle.PerfectRoot(leaves)
	start := len(dst)
	dst = append(dst, make([]byte, chunkHead)...)
	for _, h := range leaves {
		dst = append(dst, h[:]...)
	}
	body, codec := len(dst), uint32(codecZstd)
	dst = enc.EncodeAll(raw, dst)
	if len(dst)-body >= len(raw) {
		dst, codec = append(dst[:body], raw...), codecNone
	}
	h := chunkInfo{number: number, codec: codec, stored: len(dst) - body, raw: len(raw), root: root, sum: crc(dst[start+chunkHead:])}
	h.put(dst[start:])
	return dst, root, nil
}

func bundleSize(lines [][]byte) (n int) {
	for _, l := range lines {
		n += 2 + len(l)
	}
	return n
}

// A chunkInfo is what the head of a chunk says.
type chunkInfo struct {
	number      uint64 // of the bundle
	codec       uint32
	stored, raw int // lengths of the entries, as stored and as they are
	root        merkle.Hash
	sum         uint32 // CRC of tile and stored entries
}

func (h chunkInfo) size() int64 { return int64(chunkHead + tileBytes + h.stored) }

func (h chunkInfo) put(dst []byte) {
	b := append(dst[:0], chunkMark...)
	b = be.AppendUint32(b, h.codec)
	b = be.AppendUint64(b, h.number)
	b = be.AppendUint32(b, uint32(h.stored))
	b = be.AppendUint32(b, uint32(h.raw))
	b = append(b, h.root[:]...)
	b = be.AppendUint32(b, h.sum)
	be.AppendUint32(b, crc(b))
}

var errChunk = errors.New("checksum does not match")

// parseChunkHead reads the head of the chunk that holds the bundle number.
func parseChunkHead(b []byte, number uint64) (chunkInfo, error) {
	if len(b) < chunkHead || string(b[:len(chunkMark)]) != chunkMark || be.Uint32(b[chunkHead-4:]) != crc(b[:chunkHead-4]) {
		return chunkInfo{}, errChunk
	}
	h := chunkInfo{
		number: be.Uint64(b[8:]), codec: be.Uint32(b[4:]),
		stored: int(be.Uint32(b[16:])), raw: int(be.Uint32(b[20:])),
		root: merkle.Hash(b[24:56]), sum: be.Uint32(b[56:]),
	}
	if h.number != number || h.codec > codecZstd || h.stored > maxBundle || h.raw > maxBundle {
		return chunkInfo{}, fmt.Errorf("is not the chunk of bundle %d", number)
	}
	return h, nil
}

// A bundle is 256 records and the tile above them.
type bundle struct {
	raw   []byte // entries in the form of C2SP tlog-tiles
	lines [][]byte
	tile  []byte // 256 leaf hashes
}

// decodeChunk reads one chunk, which is all of b.
func decodeChunk(b []byte, number uint64) (*bundle, error) {
	h, err := parseChunkHead(b, number)
	if err != nil {
		return nil, err
	}
	if h.size() != int64(len(b)) || crc(b[chunkHead:]) != h.sum {
		return nil, errChunk
	}
	return h.open(b)
}

// open reads the tile and the entries and leaves checksums to the caller.
func (h chunkInfo) open(b []byte) (*bundle, error) {
	bun := &bundle{tile: b[chunkHead : chunkHead+tileBytes : chunkHead+tileBytes], raw: b[chunkHead+tileBytes:]}
	if h.codec == codecZstd {
		dec, err := decompressor()
		if err != nil {
			return nil, fmt.Errorf("make decompressor: %w", err)
		}
		if bun.raw, err = dec.DecodeAll(bun.raw, make([]byte, 0, h.raw)); err != nil {
			return nil, fmt.Errorf("decompress bundle: %w", err)
		}
	}
	if len(bun.raw) != h.raw {
		return nil, errEntries
	}
	var err error
	bun.lines, err = splitEntries(bun.raw, tileWidth)
	return bun, err
}

// A foot ends a pack: where its chunks begin, and the tile of level 1.
type foot struct {
	offsets []int64
	tile    []merkle.Hash
	root    merkle.Hash // over the tile: a hash of level 2
	begin   int64       // where the foot begins, known from the file
}

// appendFoot appends the foot of the pack number.
func appendFoot(dst []byte, number uint64, chunks []chunkRef) ([]byte, merkle.Hash) {
	start := len(dst)
	tile := make([]merkle.Hash, len(chunks))
	for i, c := range chunks {
		dst = be.AppendUint64(dst, uint64(c.offset))
		tile[i] = c.root
	}
	for _, h := range tile {
		dst = append(dst, h[:]...)
	}
	root := merkle.PerfectRoot(tile)
	dst = append(dst, root[:]...)
	dst = be.AppendUint64(dst, number)
	dst = append(dst, footMark...)
	return be.AppendUint32(dst, crc(dst[start:])), root
}

// parseFoot reads the foot of the pack number, which is all of b, and checks
// that its parts agree.
func parseFoot(b []byte, number uint64) (foot, error) {
	if len(b) != footBytes || be.Uint32(b[footBytes-4:]) != crc(b[:footBytes-4]) {
		return foot{}, errChunk
	}
	f := foot{offsets: make([]int64, packBundles), tile: make([]merkle.Hash, packBundles)}
	for i := range f.offsets {
		f.offsets[i] = int64(be.Uint64(b[8*i:]))
		f.tile[i] = merkle.Hash(b[packBundles*8+merkle.HashSize*i:])
	}
	rest := b[packBundles*8+tileBytes:]
	f.root = merkle.Hash(rest)
	if be.Uint64(rest[merkle.HashSize:]) != number || string(rest[merkle.HashSize+8:len(rest)-4]) != footMark {
		return foot{}, fmt.Errorf("is not the foot of pack %d", number)
	}
	if merkle.PerfectRoot(f.tile) != f.root {
		return foot{}, errors.New("tile and root do not agree")
	}
	return f, nil
}
