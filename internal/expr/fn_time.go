package expr

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

func timeFunctions() []function {
	parse := func(a []ref.Val) ref.Val { return moment(parseTime(str(a[0]))) }
	return []function{
		{"parse_time", []overload{
			{"parse_time_string", false, with(tString), tTime, parse},
			{"parse_time_int", false, with(tInt), tTime, func(a []ref.Val) ref.Val {
				return moment(epoch(integer(a[0])))
			}},
			{"parse_time_double", false, with(tDouble), tTime, func(a []ref.Val) ref.Val {
				f, _ := a[0].(types.Double)
				return moment(epochFloat(float64(f)))
			}},
			{"parse_time_timestamp", false, with(tTime), tTime, func(a []ref.Val) ref.Val { return a[0] }},
			{"parse_time_string_timestamp", false, with(tString, tTime), tTime, func(a []ref.Val) ref.Val {
				return moment(parseTimeNear(str(a[0]), instant(a[1])))
			}},
		}},
		one("format_time", with(tTime, tString), tString, func(a []ref.Val) ref.Val {
			s, err := strftime(instant(a[0]), str(a[1]))
			if err != nil {
				return types.WrapErr(err)
			}
			return types.String(s)
		}),
		one("epoch_ms", with(tTime), tInt, func(a []ref.Val) ref.Val {
			return types.Int(instant(a[0]).UnixMilli())
		}),
	}
}

// guardedTime replaces CEL's forms: durations know days and weeks, and
// errors are not shared between evaluations.
func guardedTime() []function {
	return []function{
		{"duration", []overload{{"string_to_duration", false, with(tString), cel.DurationType, func(a []ref.Val) ref.Val {
			d, err := parseDuration(str(a[0]))
			if err != nil {
				return types.WrapErr(err)
			}
			return types.Duration{Duration: d}
		}}}},
		{"timestamp", []overload{
			{"int64_to_timestamp", false, with(tInt), tTime, func(a []ref.Val) ref.Val {
				return moment(inRange(time.Unix(integer(a[0]), 0)))
			}},
			{"string_to_timestamp", false, with(tString), tTime, func(a []ref.Val) ref.Val {
				t, err := time.Parse(time.RFC3339Nano, str(a[0]))
				if err != nil {
					return fail("timestamp() reads RFC 3339 only, such as 2026-01-31T23:59:59Z; parse_time() reads other forms")
				}
				return moment(inRange(t))
			}},
		}},
	}
}

func instant(v ref.Val) time.Time {
	t, _ := v.(types.Timestamp)
	return t.Time
}

func moment(t time.Time, err error) ref.Val {
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Timestamp{Time: t.UTC()}
}

var errTimeRange = errors.New("the time is outside of the years 1 to 9999")

func inRange(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}, errTimeRange
	}
	return t, nil
}

// epoch tells seconds, milli-, micro- and nanoseconds apart by their size:
// seconds up to the year 5138, milliseconds from 1973 on.
func epoch(n int64) (time.Time, error) {
	switch a := max(n, -n); {
	case a < 0: // the smallest integer has no opposite
		return time.Time{}, errTimeRange
	case a < 1e11:
		return inRange(time.Unix(n, 0))
	case a < 1e14:
		return inRange(time.UnixMilli(n))
	case a < 1e17:
		return inRange(time.UnixMicro(n))
	default:
		return inRange(time.Unix(0, n))
	}
}

func epochFloat(f float64) (time.Time, error) {
	if math.IsNaN(f) || math.Abs(f) >= math.MaxInt64 {
		return time.Time{}, errTimeRange
	}
	if math.Abs(f) < 1e11 {
		s, frac := math.Modf(f)
		return inRange(time.Unix(int64(s), int64(math.Round(frac*1e6))*1e3))
	}
	return epoch(int64(math.Round(f)))
}

// timeLayouts are tried in turn. Fractions of a second are read after the
// seconds of any of them, a comma or a dot before. Without a zone it is UTC.
var timeLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05 MST",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02",
	"2006/01/02 15:04:05",
	"20060102T150405Z07:00",
	"20060102150405Z07:00",
	"02/Jan/2006:15:04:05 -0700",      // Apache access log
	"Mon Jan _2 15:04:05 2006",        // Apache error log, ANSI C
	"Mon Jan _2 15:04:05 MST 2006",    // date(1)
	"Mon, _2 Jan 2006 15:04:05 -0700", // RFC 5322
	"Mon, _2 Jan 2006 15:04:05 MST",   // RFC 9110
	"_2 Jan 2006 15:04:05 -0700",
	"Jan _2 2006 15:04:05", // Cisco
	"Jan _2 2006 15:04:05 MST",
	"Jan _2, 2006 3:04:05 PM",
	"1/2/2006 3:04:05 PM", // Microsoft, United States
}

