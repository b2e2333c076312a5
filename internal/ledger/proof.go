package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/merkle"
)

// proofMark is the first line of a proof, C2SP tlog-proof "Format".
const proofMark = "c2sp.org/tlog-proof@v1"

// maxProof is more than any proof has: one record, 63 hashes, a checkpoint
// with a hundred signatures.
const maxProof = 1 << 20

// Prove returns a proof file for one record, C2SP tlog-proof. Its extra data
// is the record's line, so that whoever has the file and the ledger's key
// needs nothing else.
func (l *Log) Prove(seq uint64) ([]byte, error) {
	checkpoint, head, err := l.checkpoint()
	if err != nil {
		return nil, err
	}
	if err := l.Refresh(); err != nil { // what we see is not older than the checkpoint
		return nil, err
	}
	if seq >= head.size {
		if seq < l.Size() {
			return nil, errs.Hint(errs.Busy, "try again in a second", "no checkpoint covers record %d yet", seq)
		}
		return nil, notFound("there is no record %d", seq)
	}
	line, err := l.Read(seq)
	if err != nil {
		return nil, err
	}
	s := l.state()
	path, err := tlog.ProveRecord(int64(head.size), int64(seq), l.packs.hashes(s))
	if err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	// It leads to the root that was signed, so it is right, or it is not made.
	if err := merkle.CheckInclusion(path, head.size, head.root, seq, merkle.LeafHash(line)); err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	return proof{line: line, index: seq, path: path, checkpoint: checkpoint}.encode(), nil
}

// CheckProof checks a proof file with nothing but the ledger's verifier key,
// and returns the record that it proves. The error says what does not hold.
func CheckProof(file []byte, verifierKey string) (Record, error) {
	rec, err := checkProof(file, verifierKey)
	if err != nil {
		return Record{}, errs.E(errs.Invalid, "the proof does not hold: %v", err)
	}
	return rec, nil
}

func checkProof(file []byte, verifierKey string) (Record, error) {
	v, err := note.NewVerifier(strings.TrimSpace(verifierKey))
	if err != nil {
		return Record{}, fmt.Errorf("the key is not a verifier key: %w", err)
	}
	p, err := parseProof(file)
	if err != nil {
		return Record{}, err
	}
	head, _, err := openCheckpoint(p.checkpoint, v)
	if err != nil {
		return Record{}, err
	}
	if p.index >= head.size {
		return Record{}, fmt.Errorf("index %d is not below the checkpoint's size %d", p.index, head.size)
	}
	if err := merkle.CheckInclusion(p.path, head.size, head.root, p.index, merkle.LeafHash(p.line)); err != nil {
		return Record{}, err
	}
	rec, err := ParseRecord(p.line)
	if err != nil {
		return Record{}, fmt.Errorf("the entry is in the ledger but cannot be read: %w", err)
	}
	if rec.Seq != p.index {
		return Record{}, fmt.Errorf("the record says that it is number %d, the ledger has it at %d", rec.Seq, p.index)
	}
	return rec, nil
}

// A proof is the content of a proof file.
type proof struct {
	line       []byte // the extra data
	index      uint64
	path       []merkle.Hash // from the leaf's sibling to the root's child
	checkpoint []byte
}

func (p proof) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofMark, base64.StdEncoding.EncodeToString(p.line), p.index)
	for _, h := range p.path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(p.checkpoint)
	return b.Bytes()
}

// parseProof reads a proof file. It accepts the one spelling that the format
// gives to a proof.
func parseProof(file []byte) (p proof, err error) {
	if len(file) > maxProof {
		return p, fmt.Errorf("a file of %d bytes is too long for a proof", len(file))
	}
	head, checkpoint, ok := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if lines[0] != proofMark {
		return p, fmt.Errorf("the file does not begin with %q", proofMark)
	}
	if !ok {
		return p, errors.New("the file has no checkpoint")
	}
	p.checkpoint, lines = checkpoint, lines[1:]
	if len(lines) < 2 {
		return p, errors.New("the file is too short")
	}
	extra, ok := strings.CutPrefix(lines[0], "extra ")
	if !ok {
		return p, errors.New("the second line does not hold the record (extra …)")
	}
	if p.line, err = strictBase64(extra); err != nil {
		return p, errors.New("the second line is not base64")
	}
	index, ok := strings.CutPrefix(lines[1], "index ")
	if p.index, err = strconv.ParseUint(index, 10, 63); !ok || err != nil || strconv.FormatUint(p.index, 10) != index {
		return p, errors.New("the third line is not the record's index (index …)")
	}
	for _, line := range lines[2:] {
		h, err := strictBase64(line)
		if err != nil || len(h) != merkle.HashSize {
			return p, fmt.Errorf("line %d is not a hash", len(p.path)+4)
		}
		p.path = append(p.path, merkle.Hash(h))
	}
	return p, nil
}

// strictBase64 accepts one spelling for each value.
func strictBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && base64.StdEncoding.EncodedLen(len(b)) != len(s) {
		return nil, errors.New("line breaks in base64")
	}
	return b, err
}
