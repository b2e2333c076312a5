package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A flip is one bit of a stopped node's directory that is not what it was.
type flip struct {
	name string
	glob string             // of the file, below the data directory
	at   func(b []byte) int // which byte; -1: there is none
	bit  byte               // mask
	says []string           // what verify or the start has to say, one of them
	only string             // "start": verify need not notice, the start has to
}

// middle is the byte at a share of the file.
func middle(share float64) func([]byte) int {
	return func(b []byte) int { return int(share * float64(len(b)-1)) }
}

// inside is the byte that follows a text.
func inside(text string, after int) func([]byte) int {
	return func(b []byte) int {
		i := bytes.LastIndex(b, []byte(text))
		if i < 0 {
			return -1
		}
		return i + after
	}
}

var flips = []flip{
	{name: "tail, head of the file", glob: "ledger/tail/*", at: func([]byte) int { return 9 }, bit: 1, says: []string{"tail"}},
	{name: "tail, head of a block", glob: "ledger/tail/*", at: func([]byte) int { return 20 + 5 }, bit: 1, says: []string{"tail"}},
	{name: "tail, a record", glob: "ledger/tail/*", at: middle(0.5), bit: 4, says: []string{"tail"}},
	{name: "tail, the last byte", glob: "ledger/tail/*", at: middle(1), bit: 1, says: []string{"tail", "checkpoint"}},
	{name: "pack, head of a chunk", glob: "ledger/pack/*", at: func([]byte) int { return 12 }, bit: 1, says: []string{"pack/"}},
	{name: "pack, tile", glob: "ledger/pack/*", at: func([]byte) int { return 64 + 100 }, bit: 2, says: []string{"pack/"}},
	{name: "pack, hash above the tile", glob: "ledger/pack/*", at: func([]byte) int { return 30 }, bit: 2, says: []string{"pack/"}},
	{name: "pack, entries", glob: "ledger/pack/*", at: func([]byte) int { return 64 + 8192 + 2000 }, bit: 8, says: []string{"pack/"}},
	{name: "pack, the last chunk or the foot", glob: "ledger/pack/*", at: func(b []byte) int { return len(b) - 5 }, bit: 8, says: []string{"pack/"}},
	{name: "checkpoint, size", glob: "ledger/checkpoint", at: func(b []byte) int { return bytes.IndexByte(b, '\n') + 1 }, bit: 1, says: []string{"checkpoint"}},
	{name: "checkpoint, root", glob: "ledger/checkpoint", at: middle(0.4), bit: 1, says: []string{"checkpoint"}},
	{name: "checkpoint, signature", glob: "ledger/checkpoint", at: middle(0.8), bit: 1, says: []string{"checkpoint"}},
	{name: "signing key", glob: "ledger/ledger.key", at: middle(0.7), bit: 1, says: []string{"ledger.key"}},
	{name: "public key", glob: "ledger/ledger.pub", at: middle(0.7), bit: 1, says: []string{"ledger.pub", "checkpoint"}},
	{name: "payload", glob: "blobs/*/*", at: middle(0.5), bit: 1, says: []string{"blobs/"}},
	{name: "view, a row", glob: "view/view.db", at: inside("Credential dumping on host", 12), bit: 1, says: []string{"view"}},
	{name: "view, version in the head of the file", glob: "view/view.db", at: func([]byte) int { return 18 }, bit: 64, says: []string{"view"}},
	{name: "view, a page", glob: "view/view.db", at: func(b []byte) int { return pageSize(b) * 3 }, bit: 0xff, says: []string{"view"}},
	{name: "region key, its bytes", glob: "region.key", at: func(b []byte) int { return len(b) - 12 }, bit: 1, says: []string{"region.key"}, only: "start"},
	{name: "region key, its id", glob: "region.key", at: inside("beffroi-key-v1 ", 17), bit: 1, says: []string{"region.key"}, only: "start"},
}

func pageSize(db []byte) int { return int(binary.BigEndian.Uint16(db[16:])) }

// grown makes a stopped node's directory in which each kind of file is.
func grown(t *testing.T) (n *node, acked *senders) {
	t.Helper()
	n = newNode(t, filepath.Join(t.TempDir(), "data"))
	n.prepare(sourceYAML)
	large := send(t.Context(), n.addr, 2, 0, 4, 40_000) // these become payloads
	large.wait(t)
	// A pack has its foot after 65,536 records.
	batches := pick(8, 140)
	for i := range batches {
		lines := make([]string, 500)
		for j := range lines {
			lines[j] = string(event(1000+i*500+j, 0))
		}
		n.hook(strings.Join(lines, "\n"))
	}
	acked = send(t.Context(), n.addr, 4, 900_000, 40, 0)
	acked.wait(t)
	n.stop()
	return n, acked
}

// hook sends one call that has to be acknowledged.
func (n *node) hook(body string) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, "http://"+n.addr+"/hooks/siem", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("X-Key", hookSecret)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := new(http.Client).Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusAccepted {
		n.t.Fatalf("the hook answered %s: %v", res.Status, err)
	}
}

