package ledger_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/ledger"
)

// made is a ledger on a fake disk with a part in a pack and a part in two tail
// files. Its checkpoint covers acked records; 12 more came after.
func made(t *testing.T) (f *fakeFS, acked uint64) {
	t.Helper()
	f = newFakeFS()
	l, err := ledger.Open(fakeConfig(f))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 520, 40)
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	grow(t, l, 12, 6)
	return f.clone(), 520 // the process is gone, its lock with it
}

// A tail file that ends at any byte, or goes on in zeros or in noise from
// there, gives all blocks before, and nothing else; or, when the checkpoint
// covers what is missing, it is damage.
func TestTailEndsAtAnyByte(t *testing.T) {
	base, acked := made(t)
	name := last(base, "/l/tail/")
	whole := base.names[name].data
	for _, fill := range []string{"nothing", "zeros", "noise"} {
		for at := len(whole); at >= 0; at -= 1 + sparse*len(whole)/400 {
			f := base.clone()
			data := whole[:at:at]
			for i := at; i < len(whole) && fill != "nothing"; i++ {
				c := byte(0)
				if fill == "noise" {
					c = byte(i*i>>3 ^ i*131)
				}
				data = append(data, c)
			}
			f.names[name].data = data
			l, err := ledger.Open(fakeConfig(f))
			var damage *ledger.DamageError
			if errors.As(err, &damage) && damage.From < acked && damage.To == acked {
				continue
			}
			if err != nil {
				t.Fatalf("%s from byte %d: %v", fill, at, err)
			}
			if n := l.Size(); n < acked || n > acked+12 || (n-acked)%6 != 0 {
				t.Fatalf("%s from byte %d: %d records", fill, at, n)
			}
			if notes := strings.Join(l.Recovery().Notes, "\n"); l.Size() < acked+12 && len(data) > 0 && at > 0 && !strings.Contains(notes, "dropped") && fill != "nothing" {
				t.Fatalf("%s from byte %d: nothing is said of it: %s", fill, at, notes)
			}
			check(t, l, l.Size())
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func last(f *fakeFS, prefix string) (name string) {
	for n := range f.names {
		if strings.HasPrefix(n, prefix) && n > name && !strings.HasSuffix(n, ".tmp") {
			name = n
		}
	}
	return name
}

// Every bit of every file that flips is found, by Open or by Verify, and the
// error names the file; a record is never another one than was appended.
func TestFlippedBit(t *testing.T) {
	base, acked := made(t)
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: "/l", FS: base}); err != nil {
		t.Fatal(err)
	}
	for name, i := range base.names {
		if strings.HasSuffix(name, ".tmp") {
			continue
		}
		step := 1 + sparse*len(i.data)*8/700
		for bit := 0; bit < len(i.data)*8; bit += step {
			f := base.clone()
			f.names[name].data[bit/8] ^= 1 << (bit % 8)
			seen := flipped(t, f, acked)
			// The newest blocks are not covered by a checkpoint yet: a flip
			// there cannot be told from a write that the crash cut short.
			if !seen.found && (!seen.dropped || name != last(base, "/l/tail/")) {
				t.Errorf("%s: bit %d is not found", name, bit)
			}
			if seen.found && !strings.Contains(seen.said, strings.TrimPrefix(name, "/l/")) {
				t.Errorf("%s: bit %d: the error names another file: %s", name, bit, seen.said)
			}
		}
	}
}

type seen struct {
	found, dropped bool
	said           string
}

func flipped(t *testing.T, f *fakeFS, acked uint64) (s seen) {
	t.Helper()
	r, err := ledger.Verify(ledger.VerifyConfig{Dir: "/l", FS: f})
	if err != nil {
		s.found, s.said = true, err.Error()
	} else {
		s.dropped = r.Torn > 0
	}
	l, err := ledger.Open(fakeConfig(f))
	if err != nil {
		if !s.found {
			s.said = err.Error()
		}
		s.found = true
		return s
	}
	if l.Size() < acked {
		t.Fatalf("opened with %d records of %d", l.Size(), acked)
	}
	for seq := range l.Size() {
		if line, err := l.Read(seq); err == nil && string(line) != string(record(seq)) {
			t.Fatalf("record %d is %s", seq, line)
		}
	}
	return s
}

func TestMissingFile(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{"ledger.key", "ledger.key is gone"},
		{"ledger.pub", ""}, // follows from the key
		{"checkpoint", "there was no checkpoint"},
		{"pack/00000000000000000000", "pack/00000000000000000000: records 0 to 255"},
		{"tail/00000000000000000512", "there is no tail file"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, ledger.Config{Dir: dir})
			grow(t, l, 700, 100)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, tt.file)); err != nil {
				t.Fatal(err)
			}
			l, err := ledger.Open(ledger.Config{Dir: dir})
			said := fmt.Sprint(err)
			if err == nil {
				said = l.Recovery().String()
				check(t, l, 700)
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				verify(t, dir)
			}
			if !strings.Contains(said, tt.want) {
				t.Errorf("said: %s", said)
			}
		})
	}
}

