package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/web"
)

func asIssues(err error, is *errs.Issues) bool { return errors.As(err, is) }

// A RecordFilter chooses records; zero fields choose all.
type RecordFilter struct {
	Kind, Subject, Actor string
	Since                time.Time
}

// Match reports whether a record is chosen. A kind without a dot stands for
// all that begin with it: "ask" for "ask.answered".
func (f RecordFilter) Match(r ledger.Record) bool {
	return (f.Kind == "" || r.Kind == f.Kind || strings.HasPrefix(r.Kind, f.Kind+".")) &&
		(f.Subject == "" || r.Subject == f.Subject) && (f.Actor == "" || r.Actor == f.Actor) &&
		!r.Time.Before(f.Since)
}

// errEnough ends a walk over the ledger.
var errEnough = errors.New("enough")

// maxScan bounds how many records one request looks at.
const maxScan = 200_000

type recordPage struct {
	Items []ledger.Record `json:"items"`
	Next  uint64          `json:"next"` // pass it as from; the size of the ledger when all were seen
}

func (a *API) records(c *call) (out recordPage, err error) {
	p, err := web.PageOf(c.r, maxPage)
	if err != nil {
		return out, err
	}
	q := c.r.URL.Query()
	f := RecordFilter{Kind: q.Get("kind"), Subject: q.Get("subject"), Actor: q.Get("actor")}
	if f.Since, err = a.sinceOf(c.r); err != nil {
		return out, err
	}
	from, err := numberParam(c, "from")
	if err != nil {
		return out, err
	}
	out.Items, out.Next = []ledger.Record{}, from
	size := a.c.Ledger.Size()
	err = a.c.Ledger.Range(from, min(size, from+maxScan), func(seq uint64, line []byte) error {
		if err := c.ctx().Err(); err != nil {
			return err
		}
		rec, err := ledger.ParseRecord(line)
		if err != nil {
			return err
		}
		out.Next = seq + 1
		if f.Match(rec) {
			out.Items = append(out.Items, rec)
		}
		if len(out.Items) == p.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, err
}

func (a *API) record(c *call) (out ledger.Record, err error) {
	seq, err := a.seq(c)
	if err != nil {
		return out, err
	}
	line, err := a.c.Ledger.Read(seq)
	if err != nil {
		return out, err
	}
	return ledger.ParseRecord(line)
}

func (a *API) seq(c *call) (uint64, error) {
	seq, err := c.id("seq")
	if err == nil && seq >= a.c.Ledger.Size() {
		err = errs.E(errs.NotFound, "there is no record %d: the ledger has %d", seq, a.c.Ledger.Size())
	}
	return seq, err
}

func (a *API) proof(c *call) error {
	seq, err := a.seq(c)
	if err != nil {
		return err
	}
	b, err := a.c.Ledger.Prove(seq)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = c.w.Write(b)
	return err
}

func (a *API) tiles(c *call) error {
	b, contentType, err := a.c.Ledger.Resource(c.r.PathValue("path"))
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", contentType)
	_, err = c.w.Write(b)
	return err
}

// A Feed tells streams that records were added.
type Feed struct {
	mu   sync.Mutex
	next chan struct{} // guarded by mu; closed when records were added
}

// NewFeed returns an empty Feed.
func NewFeed() *Feed { return &Feed{next: make(chan struct{})} }

// Committed wakes the streams. It is one of the sequencer's Committed hooks.
func (f *Feed) Committed([]ledger.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.next)
	f.next = make(chan struct{})
}

func (f *Feed) more() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// stream sends records as they become durable, after the one that the client
// has seen last, else from now on.
func (a *API) stream(c *call) error {
	from := a.c.Ledger.Size()
	if id := web.LastEventID(c.r); id != "" {
		n, err := strconv.ParseUint(id, 10, 63)
		if err != nil {
			return errs.E(errs.Invalid, "last_event_id %q is no record", id)
		}
		from = min(n+1, from)
	}
	f := RecordFilter{Kind: c.r.URL.Query().Get("kind")}
	return web.Stream(c.w, c.r, func(ctx context.Context, send func(web.Event) error) error {
		for {
			more := a.c.Records.more()
			size := a.c.Ledger.Size()
			err := a.c.Ledger.Range(from, size, func(seq uint64, line []byte) error {
				rec, err := ledger.ParseRecord(line)
				if err != nil {
					return err
				}
				if !f.Match(rec) {
					return nil
				}
				return send(web.Event{ID: strconv.FormatUint(seq, 10), Type: rec.Kind, Data: line})
			})
			if err != nil {
				return err
			}
			from = size
			select {
			case <-ctx.Done():
				return nil
			case <-more:
			}
		}
	})
}

func (a *API) openapi(c *call) error {
	return web.WriteJSON(c.w, http.StatusOK, a.Description())
}
