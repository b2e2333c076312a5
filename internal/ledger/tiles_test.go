package ledger_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
)

// A client knows a ledger by its resources and its key only, as an auditor
// over HTTP does, and checks them with package tlog.
type client struct {
	t    testing.TB
	l    *ledger.Log
	tree tlog.Tree
}

func newClient(t testing.TB, l *ledger.Log) *client {
	t.Helper()
	c := &client{t: t, l: l}
	v, err := note.NewVerifier(l.Key())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(c.get("checkpoint"), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != l.Origin() {
		t.Fatalf("checkpoint: %q", n.Text)
	}
	if c.tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		t.Fatal(err)
	}
	if c.tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) get(path string) []byte {
	c.t.Helper()
	b, _, err := c.l.Resource(path)
	if err != nil {
		c.t.Fatalf("get %s: %v", path, err)
	}
	return b
}

func (c *client) Height() int                     { return 8 }
func (c *client) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles asks for tiles by the paths of C2SP, which leave the height out.
func (c *client) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		data = append(data, c.get("tile/"+strings.TrimPrefix(t.Path(), "tile/8/")))
	}
	return data, nil
}

func (c *client) entry(seq int64) []byte {
	path := fmt.Sprintf("tile/entries/%s", strings.TrimPrefix(tlog.Tile{H: 8, N: seq / 256, W: 256}.Path(), "tile/8/0/"))
	if rest := c.tree.N - seq/256*256; rest < 256 {
		path += fmt.Sprintf(".p/%d", rest)
	}
	b := c.get(path)
	for range seq % 256 {
		b = b[2+binary.BigEndian.Uint16(b):]
	}
	return b[2:][:binary.BigEndian.Uint16(b)]
}

// prove checks that a record is in the tree, with both twins.
func (c *client) prove(seq int64) {
	c.t.Helper()
	p, err := tlog.ProveRecord(c.tree.N, seq, tlog.TileHashReader(c.tree, c))
	if err != nil {
		c.t.Fatalf("record %d of %d: %v", seq, c.tree.N, err)
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(c.entry(seq))
	var path [][]byte
	for _, h := range p {
		path = append(path, h[:])
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(seq), uint64(c.tree.N), leaf, path, c.tree.Hash[:]); err != nil {
		c.t.Fatalf("record %d of %d: %v", seq, c.tree.N, err)
	}
	if !bytes.Equal(c.entry(seq), record(uint64(seq))) {
		c.t.Fatalf("record %d is %s", seq, c.entry(seq))
	}
}

func TestResourcesProveEveryRecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir})
	var before *client
	for _, n := range []int{1, 1, 253, 1, 1, 255, 4000, 61_023, 1, 1, 70_000} {
		grow(t, l, n, 1000)
		c := newClient(t, l)
		for seq := int64(0); seq < c.tree.N; seq += 1 + c.tree.N/7 {
			c.prove(seq)
		}
		c.prove(c.tree.N - 1)
		if before != nil { // what was signed before is a beginning of it
			p, err := tlog.ProveTree(c.tree.N, before.tree.N, tlog.TileHashReader(c.tree, c))
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(p, c.tree.N, c.tree.Hash, before.tree.N, before.tree.Hash); err != nil {
				t.Fatal(err)
			}
			before.prove(before.tree.N / 2) // with the partial tiles of then
		}
		before = c
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	beside := open(t, ledger.Config{Dir: dir, ReadOnly: true})
	c := newClient(t, beside)
	c.prove(0)
	c.prove(c.tree.N - 1)
}

