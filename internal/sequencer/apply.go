package sequencer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/view"
)

// apply gives drafts their places, and then, record by record, applies what
// each sets off. A group is applied as soon as it is decided, so that its
// decider may count on the numbers from tx.Next().
func (s *Sequencer) apply(tx *view.Tx, p *pending, drafts []ledger.Draft, now time.Time, depth int) error {
	if depth > maxDepth || len(p.records)+len(drafts) > maxChain {
		return fmt.Errorf("internal error: a command set off more than %d records, or a chain of more than %d", maxChain, maxDepth)
	}
	from := len(p.records)
	for _, d := range drafts {
		rec, line, err := encode(d, tx.Next(), now)
		if err != nil {
			return err
		}
		if p.bytes += len(line); p.bytes > maxBytes {
			return fmt.Errorf("internal error: a command set off records of more than %d bytes", maxBytes)
		}
		if err := tx.Apply(rec, line); err != nil {
			return err
		}
		p.records = append(p.records, rec)
	}
	for _, rec := range p.records[from : from+len(drafts) : from+len(drafts)] {
		for _, f := range s.c.Followers[rec.Kind] {
			more, err := f(tx, rec)
			if err != nil {
				return fmt.Errorf("follow %s %d: %w", rec.Kind, rec.Seq, err)
			}
			if err := s.apply(tx, p, more, now, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// lag is how far the clock may be behind the newest record before we say so.
const lag = time.Second

// now never runs backwards: a record is not older than the one before it.
func (s *Sequencer) now() time.Time {
	t := s.c.Now().UTC().Truncate(time.Microsecond)
	if !t.Before(s.last) {
		s.last, s.behind = t, false
		return t
	}
	if d := s.last.Sub(t); d > lag && !s.behind {
		s.behind = true
		s.c.Log.Warn("the clock is behind the newest record, whose time stands still until it is not", "behind", d, "newest", s.last)
	}
	return s.last
}

// encode makes a draft the record with the next place. What is returned is
// what a replay reads from the line.
func encode(d ledger.Draft, seq uint64, now time.Time) (ledger.Record, []byte, error) {
	fail := func(err error) (ledger.Record, []byte, error) {
		return ledger.Record{}, nil, fmt.Errorf("encode %s: %w", d.Kind, err)
	}
	if !utf8.ValidString(d.Kind) || !utf8.ValidString(d.Subject) || !utf8.ValidString(d.Actor) {
		return fail(fmt.Errorf("internal error: kind, subject or actor is not UTF-8: %q %q", d.Subject, d.Actor))
	}
	var data []byte
	var err error
	if a, ok := d.Data.(JSONAppender); ok {
		data, err = a.AppendJSON(nil)
	} else {
		data, err = json.Marshal(d.Data)
	}
	if err != nil {
		return fail(err)
	}
	rec := ledger.Record{Seq: seq, Time: now, Kind: d.Kind, Subject: d.Subject, Actor: d.Actor, Data: data, Value: d.Data}
	line, err := ledger.Encode(rec)
	if err != nil {
		return fail(err)
	}
	if len(line) > ledger.MaxLine {
		return fail(fmt.Errorf("%d bytes: %w", len(line), ledger.ErrTooLarge))
	}
	// No string before the data has an unescaped quotation mark.
	mark := []byte(`","data":`)
	at := bytes.Index(line, mark) + len(mark)
	rec.Data = line[at : len(line)-1 : len(line)-1]
	return rec, line, nil
}
