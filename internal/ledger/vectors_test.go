package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"beffroi.dev/internal/merkle"
)

var update = flag.Bool("update", false, "write the test vectors into docs/format/ledger.md")

const (
	formatPage    = "../../docs/format/ledger.md"
	vectorsFollow = "-update -->\n"
)

// The test vectors of docs/format/ledger.md are what this package does.
func TestVectors(t *testing.T) {
	page, err := os.ReadFile(formatPage)
	if err != nil {
		t.Fatal(err)
	}
	head, got, ok := strings.Cut(string(page), vectorsFollow)
	if !ok {
		t.Fatal("the page has no place for vectors")
	}
	want := vectors(t)
	if *update {
		if err := os.WriteFile(formatPage, []byte(head+vectorsFollow+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the page says\n%s\nand the package does\n%s", got, want)
	}
}

func vectorRecord(seq uint64) []byte {
	return Record{
		Seq: seq, Time: time.Date(2026, 11, 22, 8, 15, 30, int(seq)*1000, time.UTC),
		Kind: "test.happened", Subject: fmt.Sprintf("test/%d", seq), Actor: "beffroi", Data: []byte(`{"ok":true}`),
	}.AppendLine(nil)
}

func vectors(t *testing.T) string {
	var b strings.Builder
	section := func(title, body string) {
		fmt.Fprintf(&b, "\n%s:\n\n```\n%s\n```\n", title, strings.TrimSuffix(body, "\n"))
	}
	lines := [][]byte{vectorRecord(0), vectorRecord(1), vectorRecord(2)}
	section("Three records, a line each", string(bytes.Join(lines, []byte("\n"))))
	tree := merkle.Frontier{}
	root := tree.Root()
	var hashes strings.Builder
	fmt.Fprintf(&hashes, "root of 0  %x\n", root[:])
	for i, line := range lines {
		leaf := merkle.LeafHash(line)
		tree.Add(leaf)
		root = tree.Root()
		fmt.Fprintf(&hashes, "leaf %d     %x\nroot of %d  %x\n", i, leaf[:], i+1, root[:])
	}
	section("Their leaf hashes, and the roots over the first of them", hashes.String())

	k := vectorKeys(t)
	section("A signing key (the seed is 00 01 02 … 1f) and its verifier key", vectorKey(t)+"\n"+k.public)
	signed, err := treeHead{size: 3, root: tree.Root()}.sign(k.signer)
	if err != nil {
		t.Fatal(err)
	}
	section("The checkpoint over the three", string(signed))
	leaf0, leaf2 := merkle.LeafHash(lines[0]), merkle.LeafHash(lines[2])
	p := proof{line: lines[1], index: 1, path: []merkle.Hash{leaf0, leaf2}, checkpoint: signed}.encode()
	if rec, err := CheckProof(p, k.public); err != nil || rec.Seq != 1 {
		t.Fatalf("the vector proves %d: %v", rec.Seq, err)
	}
	section("The proof of record 1", string(p))

	first, _ := encodeBlock(0, lines[:2])
	second, _ := encodeBlock(2, lines[2:])
	section("The tail file 00000000000000000000 after two of them were appended, and then the third", hex.Dump(bytes.Join([][]byte{encodeTailHead(0), first, second}, nil)))

	section("The pack 00000000000000000000 of the first 256 such records, its entries not compressed: its first 64 bytes, the SHA-256 of all its bytes, and of its entries", vectorChunk(t))
	return b.String()
}

func vectorKey(t *testing.T) string {
	seed := make([]byte, 33)
	seed[0] = 1 // Ed25519
	for i := range 32 {
		seed[1+i] = byte(i)
	}
	public, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no Ed25519 key")
	}
	vkey, err := note.NewEd25519VerifierKey("beffroi/test", public)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("PRIVATE+KEY+beffroi/test+%s+%s", strings.Split(vkey, "+")[1], base64.StdEncoding.EncodeToString(seed))
}

func vectorKeys(t *testing.T) keys {
	k, err := parseKeys(vectorKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.NewVerifier(k.public); err != nil {
		t.Fatal(err)
	}
	return k
}

func vectorChunk(t *testing.T) string {
	var lines [][]byte
	var raw []byte
	for seq := range uint64(tileWidth) {
		lines = append(lines, vectorRecord(seq))
		raw = appendEntry(raw, lines[seq])
	}
	compressed, root, err := appendChunk(nil, 0, lines, leafHashes(lines))
	if err != nil {
		t.Fatal(err)
	}
	tile := compressed[chunkHead : chunkHead+tileBytes]
	chunk := append(append(make([]byte, chunkHead), tile...), raw...)
	chunkInfo{codec: codecNone, stored: len(raw), raw: len(raw), root: root, sum: crc(chunk[chunkHead:])}.put(chunk)
	for _, b := range [][]byte{compressed, chunk} {
		bun, err := decodeChunk(b, 0)
		if err != nil || !bytes.Equal(bun.raw, raw) || !bytes.Equal(bun.tile, tile) {
			t.Fatalf("the chunk is read as something else: %v", err)
		}
	}
	return fmt.Sprintf("%s\nSHA-256 of the chunk    %x\nSHA-256 of the entries  %x\n", strings.TrimSpace(hex.Dump(chunk[:chunkHead])), sha256.Sum256(chunk), sha256.Sum256(raw))
}
