package expr

import (
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string; src[pos] is the opening quote.
func (d *decoder) str() (string, error) {
	start := d.pos + 1
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.pos = i + 1
			if d.text != "" {
				return d.text[start:i], nil
			}
			return string(d.src[start:i]), nil
		case c == '\\' || c >= utf8.RuneSelf:
			return d.slowStr(start, i)
		case c < ' ':
			d.pos = i
			return "", d.unexpected("in a string")
		}
	}
	d.pos = len(d.src)
	return "", d.unexpected("in a string")
}

// slowStr reads the rest of a string that has escapes or is not ASCII.
func (d *decoder) slowStr(start, i int) (string, error) {
	d.pos = i
	plain := true // so far the text is what the source says
	var out []byte
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; {
		case c == '"':
			d.pos++
			if !plain {
				return string(out), nil
			}
			if d.text != "" {
				return d.text[start : d.pos-1], nil
			}
			return string(d.src[start : d.pos-1]), nil
		case c < ' ':
			return "", d.unexpected("in a string")
		case c == '\\':
			if plain {
				plain, out = false, append(make([]byte, 0, d.pos-start+32), d.src[start:d.pos]...)
			}
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < utf8.RuneSelf:
			if !plain {
				out = append(out, c)
			}
			d.pos++
		default:
			r, n := utf8.DecodeRune(d.src[d.pos:])
			if plain && r == utf8.RuneError && n == 1 {
				plain, out = false, append(make([]byte, 0, d.pos-start+32), d.src[start:d.pos]...)
			}
			if !plain {
				out = utf8.AppendRune(out, r)
			}
			d.pos += n
		}
	}
	return "", d.unexpected("in a string")
}

// escape reads one escape, or two that are a surrogate pair.
func (d *decoder) escape() (rune, error) {
	d.pos++
	if d.pos >= len(d.src) {
		return 0, d.unexpected("in a string")
	}
	c := d.src[d.pos]
	d.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
	default:
		d.pos--
		return 0, d.unexpected("in an escape")
	}
	r, ok := d.hex4(d.pos)
	if !ok {
		return 0, d.unexpected("in an escape")
	}
	d.pos += 4
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if d.pos+1 < len(d.src) && d.src[d.pos] == '\\' && d.src[d.pos+1] == 'u' {
		if low, ok := d.hex4(d.pos + 2); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				d.pos += 6
				return both, nil
			}
		}
	}
	return utf8.RuneError, nil
}

func (d *decoder) hex4(at int) (rune, bool) {
	if at+4 > len(d.src) {
		return 0, false
	}
	var r rune
	for _, c := range d.src[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
