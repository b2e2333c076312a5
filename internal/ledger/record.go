package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// A Draft is a record that was decided but has no place in the ledger yet. The
// sequencer gives it its sequence number and time.
type Draft struct {
	Kind    string // what happened: "alert.received"
	Subject string // to whom or what: "case/1041"
	Actor   string // who did it: "person/ada", "source/github", "playbook/triage", "beffroi"
	Data    any    // marshals to a JSON object; its type belongs to the core that owns the kind
}

// A Record is a fact that stands in the ledger for ever.
type Record struct {
	Seq     uint64          `json:"seq"`
	Time    time.Time       `json:"time"` // UTC, microseconds
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Actor   string          `json:"actor"`
	Data    json.RawMessage `json:"data"`

	// Value is what Data was encoded from, in the block that decides the record;
	// nil for a record that was read. See Decode.
	Value any `json:"-"`
}

// Decode returns the data of a record as a T. In the block that decides it no
// JSON is read: it is the value that was encoded.
func Decode[T any](r Record) (T, error) {
	if v, ok := r.Value.(T); ok {
		return v, nil
	}
	var v T
	if err := json.Unmarshal(r.Data, &v); err != nil {
		return v, fmt.Errorf("decode %s of record %d: %w", r.Kind, r.Seq, err)
	}
	return v, nil
}

// MaxLine is how many bytes a record's line may have: the entries of a C2SP
// bundle have a length of 16 bits.
const MaxLine = math.MaxUint16

// Encode returns the record's line, without a newline: the bytes that its leaf
// hash is over. Data is made compact; no data is the empty object.
func Encode(r Record) ([]byte, error) {
	if r.Kind == "" {
		return nil, errors.New("a record needs a kind")
	}
	if r.Seq > math.MaxInt64 {
		return nil, fmt.Errorf("sequence number %d is over 2^63-1", r.Seq)
	}
	if y := r.Time.UTC().Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("the year %d does not have four digits", y)
	}
	switch {
	case len(r.Data) == 0:
		r.Data = json.RawMessage("{}")
	case checkObject(r.Data) != nil:
		var b bytes.Buffer
		if err := json.Compact(&b, r.Data); err != nil {
			return nil, fmt.Errorf("data of record: %w", err)
		}
		r.Data = b.Bytes()
		if err := checkObject(r.Data); err != nil {
			return nil, fmt.Errorf("data of record: %w", err)
		}
	}
	return r.AppendLine(make([]byte, 0, 96+len(r.Kind)+len(r.Subject)+len(r.Actor)+len(r.Data))), nil
}

// AppendLine appends the record's line to dst. It trusts r: Data is a compact
// JSON object, as json.Marshal makes it. Use [Encode] when unsure.
func (r Record) AppendLine(dst []byte) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, r.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = appendTime(dst, r.Time.UTC())
	dst = append(dst, `","kind":`...)
	dst = appendString(dst, r.Kind)
	dst = append(dst, `,"subject":`...)
	dst = appendString(dst, r.Subject)
	dst = append(dst, `,"actor":`...)
	dst = appendString(dst, r.Actor)
	dst = append(dst, `,"data":`...)
	dst = append(dst, r.Data...)
	return append(dst, '}')
}

// appendTime appends 2026-11-22T08:15:30.123456Z.
func appendTime(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, int(month), 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, minute, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, second, 2)
	dst = append(dst, '.')
	dst = appendDigits(dst, t.Nanosecond()/1000, 6)
	return append(dst, 'Z')
}

func appendDigits(dst []byte, n, width int) []byte {
	var b [6]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, b[:width]...)
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string in its one canonical form: escaped
// are the quotation mark, the backslash and control characters, the usual ones
// in short; bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		if short := shortEscape(c); short != 0 {
			dst = append(dst, '\\', short)
		} else if c < ' ' {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		} else {
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

// shortEscape is the letter after the backslash, or 0.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	default:
		return 0
	}
}
