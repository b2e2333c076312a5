package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"beffroi.dev/internal/merkle"
)

// A treeHead is what a checkpoint says.
type treeHead struct {
	size uint64
	root merkle.Hash
}

// A checkpointer remembers the checkpoint that was signed last, so that a size
// is signed once, and only when somebody asks.
type checkpointer struct {
	mu     sync.Mutex // guards what follows
	head   treeHead
	signed []byte // nil when nothing was signed

	persistMu sync.Mutex // held while the file is written
	persisted uint64     // size of the checkpoint on disk
	onDisk    bool
}

// Checkpoint is the signed checkpoint of the durable records, C2SP
// tlog-checkpoint. A log that is open for reading returns the one on disk.
func (l *Log) Checkpoint() ([]byte, error) {
	b, _, err := l.checkpoint()
	return b, err
}

func (l *Log) checkpoint() ([]byte, treeHead, error) {
	if l.c.ReadOnly {
		return loadCheckpoint(l.c, l.keys.verifier)
	}
	c := &l.signer
	c.mu.Lock()
	defer c.mu.Unlock()
	s := l.state()
	if c.signed != nil && c.head.size == s.size() {
		return c.signed, c.head, nil
	}
	head := treeHead{size: s.size(), root: s.tree.Root()}
	signed, err := head.sign(l.keys.signer)
	if err != nil {
		return nil, treeHead{}, err
	}
	c.head, c.signed = head, signed
	return signed, head, nil
}

// persist writes the checkpoint to disk when it has changed.
func (l *Log) persist() error {
	c := &l.signer
	c.persistMu.Lock()
	defer c.persistMu.Unlock()
	if c.onDisk && c.persisted == l.Size() {
		return nil
	}
	signed, head, err := l.checkpoint()
	if err != nil {
		return err
	}
	if err := replaceFile(l.c.FS, l.path(checkpointName), signed, 0o644); err != nil {
		return err
	}
	c.persisted, c.onDisk = head.size, true
	return nil
}

func (h treeHead) sign(signer note.Signer) ([]byte, error) {
	text := signer.Name() + "\n" + strconv.FormatUint(h.size, 10) + "\n" + h.root.String() + "\n"
	b, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return b, nil
}

// parseHead reads the text of a checkpoint, C2SP tlog-checkpoint "Note text".
func parseHead(text, origin string) (treeHead, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return treeHead{}, errors.New("the checkpoint has fewer than three lines")
	}
	if lines[0] != origin {
		return treeHead{}, fmt.Errorf("the checkpoint is of %q, not of %q", lines[0], origin)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return treeHead{}, errors.New("the checkpoint's second line is not a size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != merkle.HashSize || len(lines[2]) != len(merkle.Hash{}.String()) {
		return treeHead{}, errors.New("the checkpoint's third line is not a hash")
	}
	if slices.Contains(lines[3:len(lines)-1], "") {
		return treeHead{}, errors.New("the checkpoint has an empty line")
	}
	return treeHead{size: size, root: merkle.Hash(root)}, nil
}

// openCheckpoint checks the signature of a checkpoint, which may carry those
// of others, and reads it.
func openCheckpoint(b []byte, v note.Verifier) (treeHead, *note.Note, error) {
	n, err := note.Open(b, note.VerifierList(v))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return treeHead{}, nil, fmt.Errorf("the checkpoint is not signed with the key of %s", v.Name())
	case errors.As(err, &invalid):
		return treeHead{}, nil, errors.New("the checkpoint's signature does not fit its text")
	case err != nil:
		return treeHead{}, nil, errors.New("the checkpoint is not a signed note")
	}
	h, err := parseHead(n.Text, v.Name())
	return h, n, err
}

// loadCheckpoint reads the checkpoint on disk, which must be as this package
// wrote it. A missing one is fs.ErrNotExist.
func loadCheckpoint(c Config, v note.Verifier) ([]byte, treeHead, error) {
	l := Log{c: c}
	b, err := readFile(c.FS, l.path(checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, treeHead{}, fmt.Errorf("read checkpoint: %w", err)
	}
	if err != nil {
		return nil, treeHead{}, &DamageError{File: checkpointName, Msg: "cannot be read", Err: err}
	}
	h, n, err := openCheckpoint(b, v)
	if err != nil {
		return nil, treeHead{}, &DamageError{File: checkpointName, Msg: "is not what the ledger signed", Err: err}
	}
	if !bytes.Equal(b, canonical(n)) {
		return nil, treeHead{}, &DamageError{File: checkpointName, Msg: "is not spelled as the ledger writes it"}
	}
	return b, h, nil
}

// canonical is the one spelling of a note with one signature: base64 has
// several for the same bytes.
func canonical(n *note.Note) []byte {
	if len(n.Sigs) != 1 {
		return nil
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return nil
	}
	return []byte(n.Text + "\n— " + n.Sigs[0].Name + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}
