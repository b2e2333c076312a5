// Package merkle is the arithmetic of a ledger's Merkle tree: the hashes of
// RFC 6962 section 2.1 and the check of an inclusion proof (section 2.1.1),
// as thin names over golang.org/x/mod/sumdb/tlog, and a [Frontier], which
// knows the root of a growing tree without its leaves.
//
// It is pure: bytes in, hashes out. It keeps nothing and reads nothing.
package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// A Hash is the SHA-256 hash of a leaf or of a node. Its String is base64.
type Hash = tlog.Hash

// HashSize is the length of a Hash in bytes.
const HashSize = tlog.HashSize

// small is how long a leaf may be to be hashed on the stack.
const small = 2047

// LeafHash is SHA-256(0x00 || data), RFC 6962 section 2.1.
func LeafHash(data []byte) Hash {
	if len(data) > small {
		return tlog.RecordHash(data)
	}
	var buf [1 + small]byte
	n := copy(buf[1:], data)
	return sha256.Sum256(buf[:1+n])
}

// NodeHash is SHA-256(0x01 || left || right), RFC 6962 section 2.1.
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*HashSize]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+HashSize:], right[:])
	return sha256.Sum256(buf[:])
}

// PerfectRoot is the root over 2^n hashes that stand at one level, one after
// the other. It panics when they are not a power of two.
func PerfectRoot(hashes []Hash) Hash {
	if n := len(hashes); n == 0 || n&(n-1) != 0 {
		panic("internal error: a perfect tree has a power of two of leaves")
	}
	level := append([]Hash(nil), hashes...)
	for ; len(level) > 1; level = level[:len(level)/2] {
		for i := range len(level) / 2 {
			level[i] = NodeHash(level[2*i], level[2*i+1])
		}
	}
	return level[0]
}

// CheckInclusion says whether proof shows that leaf stands at index in the
// tree of that size and root, RFC 6962 section 2.1.1.
func CheckInclusion(proof []Hash, size uint64, root Hash, index uint64, leaf Hash) error {
	if size > math.MaxInt64 || index >= size {
		return fmt.Errorf("index %d is not in a tree of size %d", index, size)
	}
	if err := tlog.CheckRecord(proof, int64(size), root, int64(index), leaf); err != nil {
		return errors.New("the inclusion proof does not lead from the record to the signed root")
	}
	return nil
}
