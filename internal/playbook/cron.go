package playbook

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/errs"
)

// A cron is a schedule of five fields, as in crontab(5): minute, hour, day of
// the month, month, day of the week. Each is a set of bits.
type cron struct {
	minute, hour, day, month, weekday uint64
	everyHour                         bool // every hour is meant: real time, not what the clock shows
	anyDay, anyWeekday                bool // the field is *: the other one alone decides
}

// field is one of the five: its range, and the names that its numbers have.
type field struct {
	name     string
	min, max int
	names    []string // of min, min+1, …
}

var fields = [5]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var macros = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// NextFire returns the first time strictly after the given one at which a
// schedule fires in a time zone: minute, hour, day of the month, month and day
// of the week, each with lists, ranges, steps and names ("*/15 8-18 * * mon-fri"),
// or @hourly, @daily, @weekly, @monthly, @yearly. When both days are restricted
// either of them fires.
//
// When clocks go forward, what was due in the hour that is missing fires once,
// right after it. When they go back, what is due in the hour that comes twice
// fires in the first one only; but a schedule whose hour is * means real time
// and fires in both.
func NextFire(schedule string, zone *time.Location, after time.Time) (time.Time, error) {
	c, err := parseCron(schedule)
	if err != nil {
		return time.Time{}, err
	}
	return c.next(zone, after), nil
}

func parseCron(s string) (cron, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if m, ok := macros[text]; ok {
		text = m
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return cron{}, errs.Hint(errs.Invalid, `five fields: minute hour day month weekday, for example "0 8 * * mon-fri"`,
			"the schedule %q has %d fields", clip(s), len(parts))
	}
	var sets [5]uint64
	for i, f := range fields {
		set, err := f.parse(parts[i])
		if err != nil {
			return cron{}, err
		}
		sets[i] = set
	}
	if sets[4]&(1<<7) != 0 { // 7 is Sunday too
		sets[4] |= 1
	}
	c := cron{
		minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4],
		everyHour: sets[1] == 1<<24-1, anyDay: parts[2] == "*", anyWeekday: parts[4] == "*",
	}
	if !c.possible() {
		return cron{}, errs.E(errs.Invalid, "the schedule %q never fires: no month of it has such a day", clip(s))
	}
	return c, nil
}

// possible reports whether any month of the schedule has a day of it.
func (c cron) possible() bool {
	if !c.anyWeekday {
		return true
	}
	days := [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for m, n := range days {
		if c.month&(1<<(m+1)) != 0 && bits.TrailingZeros64(c.day) <= n {
			return true
		}
	}
	return false
}

// parse reads one field: a list of *, n, a-b, each with an optional /step.
func (f field) parse(s string) (uint64, error) {
	var set uint64
	for item := range strings.SplitSeq(s, ",") {
		span, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 || n > f.max {
				return 0, f.wrong(item, "the step after / is a number from 1 to %d", f.max)
			}
			by = n
		}
		lo, hi := f.min, f.max
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			var ok bool
			if lo, ok = f.number(from); !ok {
				return 0, f.wrong(item, "use * or %d to %d", f.min, f.max)
			}
			switch {
			case ranged:
				if hi, ok = f.number(to); !ok {
					return 0, f.wrong(item, "use * or %d to %d", f.min, f.max)
				}
			case !stepped:
				hi = lo
			}
		}
		if f.max == 7 && lo > hi && hi == 0 { // fri-sun
			hi = 7
		}
		if lo > hi {
			return 0, f.wrong(item, "a range goes from the smaller to the larger")
		}
		for n := lo; n <= hi; n += by {
			set |= 1 << n
		}
	}
	return set, nil
}

func (f field) wrong(item, hint string, args ...any) error {
	return errs.Hint(errs.Invalid, fmt.Sprintf(hint, args...), "%q is not a %s of a schedule", clip(item), f.name)
}

func (f field) number(s string) (int, bool) {
	for i, name := range f.names {
		if s == name {
			return f.min + i, true
		}
	}
	if len(s) == 0 || len(s) > 2 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && f.min <= n && n <= f.max
}

// next walks the days from that of after, and in each the hours and minutes
// as a clock on the wall shows them.
func (c cron) next(zone *time.Location, after time.Time) time.Time {
	y, m, d := after.In(zone).Date()
	// No more than eight years lie between two 29ths of February. The day
	// before counts too: what was due in a missing hour fires later.
	for i := -1; i < 9*366; i++ {
		day := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		if !c.onDay(day) {
			continue
		}
		if t, ok := c.inDay(zone, day, after); ok {
			return t
		}
	}
	panic("internal error: schedule without a next time")
}

func (c cron) onDay(day time.Time) bool {
	if c.month&(1<<day.Month()) == 0 {
		return false
	}
	dom, dow := c.day&(1<<day.Day()) != 0, c.weekday&(1<<day.Weekday()) != 0
	switch {
	case c.anyDay:
		return dow
	case c.anyWeekday:
		return dom
	}
	return dom || dow
}

// inDay returns the first time of a day after the given one. The day is in
// UTC and stands for its wall clock.
func (c cron) inDay(zone *time.Location, day, after time.Time) (time.Time, bool) {
	var repeat time.Time // earliest second showing of a wall time
	for h := range 24 {
		if c.hour&(1<<h) == 0 {
			continue
		}
		last := instants(zone, day.Add(time.Duration(h)*time.Hour+59*time.Minute))
		if !last[1].After(after) {
			continue
		}
		for m := range 60 {
			if c.minute&(1<<m) == 0 {
				continue
			}
			t := instants(zone, day.Add(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute))
			if t[0].After(after) {
				if !repeat.IsZero() && repeat.Before(t[0]) {
					return repeat, true
				}
				return t[0], true
			}
			if c.everyHour && repeat.IsZero() && t[1].After(after) {
				repeat = t[1]
			}
		}
	}
	return repeat, !repeat.IsZero()
}

// instants returns the first and the last instant at which clocks of a zone
// show a wall time, which is given as if in UTC. They differ when clocks went
// back. When no clock shows it, both are the end of the gap.
func instants(zone *time.Location, wall time.Time) [2]time.Time {
	near := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, zone)
	start, end := near.ZoneBounds()
	_, off := near.Zone()
	before, next := off, off
	if !start.IsZero() {
		_, before = start.Add(-time.Second).Zone()
	}
	if !end.IsZero() {
		_, next = end.Zone()
	}
	var first, last time.Time
	for _, offset := range [...]int{before, off, next} {
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, o := t.Zone(); o != offset {
			continue
		}
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if last.IsZero() || t.After(last) {
			last = t
		}
	}
	switch {
	case !first.IsZero():
		return [2]time.Time{first, last}
	case next > off && !wall.Before(end.UTC().Add(time.Duration(off)*time.Second)):
		return [2]time.Time{end, end}
	default:
		return [2]time.Time{start, start}
	}
}
