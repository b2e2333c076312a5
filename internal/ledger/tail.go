package ledger

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// A tail file holds the newest records as they were appended: a head, and then
// blocks, each written and synced before it is acknowledged. docs/format/ledger.md,
// "Tail". The first byte of a block's mark is in no UTF-8 text, so that no
// record can pass for a block.
const (
	tailMark   = "\xfbtail v1"
	tailHead   = len(tailMark) + 8 + 4
	blockMark  = "\xfbblk"
	blockHead  = len(blockMark) + 4 + 8 + 4 + 4
	maxBlock   = 1 << 30
	nameDigits = 20
)

// fileName is how tail and pack files are named: by their first record.
func fileName(first uint64) string {
	return fmt.Sprintf("%0*d", nameDigits, first)
}

// parseFileName is the inverse of fileName.
func parseFileName(name string) (first uint64, ok bool) {
	n, err := strconv.ParseUint(name, 10, 63)
	return n, err == nil && fileName(n) == name
}

func encodeTailHead(first uint64) []byte {
	b := append(make([]byte, 0, tailHead), tailMark...)
	b = be.AppendUint64(b, first)
	return be.AppendUint32(b, crc(b))
}

// encodeBlock returns a block, and the lines as they stand in it.
func encodeBlock(first uint64, lines [][]byte) (block []byte, inside [][]byte) {
	n := blockHead
	for _, l := range lines {
		n += 2 + len(l)
	}
	b := append(make([]byte, 0, n), blockMark...)
	b = be.AppendUint32(b, uint32(n-blockHead))
	b = be.AppendUint64(b, first)
	b = be.AppendUint32(b, uint32(len(lines)))
	b = append(b, 0, 0, 0, 0)
	inside = make([][]byte, len(lines))
	for i, l := range lines {
		b = appendEntry(b, l)
		inside[i] = b[len(b)-len(l) : len(b) : len(b)]
	}
	be.PutUint32(b[blockHead-4:], crc(b[:blockHead-4], b[blockHead:]))
	return b, inside
}

// decodeBlock reads the block that b begins with. ok is false when there is
// none that is whole.
func decodeBlock(b []byte) (first uint64, lines [][]byte, size int, ok bool) {
	if len(b) < blockHead || string(b[:len(blockMark)]) != blockMark {
		return 0, nil, 0, false
	}
	length, count := be.Uint32(b[4:]), be.Uint32(b[16:])
	if uint64(length) > uint64(len(b)-blockHead) || count == 0 || count > math.MaxInt32 {
		return 0, nil, 0, false
	}
	size = blockHead + int(length)
	body := b[blockHead:size]
	if be.Uint32(b[blockHead-4:]) != crc(b[:blockHead-4], body) {
		return 0, nil, 0, false
	}
	lines, err := splitEntries(body, int(count))
	if err != nil {
		return 0, nil, 0, false
	}
	return be.Uint64(b[8:]), lines, size, true
}

// A tailScan is what a tail file says.
type tailScan struct {
	first uint64
	lines [][]byte // share memory with the file's bytes
	torn  int      // bytes at the end that are no whole block
}

func (s tailScan) end() uint64 { return s.first + uint64(len(s.lines)) }

// scanTail reads the bytes of the tail file that begins with record first.
// Bytes at its end that are no whole block are what a crash leaves: torn. When
// a whole block comes after them they are damage.
func scanTail(first uint64, b []byte) (tailScan, *DamageError) {
	s := tailScan{first: first}
	at := tailHead
	if len(b) < tailHead || !bytes.Equal(b[:tailHead], encodeTailHead(first)) {
		at = 0
	}
	for at > 0 && at < len(b) {
		from, lines, size, ok := decodeBlock(b[at:])
		if !ok || from != s.end() {
			break
		}
		s.lines = append(s.lines, lines...)
		at += size
	}
	s.torn = len(b) - at
	if next, found := findBlock(b[at:]); found {
		return s, &DamageError{From: s.end(), To: max(next, s.end()), Msg: fmt.Sprintf("the block at byte %d is not as it was written, and blocks follow it", at)}
	}
	return s, nil
}

// findBlock looks for a whole block anywhere in b.
func findBlock(b []byte) (first uint64, found bool) {
	for {
		i := bytes.Index(b, []byte(blockMark))
		if i < 0 {
			return 0, false
		}
		b = b[i:]
		if first, _, _, ok := decodeBlock(b); ok {
			return first, true
		}
		b = b[1:]
	}
}
