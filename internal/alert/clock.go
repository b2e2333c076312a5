package alert

import (
	"strconv"
	"strings"
	"time"
)

// layouts are the ways in which products write a time, most frequent first.
// A time without a zone is UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 Z0700",
	"2006-01-02 15:04:05.999999999 Z0700 MST",
	"2006-01-02 15:04:05 MST",
	"2006-01-02T15:04Z07:00",
	"1/2/2006 15:04:05",
	"1/2/2006 3:04:05 PM",
	"Jan _2, 2006 15:04:05",
	time.RFC1123Z,
	time.RFC1123,
	time.UnixDate,
	time.ANSIC,
	"2006.01.02 15:04:05",
	"2006/01/02 15:04:05 MST",
	"2006/01/02 15:04:05",
	time.DateOnly,
}

// parseTime reads what products call a time: text in one of the layouts, or a
// number of seconds, milliseconds, microseconds or nanoseconds since 1970,
// which of them is told by its size. Zero stands for what is written when
// there is none, such as 1970 or the year 1.
func parseTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), true
	case int64:
		return epoch(v)
	case float64:
		if v < 1e11 {
			return set(time.UnixMicro(int64(v * 1e6)))
		}
		return epoch(int64(v))
	case string:
		return parseTimeText(strings.TrimSpace(v))
	}
	return time.Time{}, false
}

func parseTimeText(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return epoch(i)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return parseTime(f)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return set(t)
		}
	}
	return time.Time{}, false
}

// epoch tells the unit of a count since 1970: in seconds it has up to eleven
// digits until the year 5138, and each smaller unit has three more.
func epoch(n int64) (time.Time, bool) {
	switch {
	case n < 1e11:
		return set(time.Unix(n, 0))
	case n < 1e14:
		return set(time.UnixMilli(n))
	case n < 1e17:
		return set(time.UnixMicro(n))
	}
	return set(time.Unix(0, n))
}

// set returns the zero time for what no event bears.
func set(t time.Time) (time.Time, bool) {
	if t = t.UTC(); t.Year() <= 1970 || t.Year() >= 10000 {
		return time.Time{}, true
	}
	return t, true
}
