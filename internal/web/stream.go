package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"beffroi.dev/internal/errs"
)

// An Event is one server-sent event.
type Event struct {
	ID   string // what the client sends back as Last-Event-ID when it comes again; may be empty
	Type string // may be empty
	Data []byte // text; its line breaks become LF
}

const (
	heartbeat = 15 * time.Second
	slowest   = 20 * time.Second // that a client may take to read one event
	reconnect = "retry: 2000\n\n"
	stillHere = ": still here\n\n"
)

// LastEventID returns where a client that comes again wants to go on, "" for a
// new one. Browsers send it as a header; a first request may use the parameter
// last_event_id.
func LastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return r.URL.Query().Get("last_event_id")
}

// Stream answers with the events that produce sends. The context of produce
// ends when the client goes away or the server is about to end; send fails
// then. The connection is kept alive while there is nothing to send.
func Stream(w http.ResponseWriter, r *http.Request, produce func(ctx context.Context, send func(Event) error) error) error {
	s := &stream{w: w, rc: http.NewResponseController(w)}
	if err := s.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var beats sync.WaitGroup
	beats.Go(func() { s.beat(ctx, cancel, stoppingOf(ctx)) })
	err := produce(ctx, func(e Event) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("send an event: %w", err)
		}
		return s.send(e.encode())
	})
	gone := ctx.Err() != nil
	cancel()
	beats.Wait()
	if gone || err == nil {
		return nil
	}
	return fmt.Errorf("stream: %w", err)
}

// A stream is an answer that is being written, event by event.
type stream struct {
	mu sync.Mutex // guards writing
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s *stream) begin() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not collect events
	if err := s.rc.Flush(); errors.Is(err, http.ErrNotSupported) {
		return errs.E(errs.Unsupported, "this connection cannot carry a stream")
	}
	// The server's limit is for requests; it would end the stream.
	if err := s.rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("begin a stream: %w", err)
	}
	return s.send([]byte(reconnect))
}

// beat keeps the connection alive until ctx ends, and ends it with the server.
func (s *stream) beat(ctx context.Context, cancel context.CancelFunc, stopping <-chan struct{}) {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			cancel()
			return
		case <-t.C:
			if err := s.send([]byte(stillHere)); err != nil {
				cancel()
				return
			}
		}
	}
}

func (s *stream) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rc.SetWriteDeadline(time.Now().Add(slowest)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send an event: %w", err)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	return nil
}

// encode writes the event as section 9.2.5 has it. A line break in a field
// would begin another, so fields are of one line.
func (e Event) encode() []byte {
	var b bytes.Buffer
	line := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
	if e.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", line.Replace(e.ID))
	}
	if e.Type != "" {
		fmt.Fprintf(&b, "event: %s\n", line.Replace(e.Type))
	}
	data := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(e.Data))
	for part := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(&b, "data: %s\n", part)
	}
	b.WriteByte('\n')
	return b.Bytes()
}