// Of a tree of 70,000 entries the specification says which tiles there are.
func TestResourcePaths(t *testing.T) {
	l := open(t, ledger.Config{Dir: t.TempDir()})
	grow(t, l, 70_000, 1000)
	for _, tt := range []struct {
		path  string
		width int // in hashes; 0 is not found
	}{
		{"tile/0/000", 256},
		{"tile/0/272", 256},
		{"tile/0/273.p/112", 112},
		{"tile/0/273.p/1", 1},
		{"tile/0/000.p/17", 17},
		{"tile/1/000", 256},
		{"tile/1/001.p/17", 17},
		{"tile/2/000.p/1", 1},
		{"tile/0/273", 0},
		{"tile/0/273.p/113", 0},
		{"tile/0/274.p/1", 0},
		{"tile/1/001.p/18", 0},
		{"tile/2/000.p/2", 0},
		{"tile/2/000", 0},
		{"tile/3/000", 0},
		{"tile/3/000.p/1", 0},
		{"tile/63/000.p/1", 0},
		{"tile/64/000.p/1", 0},
		{"tile/-1/000", 0},
		{"tile/00/000", 0},
		{"tile/0/0", 0},
		{"tile/0/0000", 0},
		{"tile/0/x000/000", 0},
		{"tile/0/x0/00", 0},
		{"tile/0/000/", 0},
		{"tile/0/000.p/0", 0},
		{"tile/0/000.p/256", 0},
		{"tile/0/000.p/017", 0},
		{"tile/0/000.p/", 0},
		{"tile/0/000.p/1.p/1", 0},
		{"tile/0/x018/x446/x744/x073/x709/551", 0},
		{"tile/0/x009/x223/x372/x036/x854/x775/807", 0},
		{"tile/0/x072/x057/x594/x037/x927/936.p/1", 0},
		{"tile/entries/273.p/113", 0},
		{"tile/data/000", 0},
		{"tile/", 0},
		{"tile", 0},
		{"", 0},
		{"checkpoint/", 0},
		{"ledger.key", 0},
		{"../ledger.key", 0},
	} {
		b, mediaType, err := l.Resource(tt.path)
		switch {
		case tt.width == 0 && errs.KindOf(err) != errs.NotFound:
			t.Errorf("%s: %d bytes, %v", tt.path, len(b), err)
		case tt.width > 0 && (err != nil || len(b) != 32*tt.width || mediaType != "application/octet-stream"):
			t.Errorf("%s: %d bytes of %s, %v", tt.path, len(b), mediaType, err)
		}
	}
	for n, width := range map[string]int{"000": 256, "000.p/3": 3, "272": 256, "273.p/112": 112} {
		b, mediaType, err := l.Resource("tile/entries/" + n)
		if err != nil || mediaType != "application/octet-stream" {
			t.Fatalf("bundle %s: %s, %v", n, mediaType, err)
		}
		index, _, _ := strings.Cut(n, ".")
		seq, err := strconv.ParseUint(index, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for i := range uint64(width) {
			want = append(binary.BigEndian.AppendUint16(want, uint16(len(record(seq*256+i)))), record(seq*256+i)...)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("bundle %s has %d bytes, want %d", n, len(b), len(want))
		}
	}
	if _, mediaType, err := l.Resource("checkpoint"); err != nil || mediaType != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint: %s, %v", mediaType, err)
	}
}

func TestProof(t *testing.T) {
	l := open(t, ledger.Config{Dir: t.TempDir()})
	for _, n := range []int{1, 1, 1, 253, 1, 700} {
		grow(t, l, n, 100)
		for seq := uint64(0); seq < l.Size(); seq += 1 + l.Size()/50 {
			p, err := l.Prove(seq)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := ledger.CheckProof(p, l.Key()+"\n")
			if err != nil || string(rec.AppendLine(nil)) != string(record(seq)) {
				t.Fatalf("record %d: %v\n%s", seq, err, p)
			}
		}
	}
	if _, err := l.Prove(l.Size()); errs.KindOf(err) != errs.NotFound {
		t.Errorf("proof of nothing: %v", err)
	}
}