// TestABitFlips flips a bit in each kind of file of a stopped node.
func TestABitFlips(t *testing.T) {
	t.Parallel()
	n, acked := grown(t)
	if err := verify(t, n.data); err != nil {
		t.Fatal(err)
	}
	before := ledgerOf(t, n.data)
	for _, f := range flips {
		t.Run(f.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			copyDir(t, n.data, data)
			if !f.do(t, data) {
				t.Fatalf("no such byte in %s", f.glob)
			}
			verr := verify(t, data)
			if f.only == "" && (verr == nil || !named(verr, f.says)) {
				t.Errorf("verify says %v, want one of %q", verr, f.says)
			}
			m := newNode(t, data)
			m.token = n.token
			serr := m.start()
			t.Logf("verify: %s", oneLine(verr))
			t.Logf("start: %s", oneLine(serr))
			if serr != nil {
				if !named(serr, f.says) {
					t.Errorf("the start names none of %q", f.says)
				}
				return
			}
			m.stop()
			if f.only == "start" {
				t.Error("the node started")
			}
			// It started: then the truth is whole, or verify still says what is not.
			if err := verify(t, data); err == nil {
				acked.inLedger(t, data)
				if after := ledgerOf(t, data); !slices.Equal(after[:len(before)], before) {
					t.Error("the ledger changed and verify accepts it")
				}
			}
		})
	}
}

// TestAnyBitFlips flips bits anywhere: in the ledger and the payloads verify
// finds each; a view that passes has the rows that it should have.
func TestAnyBitFlips(t *testing.T) {
	t.Parallel()
	r := dice(t)
	n, _ := grown(t)
	var files []string
	for _, g := range []string{"ledger/checkpoint", "ledger/ledger.*", "ledger/tail/*", "ledger/pack/*", "blobs/*/*"} {
		found, err := filepath.Glob(filepath.Join(n.data, g))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	found := 0
	flips := pick(20, 200)
	for range flips {
		path := files[r.IntN(len(files))]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at, mask := r.IntN(len(b)), byte(1)<<r.IntN(8)
		b[at] ^= mask
		write(t, path, b)
		if _, err = beffroi(t, "ledger", "verify", "--data", n.data); err == nil && !same(path, b) {
			t.Errorf("%s: byte %d of %d with %#x flipped is accepted", path, at, len(b), mask)
		} else if err != nil {
			found++
		}
		b[at] ^= mask
		write(t, path, b)
	}
	if err := verify(t, n.data); err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d flips in %d files found", found, flips, len(files))
}

// same reports whether a file is a payload that says what it always said: some
// bits of a compressed frame mean nothing.
func same(path string, b []byte) bool {
	name, ok := strings.CutSuffix(path, ".zst")
	if !ok {
		return false
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		return false
	}
	defer d.Close()
	content, err := d.DecodeAll(b, nil)
	want := filepath.Base(filepath.Dir(name)) + filepath.Base(name)
	return err == nil && fmt.Sprintf("%x", sha256.Sum256(content)) == want
}

// TestABitFlipsBeforeRecovery flips a bit in what a killed node has left of its
// view: the start repairs it from the ledger.
func TestABitFlipsBeforeRecovery(t *testing.T) {
	t.Parallel()
	r := dice(t)
	n := newNode(t, filepath.Join(t.TempDir(), "data"))
	n.prepare(sourceYAML)
	for i := range pick(6, 30) {
		s := send(t.Context(), n.addr, 4, int64(i)*100, 60, 0)
		s.wait(t)
		n.kill()
		path := filepath.Join(n.data, "view", "view.db-wal")
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			t.Fatalf("a killed node left no journal: %v", err)
		}
		at := r.IntN(len(b))
		b[at] ^= 1 << r.IntN(8)
		write(t, path, b)
		if err := n.start(); err != nil {
			t.Fatalf("byte %d of %d of the journal: %v", at, len(b), err)
		}
		if err := verify(t, n.data); err != nil {
			t.Errorf("byte %d of %d of the journal: %v", at, len(b), err)
		}
		s.inLedger(t, n.data)
	}
	n.stop()
}

// do flips the bit.
func (f flip) do(t *testing.T, data string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, f.glob))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no %s: %v", f.glob, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := f.at(b)
	if at < 0 || at >= len(b) {
		return false
	}
	b[at] ^= f.bit
	write(t, files[0], b)
	return true
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func named(err error, says []string) bool {
	// The command that was run names the directory too.
	_, said, _ := strings.Cut(err.Error(), "\n")
	return slices.ContainsFunc(says, func(s string) bool { return strings.Contains(said, s) })
}

func oneLine(err error) string {
	if err == nil {
		return "accepted"
	}
	_, said, _ := strings.Cut(err.Error(), "\n")
	return fmt.Sprintf("%.300s", strings.ReplaceAll(strings.TrimSpace(said), "\n", " | "))
}