func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, ok := parseStamp(s); ok {
		return t, nil
	}
	if t, ok := parseDigits(s); ok {
		return t, nil
	}
	if _, err := time.Parse("Jan _2 15:04:05", s); err == nil {
		return time.Time{}, errors.New("the time has no year; write parse_time(text, now) to take the latest such day")
	}
	return time.Time{}, errors.New("the text is not a time in a form that parse_time() reads")
}

func parseStamp(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02") || len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		// Abbreviations of zones mean different things in different places.
		if strings.Contains(layout, "MST") && !strings.Contains(s, "UTC") && !strings.Contains(s, "GMT") {
			continue
		}
		if t, err := time.Parse(layout, s); err == nil {
			t, err = inRange(t)
			return t, err == nil
		}
	}
	return time.Time{}, false
}

// parseDigits reads epochs as text, 20060102150405, and /Date(1647958913225)/.
func parseDigits(s string) (time.Time, bool) {
	if len(s) == len("20060102150405") && (s[0] == '1' || s[0] == '2') {
		if t, err := time.Parse("20060102150405", s); err == nil {
			return t, true
		}
	}
	if d, ok := strings.CutPrefix(s, "/Date("); ok {
		s, _ = strings.CutSuffix(d, ")/")
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		t, err := epoch(n)
		return t, err == nil
	}
	if strings.Trim(s, "-0123456789.") == "" {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			t, err := epochFloat(f)
			return t, err == nil
		}
	}
	return time.Time{}, false
}

// parseTimeNear also reads the time of RFC 3164, which has no year: it is the
// latest one that is not more than a day after now.
func parseTimeNear(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	for back := range 8 { // 29 February may be seven years ago
		year := strconv.Itoa(now.Year() + 1 - back)
		t, err := time.Parse("2006 Jan _2 15:04:05", year+" "+s)
		if err == nil && !t.After(now.Add(24*time.Hour)) {
			return inRange(t)
		}
	}
	return parseTime(s)
}

// parseDuration reads what Go reads, and days and weeks: 7d, 1w2d12h.
func parseDuration(s string) (time.Duration, error) {
	bad := errors.New(`a duration is written like "90s", "15m", "2h30m", "7d" or "2w"`)
	rest, sign := s, time.Duration(1)
	if r, ok := strings.CutPrefix(rest, "-"); ok {
		rest, sign = r, -1
	}
	var sum time.Duration
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, r, ok := strings.Cut(rest, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil || n > uint64(math.MaxInt64/u.unit)/4 {
			return 0, bad
		}
		sum, rest = sum+time.Duration(n)*u.unit, r
		if rest == "" {
			return sign * sum, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") || d > math.MaxInt64/2 {
		return 0, bad
	}
	return sign * (sum + d), nil
}

// strftime writes t in UTC. A layout of Go's kind is taken too.
func strftime(t time.Time, layout string) (string, error) {
	t = t.UTC()
	if !strings.Contains(layout, "%") {
		for _, sign := range []string{"2006", "15:04", "Jan", "01", "02"} {
			if strings.Contains(layout, sign) {
				return t.Format(layout), nil
			}
		}
		return "", errors.New(`the layout has no directive; write one like "%Y-%m-%d %H:%M:%S"`)
	}
	var b strings.Builder
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' || i+1 == len(layout) {
			b.WriteByte(layout[i])
			continue
		}
		i++
		s, ok := directive(t, layout[i])
		if !ok {
			return "", errors.New("the layout has the unknown directive %" + string(layout[i]))
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func directive(t time.Time, c byte) (string, bool) {
	switch c {
	case '%':
		return "%", true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'j':
		return t.Format("002"), true
	}
	layout, ok := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
		'f': "000000", 'L': "000", 'p': "PM", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January",
		'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04",
	}[c]
	if !ok {
		return "", false
	}
	if c == 'f' || c == 'L' { // Go writes fractions only after a dot
		return t.Format("." + layout)[1:], true
	}
	return t.Format(layout), true
}
