// Package blob keeps payloads that are too long for a record, by the hash of
// their content. A record names its payload, so the proof of the record covers
// it, and nothing that a store holds ever needs to be changed.
//
// It promises that what [Store.Put] has named is durable, that [Store.Get]
// returns exactly what was put or an error, and that putting the same content
// again costs no space and heals a file that was damaged. It never forgets,
// and it does not know what the payloads are.
//
// A store is a directory: ab/cdef… holds the content whose SHA-256 is abcdef…,
// ab/cdef….zst the same compressed with zstd (RFC 8878), and tmp what was being
// written. docs/format/ledger.md, "Blobs".
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"beffroi.dev/internal/errs"
)

// MaxSize is how many bytes a payload may have.
const MaxSize = 16 << 20

// ErrTooLarge says that a payload has more than MaxSize bytes.
var ErrTooLarge = errs.E(errs.TooLarge, "a payload has at most %d MiB", MaxSize>>20)

const (
	prefix  = "sha256:"
	zstdExt = ".zst"
	tmpDir  = "tmp"
)

// Config says where a store is.
type Config struct {
	Dir      string
	ReadOnly bool // open beside the process that writes
	Disk     Disk // nil means the disk
}

// A Store is open for concurrent use.
type Store struct {
	c   Config
	enc *zstd.Encoder
	dec *zstd.Decoder

	mu    sync.Mutex          // guards what follows
	puts  map[string]*pending // by name: being written
	tmps  uint64              // temporary files so far
	ready map[string]bool     // directories that are known to be durable
}

// A pending put is waited for by all who put the same content.
type pending struct {
	done chan struct{}
	err  error
}

// Open opens the store in c.Dir, and makes it when there is none.
func Open(c Config) (*Store, error) {
	if c.Disk == nil {
		c.Disk = disk{}
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxSize))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	s := &Store{c: c, enc: enc, dec: dec, puts: map[string]*pending{}, ready: map[string]bool{}}
	if c.ReadOnly {
		return s, nil
	}
	tmp := filepath.Join(c.Dir, tmpDir)
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o700)); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	return s, nil
}

// Name is the name of content: "sha256:" and its hash in hexadecimal.
func Name(b []byte) string {
	sum := sha256.Sum256(b)
	return prefix + hex.EncodeToString(sum[:])
}

// path is where the content with a name stands when it is not compressed.
func (s *Store) path(name string) (string, error) {
	sum, ok := strings.CutPrefix(name, prefix)
	if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != sum {
		return "", errs.E(errs.Invalid, "%q is not the name of a payload", name)
	}
	return filepath.Join(s.c.Dir, sum[:2], sum[2:]), nil
}

// Put makes b durable and returns its name. Many may put at once.
func (s *Store) Put(ctx context.Context, b []byte) (string, error) {
	if len(b) > MaxSize {
		return "", fmt.Errorf("keep %d bytes: %w", len(b), ErrTooLarge)
	}
	if s.c.ReadOnly {
		return "", errors.New("the blob store is open for reading only")
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("keep payload: %w", err)
	}
	name := Name(b)
	s.mu.Lock()
	p, ok := s.puts[name]
	if ok {
		s.mu.Unlock()
		<-p.done
		return name, p.err
	}
	p = &pending{done: make(chan struct{})}
	s.puts[name] = p
	s.tmps++
	tmp := filepath.Join(s.c.Dir, tmpDir, fmt.Sprint(s.tmps))
	s.mu.Unlock()
	if p.err = s.put(name, tmp, b); p.err != nil {
		p.err = fmt.Errorf("keep payload %s: %w", name, p.err)
	}
	s.mu.Lock()
	delete(s.puts, name)
	s.mu.Unlock()
	close(p.done)
	return name, p.err
}

func (s *Store) put(name, tmp string, b []byte) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if _, err := s.Get(name); err == nil {
		// It may be there because of a process that died before it was durable.
		return s.c.Disk.SyncDir(dir)
	}
	if err := s.makeDir(dir); err != nil {
		return err
	}
	if z := s.enc.EncodeAll(b, nil); len(z) < len(b)-len(b)/16 {
		path, b = path+zstdExt, z
	}
	if err := s.c.Disk.Write(tmp, b); err != nil {
		return err
	}
	if err := s.c.Disk.Rename(tmp, path); err != nil {
		return err
	}
	return s.c.Disk.SyncDir(dir)
}

// makeDir makes one of the 256 directories, durably.
func (s *Store) makeDir(dir string) error {
	s.mu.Lock()
	ready := s.ready[dir]
	s.mu.Unlock()
	if ready {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := s.c.Disk.SyncDir(s.c.Dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready[dir] = true
	return nil
}

// Get returns the content with that name. What is on disk is checked against
// the name.
func (s *Store) Get(name string) ([]byte, error) {
	path, err := s.path(name)
	if err != nil {
		return nil, err
	}
	b, err := s.read(path+zstdExt, name)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = s.read(path, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.E(errs.NotFound, "there is no payload %s", name)
	}
	return b, err
}

var errDamaged = errors.New("payload is damaged")

func (s *Store) read(path, name string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	if info.Size() > MaxSize {
		return nil, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && info.Size() > 0 {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	if strings.HasSuffix(path, zstdExt) {
		if b, err = s.dec.DecodeAll(b, nil); err != nil {
			return nil, fmt.Errorf("read %s: %w: %w", path, errDamaged, err)
		}
	}
	if Name(b) != name {
		return nil, fmt.Errorf("read %s: %w: its content is not what it is named after", path, errDamaged)
	}
	return b, nil
}

// Verify reads everything and calls f for each payload, with an error when it
// is damaged, and for each file that does not belong to the store.
func (s *Store) Verify(f func(name string, err error)) error {
	dirs, err := os.ReadDir(s.c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify blob store: %w", err)
	}
	for _, d := range dirs {
		if d.Name() == tmpDir {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.c.Dir, d.Name()))
		if err != nil {
			f(d.Name(), fmt.Errorf("verify blob store: %w", err))
			continue
		}
		for _, file := range files {
			path := filepath.Join(s.c.Dir, d.Name(), file.Name())
			name := prefix + d.Name() + strings.TrimSuffix(file.Name(), zstdExt)
			if want, err := s.path(name); err != nil || want != strings.TrimSuffix(path, zstdExt) {
				f(d.Name()+"/"+file.Name(), errors.New("does not belong to the store"))
				continue
			}
			_, err := s.read(path, name)
			f(name, err)
		}
	}
	return nil
}
