package client

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"beffroi.dev/internal/connector"
)

// readBody reads an answer of at most limit bytes, before and after it is
// unpacked: what is larger is never held.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	tooLarge := &connector.Failure{
		Class: connector.TooLarge, Sent: true, Msg: fmt.Sprintf("the answer is larger than %d bytes", limit),
		Hint: "ask for less, for example a page; or raise max_response of the connection, up to 16MiB",
	}
	if resp.Request.Method == http.MethodHead {
		return nil, nil
	}
	if resp.ContentLength > limit {
		return nil, tooLarge
	}
	packed := &capped{r: resp.Body, left: limit}
	var r io.Reader = packed
	switch e := strings.ToLower(resp.Header.Get("Content-Encoding")); e {
	case "", "identity":
	case "gzip", "x-gzip":
		if resp.ContentLength == 0 {
			return nil, nil
		}
		z, err := gzip.NewReader(packed)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, unpacking(err)
		}
		r = &capped{r: z, left: limit}
	default:
		return nil, &connector.Failure{Class: connector.Invalid, Sent: true, Msg: "the answer has an encoding that was not asked for"}
	}
	b, err := readAll(r, resp.ContentLength)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, tooLarge
	case err != nil:
		return nil, unpacking(err)
	}
	return b, nil
}

func unpacking(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return &connector.Failure{Class: connector.Invalid, Sent: true, Msg: "the answer cannot be unpacked"}
	}
	return fmt.Errorf("read the answer: %w", err)
}

// readAll is io.ReadAll with a buffer of the size that was announced.
func readAll(r io.Reader, size int64) ([]byte, error) {
	b := make([]byte, 0, min(max(size+1, 512), 1<<20))
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

var errTooLarge = errors.New("too large")

// A capped reader fails with errTooLarge after left bytes, if there are more.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if int64(n) > c.left {
		return int(c.left), errTooLarge
	}
	c.left -= int64(n)
	return n, err
}

// discard reads the rest of a short answer, so that its connection can be used
// again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
