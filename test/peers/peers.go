// Package peers starts real counterparts for tests: programs that other people
// wrote and that speak the protocols we claim to speak. They come from npm and
// are pinned in package.json and package-lock.json; install them once with
//
//	npm ci --prefix test/peers
//
// A test whose peer is missing skips and says so. Under CI=true it fails
// instead, so that no gate passes without them.
//
// Peers listen on loopback, on a port of their choice, and end with the test.
package peers

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a peer may take to start on a busy machine.
const patience = 2 * time.Minute

// Node runs a script of this folder with the given environment and returns
// what it prints after "ready ", usually its address.
func Node(t testing.TB, script string, env ...string) string {
	t.Helper()
	return start(t, func(line string) (string, bool) { return strings.CutPrefix(line, "ready ") }, env, filepath.Join(folder(), script))
}

// Prism serves the API that an OpenAPI description of the folder openapi says,
// and returns its address. It refuses requests that the description does not
// allow (status 422, body with sl-violations) or that lack credentials (401).
func Prism(t testing.TB, description string) string {
	t.Helper()
	cli := filepath.Join(folder(), "node_modules", "@stoplight", "prism-cli", "dist", "index.js")
	ready := func(line string) (string, bool) {
		_, url, found := strings.Cut(line, "Prism is listening on ")
		return strings.TrimSpace(url), found
	}
	return start(t, ready, []string{"NO_COLOR=1"}, cli, "mock", "--multiprocess=false", "-h", "127.0.0.1", "-p", "0", filepath.Join(folder(), "openapi", description))
}

// Missing skips the test because a peer is not installed, or fails it under CI.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("a peer is missing: %s", why)
	}
	t.Skipf("a peer is missing: %s", why)
}

// folder is where this file stands.
func folder() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("internal error: no caller")
	}
	return filepath.Dir(file)
}

func start(t testing.TB, ready func(line string) (string, bool), env []string, args ...string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder(), "node_modules")); err != nil {
		Missing(t, "test/peers/node_modules; run: npm ci --prefix test/peers")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		Missing(t, "node; install Debian's nodejs")
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", args[0], err)
	}
	w := &watch{found: make(chan string, 1), ready: ready}
	go w.read(out)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed in the end, or says why it ended
		_ = in.Close()
	}()
	t.Cleanup(func() {
		_ = cmd.Cancel()
		<-ended
	})
	select {
	case url := <-w.found:
		return url
	case <-ended:
		t.Fatalf("%s ended:\n%s", args[0], w.text())
	case <-time.After(patience):
		t.Fatalf("%s is not ready after %s:\n%s", args[0], patience, w.text())
	}
	return ""
}

// A watch reads what a peer prints.
type watch struct {
	found chan string
	ready func(line string) (string, bool)

	mu  sync.Mutex
	all strings.Builder // the first part; guarded by mu
}

func (w *watch) read(r io.Reader) {
	lines, told := bufio.NewScanner(r), false
	for lines.Scan() {
		if v, ok := w.ready(lines.Text()); ok && !told {
			told = true
			w.found <- v
		}
		w.mu.Lock()
		if w.all.Len() < 1<<16 {
			fmt.Fprintln(&w.all, lines.Text())
		}
		w.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line too long to read must not block the peer
}

func (w *watch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
