package ask

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	long = 36500 * day // a hundred years: far below what a time.Duration holds
)

// A Duration is a length of time that stands in JSON as people write it: "90s",
// "15m", "1h30m", "7d". A day has 24 hours.
type Duration time.Duration

// String returns the shortest exact text in days, hours, minutes and seconds.
func (d Duration) String() string {
	t, days := time.Duration(d), ""
	if t >= day {
		days = strconv.FormatInt(int64(t/day), 10) + "d"
		if t %= day; t == 0 {
			return days
		}
	}
	text := t.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return days + text
}

// MarshalText encodes the text of String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads weeks and days ("2w", "1d12h") and what Go reads, up to
// a hundred years and never below zero.
func (d *Duration) UnmarshalText(b []byte) error {
	bad := fmt.Errorf("%q is not a length of time such as 15m, 2h or 7d", b)
	rest, sum := string(b), time.Duration(0)
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		if number, after, ok := strings.Cut(rest, unit.name); ok {
			n, err := strconv.ParseUint(number, 10, 12)
			if err != nil {
				return bad
			}
			sum, rest = sum+time.Duration(n)*unit.is, after
		}
	}
	if rest != "" || len(b) == 0 {
		part, err := time.ParseDuration(rest)
		if err != nil || part < 0 || part > long {
			return bad
		}
		sum += part
	}
	if sum > long {
		return bad
	}
	*d = Duration(sum)
	return nil
}
