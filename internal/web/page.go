package web

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"unicode/utf8"

	"beffroi.dev/internal/errs"
)

// A Page is the part of a list that a request asks for: so many items after a
// place. Its parameters are limit and cursor.
type Page struct {
	Limit int
	After string // the place of the last item of the page before; "" for the first page
}

const defaultLimit = 50

// PageOf reads which page is asked for. Pages have 50 items unless the request
// says otherwise, and at most `most`.
func PageOf(r *http.Request, most int) (Page, error) {
	p, q := Page{Limit: min(defaultLimit, most)}, r.URL.Query()
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return p, errs.E(errs.Invalid, "limit is a number from 1 to %d", most)
		}
		p.Limit = n
	}
	if s := q.Get("cursor"); s != "" {
		b, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || len(b) == 0 || len(b) > 512 || !utf8.Valid(b) {
			return p, errs.Hint(errs.Invalid, "take it from the member next of the page before", "the cursor is not one of ours")
		}
		p.After = string(b)
	}
	return p, nil
}

// A List is one page of an answer.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the next page; empty on the last
}

// ListOf makes the answer to p from one item more than p asks for, so that it
// is known whether there is a next page. place is where an item stands; it
// becomes Page.After of the next request.
func ListOf[T any](p Page, items []T, place func(T) string) List[T] {
	if items == nil {
		items = []T{}
	}
	l := List[T]{Items: items}
	if len(items) > p.Limit {
		l.Items = items[:p.Limit]
		l.Next = base64.RawURLEncoding.EncodeToString([]byte(place(l.Items[p.Limit-1])))
	}
	return l
}