// Whoever changes a record and every checksum and hash that follows from it
// still cannot sign the root.
func TestForgedRecord(t *testing.T) {
	f, _ := made(t)
	honest, err := ledger.Open(fakeConfig(f.clone()))
	if err != nil {
		t.Fatal(err)
	}
	forged := newFakeFS()
	for _, name := range []string{"/l/ledger.key", "/l/ledger.pub"} {
		forged.names[name] = f.names[name]
	}
	l, err := ledger.Open(fakeConfig(forged))
	if err != nil {
		t.Fatal(err)
	}
	for seq := range honest.Size() {
		line := record(seq)
		if seq == 77 {
			line = []byte(strings.Replace(string(line), `"actor":"beffroi"`, `"actor":"person/eve"`, 1))
		}
		if err := l.Append(t.Context(), [][]byte{line}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	forged = forged.clone()
	forged.names["/l/checkpoint"] = f.names["/l/checkpoint"]
	var damage *ledger.DamageError
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: "/l", FS: forged}); !errors.As(err, &damage) || !strings.Contains(err.Error(), "signed root") {
		t.Errorf("verify: %v", err)
	}
	if _, err := ledger.Open(fakeConfig(forged)); !errors.As(err, &damage) || !strings.Contains(err.Error(), "signed root") {
		t.Errorf("open: %v", err)
	}
}

func TestVerifyNotesClocksThatGoBack(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir})
	for i, ts := range []string{"2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T10:30:00Z", "2026-01-01T10:20:00Z", "2026-01-01T12:00:00Z"} {
		line, err := ledger.Encode(ledger.Record{Seq: uint64(i), Time: at(ts), Kind: "k"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), [][]byte{line}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir)
	if r.Backwards != 2 || r.BackwardsAt != 2 || r.BackwardsMost != 30*time.Minute || !r.First.Equal(at("2026-01-01T10:00:00Z")) || !r.Last.Equal(at("2026-01-01T12:00:00Z")) {
		t.Errorf("report: %+v", r)
	}
}

// A copy without the signing key, and with another's key.
func TestVerifyWithTheAuditorsKey(t *testing.T) {
	dir, other := t.TempDir(), open(t, ledger.Config{Dir: t.TempDir()})
	l := open(t, ledger.Config{Dir: dir})
	grow(t, l, 10, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ledger.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: dir, Key: l.Key()}); err != nil {
		t.Error(err)
	}
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: dir, Key: other.Key()}); err == nil || !strings.Contains(err.Error(), "not signed with the key that you gave") {
		t.Errorf("with another's key: %v", err)
	}
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: t.TempDir()}); err == nil {
		t.Error("verified nothing")
	}
	if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Verify(ledger.VerifyConfig{Dir: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without checkpoint: %v", err)
	}
}
