package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const (
	// answerIn leaves some of Slack's three seconds to the way back.
	answerIn = 2500 * time.Millisecond
	maxBody  = 1 << 20
)

// ServeHTTP takes Slack's calls of the interactivity URL. It answers 200 only
// when the desk has made the press durable, or when the press is none of ours.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	reply, status, err := s.serve(ctx, w, r)
	if err != nil {
		s.c.Log.WarnContext(ctx, "refused a call of the interactivity url", "status", status, "err", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if reply == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	b, err := json.Marshal(reply)
	if err != nil {
		panic("internal error: encode an answer to slack: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(b)
}

func (s *Slack) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) (*viewAnswer, int, error) {
	if r.Method != http.MethodPost {
		return nil, http.StatusMethodNotAllowed, fmt.Errorf("method %.10q", r.Method)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("read body: %w", err)
	}
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("read body: %w", err)
	}
	if err := s.authentic(ctx, r.Header, body); err != nil {
		if errors.Is(err, errMemory) {
			return nil, http.StatusServiceUnavailable, err
		}
		return nil, http.StatusUnauthorized, err
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType, fmt.Errorf("content type %.80q", r.Header.Get("Content-Type"))
	}
	p, err := parseForm(body)
	switch {
	case errors.Is(err, errForeign):
		s.c.Log.DebugContext(ctx, "ignored an interaction", "err", err)
		return nil, http.StatusOK, nil
	case err != nil:
		return nil, http.StatusBadRequest, err
	}
	reply, err := s.take(ctx, p)
	if err != nil {
		return nil, http.StatusServiceUnavailable, err
	}
	return reply, http.StatusOK, nil
}

// errMemory says that it is not known whether a request was sent before.
var errMemory = errors.New("the memory of requests does not answer")

// authentic checks the signature first, so that only what Slack signed is
// remembered.
func (s *Slack) authentic(ctx context.Context, h http.Header, body []byte) error {
	ts, sig := h.Get(timestampHeader), h.Get(signatureHeader)
	if err := verify(s.c.SigningSecret, s.c.Now(), ts, sig, body); err != nil {
		return err
	}
	sec, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		return errUnsigned
	}
	return s.first(ctx, "slack/"+sig, time.Unix(sec, 0).Add(2*window))
}

func (s *Slack) first(ctx context.Context, id string, until time.Time) error {
	first, err := s.c.Replays.First(ctx, id, until)
	if err != nil {
		return fmt.Errorf("%w: %w", errMemory, err)
	}
	if !first {
		return errReplay
	}
	return nil
}

// take brings a press to the desk. It returns what a window's submission is
// answered with; all other answers are whispered. An error means that the
// press does not count, and Slack shows the clicker that it failed.
func (s *Slack) take(ctx context.Context, p press) (*viewAnswer, error) {
	who, refusal, err := s.dir.who(ctx, p.user)
	if err != nil {
		return nil, fmt.Errorf("find out who pressed: %w", err)
	}
	c := Click{ID: p.id, Token: p.token, Reason: p.reason, Who: who, Spot: p.spot, At: s.c.Now()}
	if refusal != "" {
		if err := s.c.Desk.Refuse(ctx, c, refusal); err != nil {
			return nil, fmt.Errorf("record a refused press: %w", err)
		}
		return s.private(ctx, p, refusal.say()), nil
	}
	out, err := s.c.Desk.Answer(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	switch out.Verdict {
	case Accepted:
		if out.Say != "" && !p.submitted {
			return s.private(ctx, p, out.Say), nil
		}
		return nil, nil
	case NeedsReason:
		return s.askReason(ctx, p, out), nil
	case Refused, TooLate:
		return s.private(ctx, p, out.Say), nil
	}
	return nil, fmt.Errorf("answer: unknown verdict %q", out.Verdict)
}

func (s *Slack) askReason(ctx context.Context, p press, out Outcome) *viewAnswer {
	if p.submitted {
		say := out.Say
		if say == "" {
			say = "Please give a reason."
		}
		return &viewAnswer{Action: "errors", Errors: map[string]string{reasonBlock: say}}
	}
	v, err := reasonView(out.Form, reasonMeta{Token: p.token, Channel: p.spot.Channel, TS: p.spot.TS})
	if err == nil {
		err = s.client.openView(ctx, p.trigger, v)
	}
	if err != nil {
		s.c.Log.WarnContext(ctx, "could not open a window", "err", err)
		return s.private(ctx, p, "The window for your reason could not be opened. Nothing was answered: please press again.")
	}
	return nil
}

// private tells the clicker alone: in the window, if there is one.
func (s *Slack) private(ctx context.Context, p press, say string) *viewAnswer {
	if p.submitted {
		v := sayView(say)
		return &viewAnswer{Action: "update", View: &v}
	}
	select {
	case s.whispers <- whisper{press: p, text: shown(say, maxFallback)}:
	default:
		s.c.Log.WarnContext(ctx, "too many private answers wait: one was dropped", "user", p.user)
	}
	return nil
}

// A whisper is a private answer on its way. It is not durable: what counts is.
type whisper struct {
	press press
	text  string
}

const (
	maxWhispers    = 1000
	whisperWorkers = 2
	whisperTries   = 4
)

// whisperer sends private answers until ctx ends.
func (s *Slack) whisperer(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-s.whispers:
			if err := s.deliver(ctx, w); err != nil {
				s.c.Log.WarnContext(ctx, "could not answer in private", "user", w.press.user, "err", err)
			}
		}
	}
}

func (s *Slack) deliver(ctx context.Context, w whisper) (err error) {
	for n := range whisperTries {
		if n > 0 {
			if sleep(ctx, s.backoff(n-1)) != nil {
				return err
			}
		}
		if w.press.responseURL != "" {
			err = s.client.respond(ctx, w.press.responseURL, w.text)
		}
		if w.press.responseURL == "" || err != nil {
			err = s.client.whisper(ctx, w.press.spot, w.press.thread, w.press.user, w.text)
		}
		var e *callError
		if err == nil || errors.As(err, &e) && e.fate == refused {
			return err
		}
	}
	return err
}
