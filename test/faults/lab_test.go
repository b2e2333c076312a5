package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// long asks for the long campaign.
func long() bool { return os.Getenv("BEFFROI_FAULTS") == "long" }

// pick is short or, in the long campaign, much.
func pick(short, much int) int {
	if long() {
		return much
	}
	return short
}

// dice are those of this test; the log says how to throw them again.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BEFFROI_FAULTS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("BEFFROI_FAULTS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // dice that can be thrown again
}

// program builds beffroi once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "beffroi-faults-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "beffroi")
	cmd := exec.Command("go", "build", "-o", bin, "beffroi.dev/cmd/beffroi")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := program(); err == nil {
		if err := os.RemoveAll(filepath.Dir(bin)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// beffroi runs a command as a user would and returns what it printed.
func beffroi(t *testing.T, args ...string) (string, error) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("beffroi %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// verify is what an operator asks of a node that was stopped.
func verify(t *testing.T, data string) error {
	t.Helper()
	_, err := beffroi(t, "ledger", "verify", "--data", data, "--view")
	return err
}

// A node is one node and all the processes that it is run by, one after another.
type node struct {
	t     *testing.T
	data  string
	addr  string
	token string
	log   string // file that takes its standard error

	cmd    *exec.Cmd
	exited chan error // takes how the process ended
	took   time.Duration
}

// newNode names a node; nothing runs yet.
func newNode(t *testing.T, data string) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, data: data, addr: l.Addr().String(), log: filepath.Join(t.TempDir(), "log")}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// launch starts a process and does not wait for it.
func (n *node) launch() (stdout string) {
	n.t.Helper()
	bin, err := program()
	if err != nil {
		n.t.Fatal(err)
	}
	errFile, err := os.Create(n.log)
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := os.Create(n.log + ".out")
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.CommandContext(n.t.Context(), bin, "serve", "--data", n.data, "--listen", n.addr, "--private", "off", "--log", "WARN")
	n.cmd.Stdout, n.cmd.Stderr = out, errFile
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	cmd, exited := n.cmd, make(chan error, 1)
	n.exited = exited
	go func() {
		err := cmd.Wait()
		exited <- errors.Join(err, errFile.Close(), out.Close())
		close(exited)
	}()
	return out.Name()
}

// start starts a process and waits until it answers. The error is why it ended.
func (n *node) start() error {
	n.t.Helper()
	if _, err := program(); err != nil {
		return err
	}
	began := time.Now()
	stdout := n.launch()
	for time.Since(began) < time.Minute {
		select {
		case err := <-n.exited:
			return fmt.Errorf("the node ended: %w\n%s", err, n.said())
		case <-time.After(2 * time.Millisecond):
		}
		if n.token == "" {
			b, err := os.ReadFile(stdout)
			if err != nil {
				return err
			}
			if token, ok := strings.CutSuffix(string(b), "\n"); ok {
				n.token = token
			}
			continue
		}
		if err := n.api(http.MethodGet, "/me", nil, nil); err == nil {
			n.took = time.Since(began)
			return nil
		}
	}
	n.kill()
	return fmt.Errorf("the node does not answer\n%s", n.said())
}

// said is what the process wrote to its log.
func (n *node) said() string {
	b, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// kill is kill -9.
func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatal(err)
	}
	for range n.exited { // closed when the process is gone: how it ended is known
	}
}

// stop ends the process in order.
func (n *node) stop() {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	select {
	case err := <-n.exited:
		if err != nil {
			n.t.Fatalf("stop: %v\n%s", err, n.said())
		}
	case <-time.After(time.Minute):
		n.t.Fatal("the node does not stop")
	}
}

// api calls the API; out may be nil.
func (n *node) api(method, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.addr+"/api/v1"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	res, err := new(http.Client).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	if b, err = io.ReadAll(res.Body); err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// prepare starts a new node and applies documents.
func (n *node) prepare(yaml string) {
	n.t.Helper()
	if err := n.start(); err != nil {
		n.t.Fatal(err)
	}
	n.apply(yaml, map[string]string{"HOOK": hookSecret})
}

// A run as the API lists it.
type run struct {
	ID    uint64
	State string
	Ended *time.Time
}

// runs lists all of them.
func (n *node) runs() []run {
	n.t.Helper()
	var all []run
	for cursor, pages := "", 0; pages < 100; pages++ {
		var page struct {
			Items []run
			Next  string
		}
		if err := n.api(http.MethodGet, "/runs?limit=500&cursor="+cursor, nil, &page); err != nil {
			n.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return all
}

// settle waits until no run goes on, and says how long that took.
func (n *node) settle(limit time.Duration) time.Duration {
	n.t.Helper()
	began := time.Now()
	for time.Since(began) < limit {
		var page struct{ Items []run }
		if err := n.api(http.MethodGet, "/runs?state=open&limit=1", nil, &page); err != nil {
			n.t.Fatal(err)
		}
		if len(page.Items) == 0 {
			return time.Since(began)
		}
		<-time.After(10 * time.Millisecond)
	}
	n.t.Fatalf("after %s runs still go on\n%s", limit, n.said())
	return 0
}

// ledger returns the lines of the ledger by their number.
func ledgerOf(t *testing.T, data string) []string {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), bin, "ledger", "export", "--data", data).Output()
	if err != nil {
		t.Fatalf("ledger export: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
