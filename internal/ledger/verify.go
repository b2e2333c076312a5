package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/merkle"
)

// VerifyConfig says what to verify. Only Dir is required.
type VerifyConfig struct {
	Dir string
	// Key is the verifier key that the auditor knows. Empty takes the one in
	// Dir, which says only that the ledger agrees with itself.
	Key string
	// Each is called with every record in order, so that its owner can check
	// what the ledger does not know: payloads in the blob store, for example.
	Each func(Record) error
	FS   FS // nil means the disk
}

// A Report is what [Verify] recomputed.
type Report struct {
	Origin     string      `json:"origin"`
	Key        string      `json:"key"` // the verifier key that was used
	Records    uint64      `json:"records"`
	Root       merkle.Hash `json:"root"`       // over all records
	Checkpoint uint64      `json:"checkpoint"` // records that the signed checkpoint covers
	Packs      uint64      `json:"packs"`      // that are full
	Bundles    uint64      `json:"bundles"`    // that are sealed
	Bytes      uint64      `json:"bytes"`      // of all lines
	Torn       int         `json:"torn"`       // bytes at the end that are no whole block: a write under way, or a crash
	First      time.Time   `json:"first"`      // time of the first record
	Last       time.Time   `json:"last"`       // and of the last
	// Times may go back when a clock was set. That is noted, not refused.
	Backwards     uint64        `json:"backwards"`      // records that are older than the one before
	BackwardsAt   uint64        `json:"backwards_at"`   // the first of them
	BackwardsMost time.Duration `json:"backwards_most"` // the longest step back
}

// Verify recomputes everything from the stored bytes alone: the form and order
// of records, every hash, and the root that was signed. It works beside a
// process that writes, and changes nothing. The error is a [DamageError] that
// names the first file and record that is not as it was written.
func Verify(c VerifyConfig) (r Report, err error) {
	if c.FS == nil {
		c.FS = disk{}
	}
	v := verifier{c: c, l: Log{c: Config{Dir: c.Dir, FS: c.FS, ReadOnly: true}}}
	err = v.run()
	return v.Report, err
}

// A verifier walks over the ledger once.
type verifier struct {
	Report
	c    VerifyConfig
	l    Log // only for its paths
	head treeHead
	tree merkle.Frontier
}

func (v *verifier) run() error {
	if err := v.keys(); err != nil {
		return err
	}
	var err error
	if _, v.head, err = loadCheckpoint(v.l.c, v.l.keys.verifier); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &DamageError{File: checkpointName, Msg: "is missing: nothing says what the ledger should hold", Err: err}
		}
		return err
	}
	v.Checkpoint = v.head.size
	f := found{head: v.head}
	first, lines, err := f.readTailsBeside(v.l.c)
	if err != nil {
		return err
	}
	v.Torn = f.torn
	last, err := v.packs(&f, first)
	if err != nil {
		return err
	}
	if err := v.tails(first, lines, last); err != nil {
		return err
	}
	v.Records, v.Root = v.tree.Size(), v.tree.Root()
	if v.Records < v.head.size {
		return f.missing(v.Records)
	}
	return nil
}

