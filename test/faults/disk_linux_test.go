package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk is a small file system of its own, mounted for one test.
type disk struct {
	t   *testing.T
	dir string // where it is mounted
	img string // what an ext4 stands in; empty for a tmpfs
}

// may ends a test that cannot mount: under CI it fails, elsewhere it skips.
func may(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v (it takes root)", what, err)
}

// tmpfs mounts a disk in memory of so many MiB.
func tmpfs(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	may(t, "mount a tmpfs", syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size="+size))
	t.Cleanup(d.unmount)
	return d
}

// ext4 mounts a real file system, which turns read-only when its disk fails.
func ext4(t *testing.T) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir(), img: filepath.Join(t.TempDir(), "img")}
	f, err := os.Create(d.img)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(128 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	may(t, "make an ext4", d.command("mkfs.ext4", "-q", "-F", d.img))
	may(t, "mount an ext4", d.mount())
	t.Cleanup(d.unmount)
	return d
}

func (d *disk) mount() error {
	return d.command("mount", "-o", "loop,errors=remount-ro", d.img, d.dir)
}

func (d *disk) command(name string, args ...string) error {
	cmd := exec.CommandContext(d.t.Context(), name, args...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// unmount does not mind processes that are still there.
func (d *disk) unmount() {
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		d.t.Errorf("unmount: %v", err)
	}
}

// ballast fills the disk until nothing is left.
func (d *disk) ballast() (remove func()) {
	d.t.Helper()
	path := filepath.Join(d.dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	for len(b) > 0 {
		if _, err := f.Write(b); err != nil {
			b = b[:len(b)/2]
		}
	}
	return func() {
		if err := f.Close(); err != nil {
			d.t.Error(err)
		}
		if err := os.Remove(path); err != nil {
			d.t.Error(err)
		}
	}
}

// trouble waits until the senders are not acknowledged any more: those whose
// alert is under way hear a 5xx, then nobody answers, as the node ends.
func trouble(t *testing.T, n *node, s *senders) {
	t.Helper()
	for began := time.Now(); s.refused.Load()+s.broken.Load() < 50; {
		if time.Since(began) > time.Minute {
			t.Fatalf("the disk fails and nobody hears of it\n%s", n.said())
		}
		<-time.After(time.Millisecond)
	}
}

// ended waits until the node ends for lack of a disk, and checks that it says so.
func (n *node) ended() {
	n.t.Helper()
	select {
	case err := <-n.exited:
		if err == nil {
			n.t.Error("the node ended as if all were well")
		}
	case <-time.After(20 * time.Second):
		n.t.Fatalf("the node neither works nor ends\n%s", n.said())
	}
	if !blamesDisk(n.said()) {
		n.t.Errorf("the node does not say why it ended:\n%s", n.said())
	}
}

func blamesDisk(said string) bool {
	return strings.Contains(said, "no space left on device") || strings.Contains(said, "read-only file system") || strings.Contains(said, "input/output error")
}

// startsOrSays starts the node on a disk that does not work yet: it starts, or
// says why not.
func (n *node) startsOrSays() {
	n.t.Helper()
	err := n.start()
	n.t.Logf("start on such a disk: %s", oneLine(err))
	if err == nil {
		n.kill()
	} else if !blamesDisk(err.Error()) {
		n.t.Errorf("the start does not say why: %v", err)
	}
}

// goesOn starts the node on a disk that works again, and checks that everything
// is there and ends.
func (n *node) goesOn(api *stub, s *senders, runs int) {
	n.t.Helper()
	if err := n.start(); err != nil {
		n.t.Fatalf("start after the disk came back: %v", err)
	}
	s.wait(n.t)
	behind := n.settle(time.Minute)
	for _, r := range n.runs() {
		if r.State != "ok" {
			n.t.Errorf("run %d: %s", r.ID, r.State)
		}
	}
	n.stop()
	api.check(n.t, 2*runs)
	s.inLedger(n.t, n.data)
	if err := verify(n.t, n.data); err != nil {
		n.t.Error(err)
	}
	n.t.Logf("%d alerts; %d refused, %d without an answer; start took %s; behind at the end %s",
		runs, s.refused.Load(), s.broken.Load(), n.took, behind)
}

// TestTheDiskIsFull fills the disk while alerts come.
func TestTheDiskIsFull(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]int{"small alerts": 0, "alerts with payloads": 30_000} {
		t.Run(name, func(t *testing.T) {
			runs := pick(1200, 4000) // enough that they still come when the disk is full
			d := tmpfs(t, "160m")
			api := newStub(t, nil)
			n := newNode(t, filepath.Join(d.dir, "data"))
			n.prepare(documents(api))
			s := send(t.Context(), n.addr, 8, 0, int64(runs), more)
			for s.acked.Load() < 10 {
				<-time.After(time.Millisecond)
			}
			remove := d.ballast()
			trouble(t, n, s)
			n.ended()
			n.startsOrSays()
			remove()
			n.goesOn(api, s, runs)
		})
	}
}

// TestTheDiskTurnsReadOnly has the disk fail under a node: Linux makes it
// read-only. It is one after all when it is mounted again.
func TestTheDiskTurnsReadOnly(t *testing.T) {
	t.Parallel()
	runs := pick(1200, 4000) // enough that they still come when the disk is full
	d := ext4(t)
	api := newStub(t, nil)
	n := newNode(t, filepath.Join(d.dir, "data"))
	n.prepare(documents(api))
	s := send(t.Context(), n.addr, 8, 0, int64(runs), 0)
	for s.acked.Load() < int64(runs/4) {
		<-time.After(time.Millisecond)
	}
	may(t, "break an ext4", d.command("mount", "-o", "remount,abort", d.dir))
	trouble(t, n, s)
	n.ended()
	n.startsOrSays()
	d.unmount()
	if err := d.mount(); err != nil {
		t.Fatal(err)
	}
	n.goesOn(api, s, runs)
}

// TestTheDiskIsReadOnly starts a node on a disk that cannot be written, where
// an auditor may still verify.
func TestTheDiskIsReadOnly(t *testing.T) {
	t.Parallel()
	d := tmpfs(t, "160m")
	api := newStub(t, nil)
	n := newNode(t, filepath.Join(d.dir, "data"))
	n.prepare(documents(api))
	s := send(t.Context(), n.addr, 4, 0, 50, 0)
	s.wait(t)
	n.settle(time.Minute)
	n.stop()
	may(t, "remount a tmpfs", syscall.Mount("", d.dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if err := n.start(); err == nil {
		t.Error("the node started on a read-only disk")
	} else if !blamesDisk(err.Error()) {
		t.Errorf("the start does not say why: %v", err)
	} else {
		t.Logf("start: %s", oneLine(err))
	}
	if _, err := beffroi(t, "ledger", "verify", "--data", n.data); err != nil {
		t.Error(err)
	}
	may(t, "remount a tmpfs", syscall.Mount("", d.dir, "", syscall.MS_REMOUNT, "size=160m"))
	n.goesOn(api, s, 50)
}