// The error says what does not hold.
func TestCheckProofRefuses(t *testing.T) {
	l, other := open(t, ledger.Config{Dir: t.TempDir()}), open(t, ledger.Config{Dir: t.TempDir()})
	grow(t, l, 300, 300)
	grow(t, other, 300, 300)
	p, err := l.Prove(258)
	if err != nil {
		t.Fatal(err)
	}
	q, err := other.Prove(258)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(p), "\n")
	edit := func(line int, text ...string) string {
		return strings.Join(slices.Concat(lines[:line], text, lines[line+1:]), "\n")
	}
	_, otherSigned, _ := strings.Cut(string(q), "\n\n")
	mine, _, _ := strings.Cut(string(p), "\n\n")
	last := len(lines) - 2 // the signature
	size := last - 3
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", "does not begin with"},
		{"another version", edit(0, "c2sp.org/tlog-proof@v2"), "does not begin with"},
		{"no record", edit(1), "does not hold the record"},
		{"record in bad base64", edit(1, lines[1]+"!"), "second line is not base64"},
		{"record in other base64", edit(1, "extra YW=="), "second line is not base64"},
		{"another record", edit(1, "extra eyJzZXEiOjI1OH0="), "does not lead from the record to the signed root"},
		{"no index", edit(2), "not the record's index"},
		{"another index", edit(2, "index 257"), "does not lead from the record to the signed root"},
		{"index beyond the tree", edit(2, "index 300"), "index 300 is not below the checkpoint's size 300"},
		{"index with a zero", edit(2, "index 0258"), "not the record's index"},
		{"a hash less", edit(3), "does not lead from the record to the signed root"},
		{"a hash more", edit(3, lines[3], lines[3]), "does not lead from the record to the signed root"},
		{"no hash", edit(4, "x"), "line 5 is not a hash"},
		{"no checkpoint", mine, "has no checkpoint"},
		{"an empty checkpoint", mine + "\n\n", "not a signed note"},
		{"another ledger's checkpoint", mine + "\n\n" + otherSigned, "not signed with the key of " + l.Origin()},
		{"another size", edit(size, "301"), "signature does not fit"},
		{"another root", edit(size+1, lines[3]), "signature does not fit"},
		{"no signature", edit(last), "not a signed note"},
		{"a file without end", string(p) + strings.Repeat("x", 1<<20), "too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ledger.CheckProof([]byte(tt.file), l.Key())
			if errs.KindOf(err) != errs.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v, want %s", err, tt.want)
			}
		})
	}
	for _, key := range []string{"", "no key", other.Key()} {
		if _, err := ledger.CheckProof(p, key); errs.KindOf(err) != errs.Invalid {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if _, err := ledger.CheckProof(p, l.Key()); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// A checkpoint that others have signed too is as good.
func TestCheckProofWithCosignatures(t *testing.T) {
	l := open(t, ledger.Config{Dir: t.TempDir()})
	grow(t, l, 3, 3)
	p, err := l.Prove(1)
	if err != nil {
		t.Fatal(err)
	}
	skey, _, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(l.Key())
	if err != nil {
		t.Fatal(err)
	}
	head, signed, _ := bytes.Cut(p, []byte("\n\n"))
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	both, err := note.Sign(n, witness)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := ledger.CheckProof(slices.Concat(head, []byte("\n\n"), both), l.Key()); err != nil || rec.Seq != 1 {
		t.Errorf("record %d, %v", rec.Seq, err)
	}
}

// FuzzCheckProof: whatever is accepted proves one of the records that are in
// the ledger.
func FuzzCheckProof(f *testing.F) {
	l := open(f, ledger.Config{Dir: f.TempDir()})
	grow(f, l, 20, 20)
	for _, seq := range []uint64{0, 7, 19} {
		p, err := l.Prove(seq)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p)
		f.Add(p[:len(p)-5])
	}
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		rec, err := ledger.CheckProof(file, l.Key())
		if err == nil && (rec.Seq >= 20 || string(rec.AppendLine(nil)) != string(record(rec.Seq))) {
			t.Errorf("proves %+v", rec)
		}
	})
}
