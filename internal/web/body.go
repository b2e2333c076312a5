package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"beffroi.dev/internal/errs"
)

// ReadBody reads a body of at most limit bytes.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errs.E(errs.TooLarge, "the body has %d bytes, %d are allowed", r.ContentLength, limit)
	}
	var b bytes.Buffer
	b.Grow(int(max(512, r.ContentLength+bytes.MinRead)))
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, errs.E(errs.TooLarge, "the body is larger than %d bytes", limit)
		}
		return nil, errs.E(errs.Invalid, "the body ended early")
	}
	return b.Bytes(), nil
}

// DecodeJSON reads a body of at most limit bytes that is one JSON value into
// what v points to. A key that v does not have is an error, with the one that
// may have been meant.
func DecodeJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return errs.Hint(errs.Unsupported, "send it as application/json", "the body is of type %s", strconv.Quote(ct))
		}
	}
	b, err := ReadBody(w, r, limit)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return decodeError(err, b, v)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errs.E(errs.Invalid, "the body goes on after the end of its JSON value")
	}
	return nil
}

func decodeError(err error, b []byte, v any) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errs.E(errs.Invalid, "the body is empty, where a JSON object is wanted")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errs.E(errs.Invalid, "the body ends in the middle of its JSON value")
	case errors.As(err, &syntax):
		line, column := position(b, syntax.Offset)
		return errs.E(errs.Invalid, "the body is not JSON: line %d, column %d: %s", line, column, strings.TrimPrefix(syntax.Error(), "json: "))
	case errors.As(err, &typ):
		where := typ.Field
		if where == "" {
			where = "the body"
		}
		return errs.E(errs.Invalid, "%s is a JSON %s, where %s is wanted", where, typ.Value, wanted(typ.Type))
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, uerr := strconv.Unquote(quoted); uerr == nil {
			return errs.Hint(errs.Invalid, errs.Suggest(name, keys(reflect.TypeOf(v), nil)), "unknown key %q", name)
		}
	}
	return errs.E(errs.Invalid, "the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// position returns the line and column, from 1, of the byte before offset.
func position(b []byte, offset int64) (line, column int) {
	before := b[:min(max(offset-1, 0), int64(len(b)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}

// wanted names a Go type for people who write JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wanted(t.Elem())
	default:
		return "a number"
	}
}

// keys returns the names of all fields in t and what it is made of.
func keys(t reflect.Type, seen []reflect.Type) []string {
	for t != nil && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}, t.Kind()) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || slices.Contains(seen, t) {
		return nil
	}
	seen = append(seen, t)
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names = append(append(names, name), keys(f.Type, seen)...)
	}
	return names
}

// WriteJSON answers with v. It encodes v before anything is written, so that an
// error can still be told.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who hung up will not read it
	return nil
}
