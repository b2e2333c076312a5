package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/web"
)

// defaultURL is where a node answers unless told otherwise.
const defaultURL = "http://127.0.0.1:8420"

// maxAnswer is the longest answer that is read.
const maxAnswer = 256 << 20

func (e *env) token() (string, error) {
	if t := strings.TrimSpace(e.getenv("BEFFROI_TOKEN")); t != "" {
		return t, nil
	}
	if name := e.getenv("BEFFROI_TOKEN_FILE"); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", errs.Hint(errs.Unauthenticated, "export BEFFROI_TOKEN=bft_…; the first start of a node prints one", "there is no token")
}

func (e *env) request(method, path string, in any) (*http.Response, error) {
	token, err := e.token()
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(e.getenv("BEFFROI_URL"), "/")
	if base == "" {
		base = defaultURL
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(e.ctx, method, base+"/api/v1"+path, body)
	if err != nil {
		return nil, errs.E(errs.Invalid, "BEFFROI_URL: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// A redirect would carry the token elsewhere.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, errs.Hint(errs.Unavailable, "is it running? beffroi serve starts one; BEFFROI_URL says where it is", "no node answers at %s: %v", base, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer closing(res.Body)
	p := &web.Problem{Status: res.StatusCode, Title: res.Status}
	if b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20)); err == nil {
		if json.Unmarshal(b, p) != nil {
			p.Detail = fmt.Sprintf("%s answered %s", base, res.Status)
		}
	}
	return nil, p
}

// call asks the API and decodes the answer; with --output json it prints it.
func (e *env) call(method, path string, in, out any) (printed bool, err error) {
	res, err := e.request(method, path, in)
	if err != nil {
		return false, err
	}
	defer closing(res.Body)
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	if e.json() {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, b, "", "  "); err != nil {
			return false, fmt.Errorf("read the answer: %w", err)
		}
		fmt.Fprintln(e.stdout, strings.TrimSpace(pretty.String()))
		return true, nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	return false, nil
}

// table prints rows in columns; the first is the head.
func (e *env) table(rows [][]string) {
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	_ = w.Flush() // what it writes to has its own errors, which nobody could be told
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func short(version string) string { return version[:min(12, len(version))] }

// clip makes one line of at most n characters, safe for a terminal.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// number takes the number from 1041 or case/1041.
func number(kind, s string) (string, error) {
	n := strings.TrimPrefix(s, kind+"/")
	if n == "" || strings.Trim(n, "0123456789") != "" {
		return "", errs.E(errs.Invalid, "%q is no %s: write 1041 or %s/1041", s, kind, kind)
	}
	return n, nil
}

// closing closes what was only read: nothing can be lost.
func closing(c io.Closer) { _ = c.Close() }
