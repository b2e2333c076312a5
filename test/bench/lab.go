package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A lab builds the program and starts nodes.
type lab struct {
	dir     string
	bin     string
	seconds int
	serial  int
	report  func(figure)
}

func (b *lab) build(ctx context.Context) error {
	b.bin = filepath.Join(b.dir, "beffroi")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.bin, "./cmd/beffroi")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build (run it at the root of the project): %w", err)
	}
	return nil
}

// A node is one running process.
type node struct {
	cmd   *exec.Cmd
	data  string
	url   string // of the API
	addr  string
	token string
	took  time.Duration // until it was ready
}

// start runs a node; an empty data makes a new directory.
func (b *lab) start(ctx context.Context, data, token string) (*node, error) {
	if data == "" {
		b.serial++
		data = filepath.Join(b.dir, "data"+strconv.Itoa(b.serial))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &node{data: data, addr: l.Addr().String(), url: "http://" + l.Addr().String(), token: token}
	if err := l.Close(); err != nil {
		return nil, err
	}
	n.cmd = exec.CommandContext(ctx, b.bin, "serve", "--data", data, "--listen", n.addr, "--private", "off", "--log", "ERROR")
	n.cmd.Stderr = os.Stderr
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	if token == "" {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("read the first token: %w", err)
		}
		n.token = strings.TrimSpace(line)
	}
	for {
		if _, err := n.get("/me"); err == nil {
			n.took = time.Since(began)
			return n, nil
		}
		if time.Since(began) > time.Minute {
			return nil, errors.New("the node does not answer")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (n *node) stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return n.cmd.Wait()
}

// resident is the memory of the process, in MiB.
func (n *node) resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// cpu is the processor time that the process has used.
func (n *node) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, errU := strconv.ParseInt(fields[11], 10, 64)
	system, errS := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(errU, errS) // in hundredths of a second
}

func (n *node) do(method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, n.url+"/api/v1"+path, body) //nolint:noctx // the bench ends with its process
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	res, err := (&http.Client{Timeout: 5 * time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	return b, err
}

func (n *node) get(path string) ([]byte, error) { return n.do(http.MethodGet, path, nil) }

func (n *node) apply(yaml string) error {
	_, err := n.do(http.MethodPost, "/documents/apply", map[string]any{"files": []map[string]string{{"name": "bench.yaml", "text": yaml}}})
	return err
}

// A sender is one connection that sends the same kind of request over and over,
// with as little work as possible: what it costs is not the node's.
type sender struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

func dial(addr string) (*sender, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &sender{conn: c, r: bufio.NewReader(c)}, nil
}

// post sends body and returns the status of the answer.
func (s *sender) post(path, headers string, body []byte) (int, error) {
	s.buf = append(s.buf[:0], "POST "...)
	s.buf = append(s.buf, path...)
	s.buf = append(s.buf, " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"...)
	s.buf = append(s.buf, headers...)
	s.buf = append(s.buf, "Content-Length: "...)
	s.buf = strconv.AppendInt(s.buf, int64(len(body)), 10)
	s.buf = append(s.buf, "\r\n\r\n"...)
	s.buf = append(s.buf, body...)
	if _, err := s.conn.Write(s.buf); err != nil {
		return 0, err
	}
	return s.answer()
}

func (s *sender) answer() (int, error) {
	line, err := s.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("bad status line %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return 0, err
			}
		}
	}
	_, err = s.r.Discard(length)
	return status, err
}

// load has senders send until the time is over, and returns how long each
// request took.
func (n *node) load(senders int, d time.Duration, path, headers string, body func(sender, i int) []byte) (took []time.Duration, elapsed time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for id := range senders {
		s, derr := dial(n.addr)
		if derr != nil {
			return nil, 0, derr
		}
		wg.Go(func() {
			defer s.conn.Close()
			var mine []time.Duration
			var failed error
			for i := 0; time.Since(began) < d && failed == nil; i++ {
				b := body(id, i)
				t := time.Now()
				status, perr := s.post(path, headers, b)
				if failed = perr; failed == nil && status != 202 {
					failed = fmt.Errorf("status %d", status)
				}
				mine = append(mine, time.Since(t))
			}
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, mine...), errors.Join(err, failed)
		})
	}
	wg.Wait()
	elapsed = time.Since(began)
	slices.Sort(took)
	return took, elapsed, err
}

func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))].Microseconds()) / 1000
}
