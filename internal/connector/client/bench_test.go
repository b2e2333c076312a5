package client_test

import (
	"bufio"
	"io"
	"net"
	"net/http/httptest"
	"testing"

	"beffroi.dev/internal/connector"
)

// stub answers every request at once with a fixed answer. It does as little as
// a server can, so that what is measured is the client.
func stub(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

func answer(conn net.Conn) {
	defer conn.Close()
	const body = `{"ok":true,"id":42,"state":"contained"}`
	const bodyLength = 30
	r := bufio.NewReader(conn)
	for {
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(bodyLength); err != nil {
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 22 Nov 2026 08:15:30 GMT\r\nX-Request-Id: abc\r\nContent-Length: 39\r\n\r\n"+body); err != nil {
			return
		}
	}
}

func benchmark(b *testing.B, auth connector.Auth) {
	r := newRig(b)
	r.vault.set("one", "a secret of some length")
	c := to(b, &httptest.Server{URL: stub(b)}, func(s *connector.Spec) { s.Auth = auth })
	req := request(b, c, map[string]any{"method": "POST", "path": "/hosts/contain", "body": map[string]any{"ids": []any{"a", "b", "c"}, "n": int64(1000)}})
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Do(b.Context(), c, req, "run/1043/contain"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkCall(b *testing.B) { benchmark(b, connector.Auth{}) }

func BenchmarkCallWithSecret(b *testing.B) {
	benchmark(b, connector.Auth{Type: connector.BearerAuth, Secret: "one"})
}