// keys reads the keys. The signing key is looked at where it can be read.
func (v *verifier) keys() (err error) {
	if v.l.keys, err = loadPublicKey(v.l.c); err != nil {
		return err
	}
	v.Key, v.Origin = v.l.keys.public, v.l.keys.verifier.Name()
	if v.c.Key != "" && v.c.Key != v.Key {
		return errs.Hint(errs.Invalid, "the key in the ledger is "+v.Key, "the ledger was not signed with the key that you gave")
	}
	secret, err := readFile(v.c.FS, v.l.path(keyName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // an auditor has a copy without it
	}
	if err != nil {
		return fmt.Errorf("read the ledger's key: %w", err)
	}
	if k, err := parseKeyFile(secret); err != nil || k.public != v.Key {
		return &DamageError{File: keyName, Msg: "is not the key that belongs to " + pubName, Err: err}
	}
	return nil
}

// packs verifies the bundles before the record bound, and returns the lines of
// the last.
func (v *verifier) packs(f *found, bound uint64) (last [][]byte, err error) {
	if err := f.readPacks(v.l.c, bound); err != nil {
		return nil, err
	}
	bundles := f.sealed.bundles()
	for pack := uint64(0); pack*packBundles < bundles; pack++ {
		if last, err = v.pack(pack, min(packBundles, bundles-pack*packBundles)); err != nil {
			return nil, err
		}
	}
	v.Packs, v.Bundles = uint64(len(f.sealed.packs)), bundles
	return last, nil
}

// pack verifies the first n bundles of a pack and, when these are all, its foot.
func (v *verifier) pack(pack, n uint64) (last [][]byte, err error) {
	name := packFile(pack)
	file, err := v.c.FS.OpenFile(v.l.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, &DamageError{File: name, From: v.tree.Size(), To: v.tree.Size() + n*tileWidth, Msg: "cannot be read", Err: err}
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var refs []chunkRef
	var at int64
	for range n {
		ref, size, bun, damage := v.chunk(file, at)
		if damage != nil {
			damage.File = name
			return nil, damage
		}
		if err := v.records(name, bun.lines, bun.leaves); err != nil {
			return nil, err
		}
		refs, at, last = append(refs, ref), at+size, bun.lines
	}
	if n < packBundles {
		return last, nil
	}
	want, _ := appendFoot(nil, pack, refs)
	got := make([]byte, len(want)+1)
	if k, _ := file.ReadAt(got, at); !bytes.Equal(got[:k], want) {
		return nil, &DamageError{File: name, From: pack * packRecords, To: (pack + 1) * packRecords, Msg: "the foot of the pack is not what follows from its bundles"}
	}
	return last, nil
}

// hashed are records and their hashes.
type hashed struct {
	lines  [][]byte
	leaves []merkle.Hash
}

// chunk verifies the chunk at a place: its records hash to its tile.
func (v *verifier) chunk(file File, at int64) (ref chunkRef, size int64, out hashed, damage *DamageError) {
	seq := v.tree.Size()
	bad := func(err error) *DamageError {
		return &DamageError{From: seq, To: seq + tileWidth, Msg: "the bundle cannot be read", Err: err}
	}
	head := make([]byte, chunkHead)
	if _, err := file.ReadAt(head, at); err != nil {
		return ref, 0, out, bad(err)
	}
	h, err := parseChunkHead(head, seq/tileWidth)
	if err != nil {
		return ref, 0, out, bad(err)
	}
	b := make([]byte, h.size())
	if _, err := file.ReadAt(b, at); err != nil {
		return ref, 0, out, bad(err)
	}
	// Even when the checksum is wrong, the hashes may say which record it is.
	var broken error
	if crc(b[chunkHead:]) != h.sum {
		broken = errChunk
	}
	bun, err := h.open(b)
	if err != nil {
		return ref, 0, out, bad(errors.Join(broken, err))
	}
	out.leaves = leafHashes(bun.lines)
	for i, leaf := range out.leaves {
		if leaf != merkle.Hash(bun.tile[i*merkle.HashSize:]) {
			n := seq + uint64(i)
			return ref, 0, out, &DamageError{From: n, To: n + 1, Msg: "the record and its leaf hash do not agree"}
		}
	}
	if broken != nil {
		return ref, 0, out, bad(broken)
	}
	if merkle.PerfectRoot(out.leaves) != h.root {
		return ref, 0, out, bad(errors.New("its tile and the hash above it do not agree"))
	}
	out.lines = bun.lines
	return chunkRef{offset: at, root: h.root}, h.size(), out, nil
}

// tails verifies the records that are not sealed. Those that are must be the
// same: last is the last bundle.
func (v *verifier) tails(first uint64, lines, last [][]byte) error {
	sealed := v.tree.Size()
	for ; len(lines) > 0 && first < sealed; first, lines = first+1, lines[1:] {
		if !bytes.Equal(lines[0], last[first%tileWidth]) {
			return &DamageError{File: tailDir, From: first, To: first + 1, Msg: "its pack has another record"}
		}
	}
	return v.records(tailDir, lines, leafHashes(lines))
}

// records verifies the lines that come next, and the signed root when the
// checkpoint ends among them.
func (v *verifier) records(file string, lines [][]byte, leaves []merkle.Hash) error {
	for i, line := range lines {
		if err := v.signedRoot(); err != nil {
			return err
		}
		seq := v.tree.Size()
		bad := func(msg string, err error) error {
			return &DamageError{File: file, From: seq, To: seq + 1, Msg: msg, Err: err}
		}
		rec, err := ParseRecord(line)
		if err != nil {
			return bad("is not a record", err)
		}
		if rec.Seq != seq {
			return bad(fmt.Sprintf("says that it is number %d", rec.Seq), nil)
		}
		v.clock(rec)
		v.tree.Add(leaves[i])
		v.Bytes += uint64(len(line))
		if v.c.Each != nil {
			if err := v.c.Each(rec); err != nil {
				return bad("does not stand up", err)
			}
		}
	}
	return v.signedRoot()
}

// signedRoot compares with the checkpoint when the tree is as long as it says.
func (v *verifier) signedRoot() error {
	if v.tree.Size() == v.head.size && v.tree.Root() != v.head.root {
		return &DamageError{File: checkpointName, Msg: fmt.Sprintf("the first %d records do not add up to the signed root", v.head.size)}
	}
	return nil
}

func (v *verifier) clock(rec Record) {
	if rec.Seq == 0 {
		v.First = rec.Time
	} else if back := v.Last.Sub(rec.Time); back > 0 {
		if v.Backwards == 0 {
			v.BackwardsAt = rec.Seq
		}
		v.Backwards++
		v.BackwardsMost = max(v.BackwardsMost, back)
	}
	v.Last = rec.Time
}
