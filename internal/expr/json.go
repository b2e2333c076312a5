package expr

import (
	"fmt"
	"slices"
	"strconv"
)

// FromJSON decodes one JSON text (RFC 8259) into nil, bool, int64, float64,
// string, []any and map[string]any. A number without fraction and exponent
// that fits is an int64, any other a float64. Of duplicate keys the last is
// kept. What is not UTF-8, and a lone half of a surrogate pair, become U+FFFD.
// Trailing data, and nesting deeper than 200, are refused.
func FromJSON(b []byte) (any, error) {
	d := decoder{src: b}
	if len(b) <= shareLimit {
		// One copy of the text serves all its strings.
		d.text = string(b)
	}
	v, err := d.document()
	if err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	return v, nil
}

// shareLimit bounds the memory that one surviving string keeps alive.
const shareLimit = 64 << 10

// decoder reads src at pos. Errors name the byte, from 1. Elements wait in
// values and keys until their container ends, so that it is made once, at its
// size.
type decoder struct {
	src    []byte
	text   string // src as a string, or empty when src is large
	pos    int
	values []any
	keys   []string
}

func (d *decoder) document() (any, error) {
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.pos < len(d.src) {
		return nil, d.unexpected("after the end of the value")
	}
	return v, nil
}

func (d *decoder) unexpected(where string) error {
	if d.pos >= len(d.src) {
		return fmt.Errorf("byte %d: unexpected end %s", d.pos+1, where)
	}
	return fmt.Errorf("byte %d: unexpected %q %s", d.pos+1, d.src[d.pos], where)
}

func (d *decoder) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek skips space and returns the next byte, or 0 at the end.
func (d *decoder) peek() byte {
	d.space()
	if d.pos < len(d.src) {
		return d.src[d.pos]
	}
	return 0
}

func (d *decoder) value(depth int) (any, error) {
	switch c := d.peek(); c {
	case '{', '[':
		if depth == maxDepth {
			return nil, fmt.Errorf("byte %d: nested deeper than %d", d.pos+1, maxDepth)
		}
		if c == '{' {
			return d.object(depth)
		}
		return d.array(depth)
	case '"':
		return d.str()
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return nil, d.word("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return d.number()
	default:
		return nil, d.unexpected("where a value should begin")
	}
}

func (d *decoder) word(w string) error {
	for i := range len(w) {
		if d.pos >= len(d.src) || d.src[d.pos] != w[i] {
			return d.unexpected("in " + w)
		}
		d.pos++
	}
	return nil
}

func (d *decoder) object(depth int) (any, error) {
	d.pos++
	if d.peek() == '}' {
		d.pos++
		return map[string]any{}, nil
	}
	firstKey, firstValue := len(d.keys), len(d.values)
	for {
		if d.peek() != '"' {
			return nil, d.unexpected("where a key should begin")
		}
		k, err := d.str()
		if err != nil {
			return nil, err
		}
		if d.peek() != ':' {
			return nil, d.unexpected("after a key")
		}
		d.pos++
		d.keys = append(d.keys, k)
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.values = append(d.values, v)
		switch d.peek() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			return d.collect(firstKey, firstValue), nil
		default:
			return nil, d.unexpected("in an object")
		}
	}
}

// collect makes a map of the waiting keys and values.
func (d *decoder) collect(firstKey, firstValue int) map[string]any {
	keys, values := d.keys[firstKey:], d.values[firstValue:]
	m := make(map[string]any, len(keys))
	for i, k := range keys {
		m[k] = values[i]
	}
	d.keys, d.values = d.keys[:firstKey], d.values[:firstValue]
	return m
}

func (d *decoder) array(depth int) (any, error) {
	d.pos++
	if d.peek() == ']' {
		d.pos++
		return []any{}, nil
	}
	first := len(d.values)
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.values = append(d.values, v)
		switch d.peek() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			a := slices.Clone(d.values[first:])
			d.values = d.values[:first]
			return a, nil
		default:
			return nil, d.unexpected("in an array")
		}
	}
}

// number reads the grammar of RFC 8259 section 6.
func (d *decoder) number() (any, error) {
	start := d.pos
	if d.src[d.pos] == '-' {
		d.pos++
	}
	digits := d.pos
	n := d.digits()
	if n == 0 || (n > 1 && d.src[digits] == '0') {
		return nil, d.unexpected("in a number")
	}
	if d.pos == len(d.src) || (d.src[d.pos] != '.' && d.src[d.pos]|0x20 != 'e') {
		return d.whole(start, digits)
	}
	if d.src[d.pos] == '.' {
		d.pos++
		if d.digits() == 0 {
			return nil, d.unexpected("in a number")
		}
	}
	if d.pos < len(d.src) && d.src[d.pos]|0x20 == 'e' {
		d.pos++
		if d.pos < len(d.src) && (d.src[d.pos] == '+' || d.src[d.pos] == '-') {
			d.pos++
		}
		if d.digits() == 0 {
			return nil, d.unexpected("in a number")
		}
	}
	return d.float(start)
}

func (d *decoder) digits() int {
	start := d.pos
	for d.pos < len(d.src) && '0' <= d.src[d.pos] && d.src[d.pos] <= '9' {
		d.pos++
	}
	return d.pos - start
}

// whole returns an int64, or a float64 when it does not fit.
func (d *decoder) whole(start, digits int) (any, error) {
	if d.pos-digits > 18 {
		if n, err := strconv.ParseInt(string(d.src[start:d.pos]), 10, 64); err == nil {
			return n, nil
		}
		return d.float(start)
	}
	var n int64
	for _, c := range d.src[digits:d.pos] {
		n = n*10 + int64(c-'0')
	}
	if start < digits {
		n = -n
	}
	return n, nil
}

func (d *decoder) float(start int) (any, error) {
	f, err := strconv.ParseFloat(string(d.src[start:d.pos]), 64)
	if err != nil {
		return nil, fmt.Errorf("byte %d: number out of range", start+1)
	}
	return f, nil
}
