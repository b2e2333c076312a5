package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"beffroi.dev/internal/blob"
	"beffroi.dev/internal/errs"
)

func open(t testing.TB, c blob.Config) *blob.Store {
	t.Helper()
	s, err := blob.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func noise(n int) []byte {
	b, x := make([]byte, n), uint64(n+1)
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}

func TestPutGet(t *testing.T) {
	dir := t.TempDir()
	s := open(t, blob.Config{Dir: dir})
	for _, tt := range []struct {
		name string
		b    []byte
		file string // where it stands, by its suffix
	}{
		{"nothing", nil, "98fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"text", bytes.Repeat([]byte(`{"alert":1}`), 9000), ".zst"},
		{"noise", noise(50_000), ""},
		{"as long as may be", make([]byte, blob.MaxSize), ".zst"},
		{"noise as long as may be", noise(blob.MaxSize), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				name, err := s.Put(t.Context(), tt.b)
				if err != nil || name != blob.Name(tt.b) {
					t.Fatalf("put: %q, %v", name, err)
				}
				got, err := open(t, blob.Config{Dir: dir, ReadOnly: true}).Get(name)
				if err != nil || !bytes.Equal(got, tt.b) {
					t.Fatalf("got %d bytes of %d, %v", len(got), len(tt.b), err)
				}
				files, err := filepath.Glob(filepath.Join(dir, name[7:9], name[9:]+"*"))
				if err != nil || len(files) != 1 || !strings.HasSuffix(files[0], tt.file) {
					t.Errorf("files: %v, %v", files, err)
				}
			}
		})
	}
	if err := s.Verify(func(name string, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, blob.Config{Dir: t.TempDir()})
	if _, err := s.Put(t.Context(), make([]byte, blob.MaxSize+1)); !errors.Is(err, blob.ErrTooLarge) || errs.KindOf(err) != errs.TooLarge {
		t.Errorf("too large: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	if _, err := s.Get(blob.Name([]byte("never put"))); errs.KindOf(err) != errs.NotFound {
		t.Errorf("never put: %v", err)
	}
	good := blob.Name(nil)
	for _, name := range []string{"", "sha256:", "md5:" + good[7:], good[:70], strings.ToUpper(good), good + "00", "sha256:../" + good[10:]} {
		if _, err := s.Get(name); errs.KindOf(err) != errs.Invalid {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := open(t, blob.Config{Dir: t.TempDir(), ReadOnly: true}).Put(t.Context(), nil); err == nil {
		t.Error("put into a store that is open for reading only")
	}
	if err := open(t, blob.Config{Dir: "/nonexistent", ReadOnly: true}).Verify(nil); err != nil {
		t.Errorf("verify nothing: %v", err)
	}
}

// Every bit that flips is found, named, and healed by the next Put.
func TestFlippedBit(t *testing.T) {
	for _, b := range [][]byte{bytes.Repeat([]byte("text "), 20), noise(60)} {
		dir := t.TempDir()
		s := open(t, blob.Config{Dir: dir})
		name, err := s.Put(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "??", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files: %v, %v", files, err)
		}
		stored, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(stored) {
			bad := bytes.Clone(stored)
			bad[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(files[0], bad, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(name)
			if err == nil && !bytes.Equal(got, b) {
				t.Fatalf("bit %d: got other bytes", bit)
			}
			if err == nil {
				continue // a bit that means nothing to zstd
			}
			found := 0
			if err := s.Verify(func(n string, err error) {
				if n == name && err != nil {
					found++
				}
			}); err != nil || found != 1 {
				t.Fatalf("bit %d: verify named it %d times, %v", bit, found, err)
			}
			if _, err := s.Put(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(name); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("bit %d: not healed: %v", bit, err)
			}
		}
	}
}

func TestVerifyNamesStrangers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, blob.Config{Dir: dir})
	if err := os.Mkdir(filepath.Join(dir, "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ab/cd", "stranger"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if err := s.Verify(func(name string, err error) {
		if err != nil {
			got = append(got, name)
		}
	}); err != nil || fmt.Sprint(got) != "[ab/cd stranger]" {
		t.Errorf("named %v, %v", got, err)
	}
}

// faultyDisk fails its nth operation, before or after it was applied.
type faultyDisk struct {
	blob.Disk
	n       int
	applied bool
}

var errDisk = errors.New("no space left on device")

func (d *faultyDisk) do(op func() error) error {
	if d.n--; d.n != 0 {
		return op()
	}
	if d.applied {
		if err := op(); err != nil {
			return err
		}
	}
	return errDisk
}

func (d *faultyDisk) Write(name string, b []byte) error {
	return d.do(func() error { return os.WriteFile(name, b, 0o600) })
}

func (d *faultyDisk) Rename(from, to string) error {
	return d.do(func() error { return os.Rename(from, to) })
}
func (d *faultyDisk) SyncDir(string) error { return d.do(func() error { return nil }) }

func TestEveryWriteFailsTwice(t *testing.T) {
	content := []byte("content")
	for n := 1; n <= 4; n++ {
		for _, applied := range []bool{false, true} {
			dir := t.TempDir()
			s := open(t, blob.Config{Dir: dir, Disk: &faultyDisk{n: n, applied: applied}})
			if _, err := s.Put(t.Context(), content); !errors.Is(err, errDisk) {
				t.Errorf("operation %d, applied %v: %v", n, applied, err)
			}
			s = open(t, blob.Config{Dir: dir})
			name, err := s.Put(t.Context(), content)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(name); err != nil || !bytes.Equal(got, content) {
				t.Errorf("operation %d, applied %v: then %q, %v", n, applied, got, err)
			}
			if tmp, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(tmp) != 0 {
				t.Errorf("left behind: %v, %v", tmp, err)
			}
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	s := open(t, blob.Config{Dir: t.TempDir()})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			b := fmt.Appendf(nil, "content %d", i%8)
			name, err := s.Put(t.Context(), b)
			if err != nil {
				t.Error(err)
			}
			if got, err := s.Get(name); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPut(b *testing.B) {
	s := open(b, blob.Config{Dir: b.TempDir()})
	content := bytes.Repeat([]byte(`{"alert":"one","severity":4}`), 1200)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		copy(content, fmt.Sprintf("%08d", i))
		if _, err := s.Put(context.Background(), content); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut16AtOnce(b *testing.B) {
	s := open(b, blob.Config{Dir: b.TempDir()})
	var mu sync.Mutex
	i := 0
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		content := bytes.Repeat([]byte(`{"alert":"one","severity":4}`), 1200)
		for pb.Next() {
			mu.Lock()
			i++
			copy(content, fmt.Sprintf("%08d", i))
			mu.Unlock()
			if _, err := s.Put(context.Background(), content); err != nil {
				b.Error(err)
			}
		}
	})
}
