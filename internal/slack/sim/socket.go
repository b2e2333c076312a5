package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// pingEvery is how often Slack pings an open socket.
const pingEvery = 5 * time.Second

// A socket is one connection of Socket Mode.
type socket struct {
	conn *websocket.Conn

	mu   sync.Mutex
	acks map[string]chan []byte // guarded by mu; by envelope
}

func (w *Workspace) serveSocket(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	ok := w.tickets[ticket]
	delete(w.tickets, ticket)
	w.mu.Unlock()
	if !ok {
		http.Error(rw, "unknown ticket", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // the ticket is the permission
	conn, err := up.Upgrade(rw, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	s := &socket{conn: conn, acks: map[string]chan []byte{}}
	if s.write(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A0SIM"}}) != nil {
		return
	}
	w.mu.Lock()
	w.sockets = append(w.sockets, s)
	w.mu.Unlock()
	done := make(chan struct{})
	var pinger sync.WaitGroup
	pinger.Go(func() { s.ping(done) })
	s.read()
	close(done)
	pinger.Wait()
	w.mu.Lock()
	w.sockets = slices.DeleteFunc(w.sockets, func(o *socket) bool { return o == s })
	w.mu.Unlock()
	// The connection is gone already, or is to go.
	_ = conn.Close()
}

// Disconnect asks all open sockets to reconnect, as Slack does from time to
// time, and sends them nothing more.
func (w *Workspace) Disconnect() error {
	w.mu.Lock()
	all := w.sockets
	w.sockets = nil
	w.mu.Unlock()
	var errs []error
	for _, s := range all {
		errs = append(errs, s.write(map[string]any{"type": "disconnect", "reason": "refresh_requested"}))
	}
	return errors.Join(errs...)
}

func (s *socket) write(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return s.conn.WriteJSON(v)
}

func (s *socket) ping(done <-chan struct{}) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		if s.conn.WriteControl(websocket.PingMessage, []byte("sim"), time.Now().Add(patience)) != nil {
			return
		}
		select {
		case <-t.C:
		case <-done:
			return
		}
	}
}

// read takes acknowledgements until the connection ends.
func (s *socket) read() {
	for {
		var ack struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if s.conn.ReadJSON(&ack) != nil {
			return
		}
		s.mu.Lock()
		if ch := s.acks[ack.ID]; ch != nil {
			ch <- ack.Payload
			delete(s.acks, ack.ID)
		}
		s.mu.Unlock()
	}
}

// sendSocket brings a payload to the app's newest connection.
func (w *Workspace) sendSocket(ctx context.Context, payload []byte) (Reply, error) {
	w.mu.Lock()
	if len(w.sockets) == 0 {
		w.mu.Unlock()
		return Reply{}, nil
	}
	s, id := w.sockets[len(w.sockets)-1], w.id("envelope")
	w.mu.Unlock()
	ack := make(chan []byte, 1)
	s.mu.Lock()
	s.acks[id] = ack
	s.mu.Unlock()
	err := s.write(map[string]any{
		"type": "interactive", "envelope_id": id, "accepts_response_payload": true, "payload": json.RawMessage(payload),
	})
	if err != nil {
		return Reply{}, fmt.Errorf("write to the app's socket: %w", err)
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case body := <-ack:
		return Reply{Status: http.StatusOK, Body: body}, nil
	case <-t.C:
		return Reply{}, nil
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}
