package ledger

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The widths of C2SP tlog-tiles: a tile is 256 hashes, a bundle is the 256
// entries below one tile of level 0, and a pack is all below one of level 1.
const (
	tileWidth   = 256
	tileLevel   = 8 // log2 of tileWidth
	packBundles = tileWidth
	packRecords = packBundles * tileWidth
	packLevel   = 2 * tileLevel
)

var be = binary.BigEndian

// crc is CRC-32C over the parts, as one.
func crc(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEntry appends one entry in the form of C2SP tlog-tiles "Log entries":
// its length in 16 bits, big-endian, and its bytes.
func appendEntry(dst, line []byte) []byte {
	dst = be.AppendUint16(dst, uint16(len(line)))
	return append(dst, line...)
}

var errEntries = errors.New("entries do not add up")

// splitEntries returns the n entries that b consists of. They share memory
// with b.
func splitEntries(b []byte, n int) ([][]byte, error) {
	if n > len(b)/2 {
		return nil, errEntries
	}
	lines := make([][]byte, n)
	for i := range lines {
		if len(b) < 2 {
			return nil, errEntries
		}
		size := int(be.Uint16(b))
		if len(b) < 2+size {
			return nil, errEntries
		}
		lines[i] = b[2 : 2+size : 2+size]
		b = b[2+size:]
	}
	if len(b) != 0 {
		return nil, errEntries
	}
	return lines, nil
}
