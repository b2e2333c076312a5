package ledger_test

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"beffroi.dev/internal/ledger"
)

// A fakeFS is a disk in memory that tells what is durable from what can only
// be read: a write is durable after Sync, a name after SyncDir. It can fail
// one operation, or lose its power.
type fakeFS struct {
	mu     sync.Mutex
	names  map[string]*inode // as the running system sees them
	kept   map[string]*inode // as they are on disk
	ops    []dirOp           // between the two, in order
	locked bool

	count   int // operations so far
	failAt  int // this one fails; 0 means none
	applied int // how much of it is done: 0 nothing, 1 half, 2 all
	dead    bool
	dies    bool // from failAt on everything fails
}

type inode struct {
	data    []byte // as the running system sees it
	kept    []byte // as it is on disk
	pending []write
}

type write struct {
	at   int
	data []byte
	cut  bool // truncate to at
}

// A dirOp gives a name an inode, or takes it, or both.
type dirOp struct {
	link   string
	inode  *inode
	unlink string
}

var errDisk = errors.New("input/output error")

func newFakeFS() *fakeFS {
	return &fakeFS{names: map[string]*inode{}, kept: map[string]*inode{}}
}

// clone copies what the running system sees, all of it durable.
func (f *fakeFS) clone() *fakeFS {
	n := newFakeFS()
	for name, i := range f.names {
		c := &inode{data: slices.Clone(i.data), kept: slices.Clone(i.data)}
		n.names[name], n.kept[name] = c, c
	}
	return n
}

// powerCut returns the disk as it may be found afterwards: with what was
// durable, and any part of what was not.
func (f *fakeFS) powerCut(r *dice) *fakeFS {
	n := newFakeFS()
	names := maps.Clone(f.kept)
	for _, op := range f.ops {
		if r.Below(2) == 0 {
			op.apply(names)
		}
	}
	for name, i := range names {
		data := i.afterPowerCut(r)
		c := &inode{data: data, kept: slices.Clone(data)}
		n.names[name], n.kept[name] = c, c
	}
	return n
}

// afterPowerCut applies any of the pending sectors to what is durable.
func (i *inode) afterPowerCut(r *dice) []byte {
	const sector = 512
	data := slices.Clone(i.kept)
	if r.Below(3) == 0 {
		return data
	}
	for _, w := range i.pending {
		if w.cut {
			if r.Below(2) == 0 {
				data = w.to(data)
			}
			continue
		}
		mode := r.Below(3) // all, a prefix, any sectors
		stop := r.Below(len(w.data) + 1)
		for from := 0; from < len(w.data); {
			to := min(len(w.data), (w.at+from)/sector*sector+sector-w.at)
			if mode == 0 || mode == 1 && to <= stop || mode == 2 && r.Below(2) == 0 {
				data = put(data, w.at+from, w.data[from:to])
			}
			from = to
		}
		if mode == 1 {
			break
		}
	}
	return data
}

// to applies w.
func (w write) to(data []byte) []byte {
	if w.cut {
		return data[:min(len(data), w.at)]
	}
	return put(data, w.at, w.data)
}

func put(data []byte, at int, b []byte) []byte {
	if n := at + len(b); n > len(data) {
		data = append(data, make([]byte, n-len(data))...)
	}
	copy(data[at:], b)
	return data
}

func (o dirOp) apply(names map[string]*inode) {
	if o.unlink != "" {
		delete(names, o.unlink)
	}
	if o.link != "" {
		names[o.link] = o.inode
	}
}

// step counts an operation and says how much of it is done, and whether it is
// reported as failed.
func (f *fakeFS) step() (done int, err error) {
	f.count++
	switch {
	case f.dead:
		return 0, errDisk
	case f.failAt == 0 || f.count != f.failAt:
		return 2, nil
	default:
		f.dead = f.dies
		return f.applied, errDisk
	}
}

func (f *fakeFS) change(op dirOp) error {
	done, err := f.step()
	if done == 2 {
		op.apply(f.names)
		f.ops = append(f.ops, op)
	}
	return err
}

func (f *fakeFS) OpenFile(name string, flag int, _ fs.FileMode) (ledger.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.names[name]
	switch {
	case i == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case i == nil:
		i = &inode{}
		if err := f.change(dirOp{link: name, inode: i}); err != nil {
			return nil, err
		}
	case flag&os.O_TRUNC != 0:
		if err := f.write(i, write{cut: true}); err != nil {
			return nil, err
		}
	}
	return &fakeFile{f, i}, nil
}

func (f *fakeFS) write(i *inode, w write) error {
	done, err := f.step()
	if done == 1 {
		w.data = w.data[:len(w.data)/2]
	}
	if done == 0 || done == 1 && w.cut {
		return err
	}
	i.pending = append(i.pending, w)
	i.data = w.to(i.data)
	return err
}

func (f *fakeFS) Names(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.names {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *fakeFS) MkdirAll(string) error { return nil }

func (f *fakeFS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.change(dirOp{link: to, inode: f.names[from], unlink: from})
}

func (f *fakeFS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	return f.change(dirOp{unlink: name})
}

func (f *fakeFS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	done, err := f.step()
	if done < 2 {
		return err
	}
	rest := f.ops[:0:0]
	for _, op := range f.ops {
		if filepath.Dir(cmp.Or(op.link, op.unlink)) == dir {
			op.apply(f.kept)
		} else {
			rest = append(rest, op)
		}
	}
	f.ops = rest
	return err
}

func (f *fakeFS) Lock(string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locked {
		return nil, ledger.ErrLocked
	}
	f.locked = true
	return unlock{f}, nil
}

type unlock struct{ f *fakeFS }

func (u unlock) Close() error {
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	u.f.locked = false
	return nil
}

type fakeFile struct {
	f *fakeFS
	i *inode
}

func (f *fakeFile) ReadAt(b []byte, off int64) (int, error) {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	if off >= int64(len(f.i.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.i.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *fakeFile) WriteAt(b []byte, off int64) (int, error) {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	if err := f.f.write(f.i, write{at: int(off), data: slices.Clone(b)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *fakeFile) Truncate(size int64) error {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	return f.f.write(f.i, write{at: int(size), cut: true})
}

func (f *fakeFile) Size() (int64, error) {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	return int64(len(f.i.data)), nil
}

// Sync that fails leaves what it should have written readable, and never
// writes it: so does Linux.
func (f *fakeFile) Sync() error {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	done, err := f.f.step()
	for _, w := range f.i.pending {
		if done == 2 {
			f.i.kept = w.to(f.i.kept)
		}
	}
	f.i.pending = nil
	return err
}

func (f *fakeFile) Close() error { return nil }
