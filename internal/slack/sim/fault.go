package sim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A Fault is trouble that the Web API makes.
type Fault struct {
	Method     string        // "" for every method
	Times      int           // how often; 0 until ClearFaults
	Delay      time.Duration // before the answer
	Status     int           // of the answer: 429, 500, …
	RetryAfter time.Duration // of a 429
	Code       string        // Slack's word: "fatal_error"
	Applied    bool          // the work is done all the same
	Hang       bool          // there is no answer
}

// Inject makes trouble.
func (w *Workspace) Inject(f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, &f)
}

// ClearFaults ends all trouble.
func (w *Workspace) ClearFaults() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.down = nil, false
}

// SetDown makes every call fail with 503, or ends that.
func (w *Workspace) SetDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// A Call is one call of the Web API.
type Call struct {
	Method string
	At     time.Time
	Args   map[string]string // without the token
	Status int
	Error  string // Slack's word
}

// Calls returns all calls so far, in the order of their answers.
func (w *Workspace) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// fault returns the trouble that a call meets, if any.
func (w *Workspace) fault(method string) *Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return &Fault{Status: http.StatusServiceUnavailable}
	}
	for i, f := range w.faults {
		if f.Method != "" && f.Method != method {
			continue
		}
		if f.Times == 1 {
			w.faults = slices.Delete(w.faults, i, i+1)
		}
		if f.Times > 1 {
			f.Times--
		}
		return f
	}
	return nil
}

// slow waits as a fault says, until the caller is gone.
func (f *Fault) slow(ctx context.Context) {
	if f.Hang {
		<-ctx.Done()
		return
	}
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

// fails writes a fault's answer and reports whether it had one.
func (f *Fault) fails(rw http.ResponseWriter) bool {
	switch {
	case f.Hang:
		panic(http.ErrAbortHandler)
	case f.Status == http.StatusTooManyRequests:
		tooMany(rw, f.RetryAfter)
	case f.Status != 0:
		http.Error(rw, http.StatusText(f.Status), f.Status)
	case f.Code != "":
		writeJSON(rw, map[string]any{"ok": false, "error": f.Code})
	default:
		return false
	}
	return true
}

func tooMany(rw http.ResponseWriter, after time.Duration) {
	rw.Header().Set("Retry-After", strconv.Itoa(max(1, int((after+time.Second-1)/time.Second))))
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(http.StatusTooManyRequests)
	rw.Write([]byte(`{"ok":false,"error":"ratelimited"}`))
}

// A bucket is what is left of a limit.
type bucket struct {
	left float64
	at   time.Time
}

// limited takes one call from the limits, which are Slack's: posting once a
// second and channel with a short burst, other methods by their tier. mu is
// held.
func (w *Workspace) limited(method, channel string) (time.Duration, bool) {
	if !w.c.Limits {
		return 0, false
	}
	rate, burst, key := 100.0/60, 20.0, method
	switch method {
	case "chat.postMessage":
		rate, burst, key = 1, 3, method+" "+channel
	case "conversations.list", "users.list":
		rate = 20.0 / 60
	case "chat.update", "conversations.history", "conversations.replies", "users.lookupByEmail", "conversations.open":
		rate = 50.0 / 60
	}
	now := w.c.Now()
	b, ok := w.used[key]
	if !ok {
		b = bucket{burst, now}
	}
	b.left, b.at = min(burst, b.left+now.Sub(b.at).Seconds()*rate), now
	defer func() { w.used[key] = b }()
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second)), true
	}
	b.left--
	return 0, false
}
