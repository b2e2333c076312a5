package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// ParseRecord reads a line that [Encode] wrote. It accepts no other spelling
// of the same record, so that encoding what it returns gives the same bytes.
// The record's Data shares memory with line.
func ParseRecord(line []byte) (Record, error) {
	if len(line) > MaxLine {
		return Record{}, fmt.Errorf("a record of %d bytes is over the limit of %d", len(line), MaxLine)
	}
	p := parser{b: line}
	var r Record
	p.literal(`{"seq":`)
	r.Seq = p.uint()
	p.literal(`,"time":"`)
	r.Time = p.time()
	p.literal(`","kind":`)
	kind := p.text()
	p.literal(`,"subject":`)
	subject := p.text()
	p.literal(`,"actor":`)
	actor := p.text()
	p.literal(`,"data":`)
	if p.err != nil {
		return Record{}, p.err
	}
	if len(line) == 0 || line[len(line)-1] != '}' || len(line)-1 < p.i {
		return Record{}, errors.New("a record ends with a brace")
	}
	r.Data = line[p.i : len(line)-1 : len(line)-1]
	if err := checkObject(r.Data); err != nil {
		return Record{}, fmt.Errorf("data of record: %w", err)
	}
	if kind.from == kind.to {
		return Record{}, errors.New("a record needs a kind")
	}
	// One string for all three, which are mostly short.
	s := string(line[kind.from:actor.to])
	r.Kind = kind.in(s, kind.from)
	r.Subject = subject.in(s, kind.from)
	r.Actor = actor.in(s, kind.from)
	return r, nil
}

// A parser reads the head of a line; after its first error it does nothing.
type parser struct {
	b   []byte
	i   int
	err error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("not a record: %s at byte %d", fmt.Sprintf(format, args...), p.i)
	}
}

func (p *parser) literal(s string) {
	if p.err != nil {
		return
	}
	if len(p.b)-p.i < len(s) || string(p.b[p.i:p.i+len(s)]) != s {
		p.fail("expected %s", s)
		return
	}
	p.i += len(s)
}

// uint reads a number up to 2^63-1 without leading zeros.
func (p *parser) uint() uint64 {
	if p.err != nil {
		return 0
	}
	from := p.i
	var n uint64
	for p.i < len(p.b) && p.b[p.i]-'0' <= 9 {
		d := uint64(p.b[p.i] - '0')
		if n > (math.MaxInt64-d)/10 {
			p.fail("a number over 2^63-1")
			return 0
		}
		n = n*10 + d
		p.i++
	}
	if p.i == from || p.b[from] == '0' && p.i != from+1 {
		p.fail("expected a number without leading zeros")
	}
	return n
}

// time reads 2026-11-22T08:15:30.123456Z and accepts days that exist only.
func (p *parser) time() time.Time {
	year := p.digits(4)
	p.literal("-")
	month := p.digits(2)
	p.literal("-")
	day := p.digits(2)
	p.literal("T")
	hour := p.digits(2)
	p.literal(":")
	minute := p.digits(2)
	p.literal(":")
	second := p.digits(2)
	p.literal(".")
	micro := p.digits(6)
	p.literal("Z")
	if p.err != nil {
		return time.Time{}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	if hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1 || t.Day() != day {
		p.fail("a time that does not exist")
		return time.Time{}
	}
	return t
}

func (p *parser) digits(width int) (n int) {
	if p.err != nil {
		return 0
	}
	if len(p.b)-p.i < width {
		p.fail("expected %d digits", width)
		return 0
	}
	for _, c := range p.b[p.i : p.i+width] {
		if c-'0' > 9 {
			p.fail("expected %d digits", width)
			return 0
		}
		n = n*10 + int(c-'0')
	}
	p.i += width
	return n
}

// A span is where a string stands between its quotation marks. Plain says that
// nothing in it is escaped.
type span struct {
	from, to int
	plain    bool
	value    string // when not plain
}

func (s span) in(head string, base int) string {
	if s.plain {
		return head[s.from-base : s.to-base]
	}
	return s.value
}

// text reads a string in its canonical form.
func (p *parser) text() span {
	if p.err != nil {
		return span{}
	}
	if p.i >= len(p.b) || p.b[p.i] != '"' {
		p.fail("expected a string")
		return span{}
	}
	from := p.i
	s := scanner{b: p.b, i: from}
	if err := s.text(); err != nil {
		p.err = err
		return span{}
	}
	p.i = s.i
	sp := span{from: from + 1, to: s.i - 1, plain: true}
	if bytes.IndexByte(p.b[from:s.i], '\\') >= 0 {
		sp.plain, sp.value = false, p.unescape(p.b[from:s.i])
	}
	return sp
}

// unescape reads a string with its quotation marks.
func (p *parser) unescape(raw []byte) (value string) {
	if err := json.Unmarshal(raw, &value); err != nil {
		p.fail("a string that cannot be read")
		return ""
	}
	if !bytes.Equal(appendString(nil, value), raw) {
		p.fail("a string that is not in its canonical form")
		return ""
	}
	return value
}
