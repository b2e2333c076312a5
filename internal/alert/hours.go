package alert

import (
	"fmt"
	"strings"
	"time"
)

// Hours are the business hours of a team: the same hours on some days of the
// week, by the clock on the wall of a time zone. It never changes.
type Hours struct {
	zone     *time.Location
	days     [7]bool // by time.Weekday
	from, to int     // minutes since midnight
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

func newHours(s HoursSpec) (*Hours, error) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "" || s.Zone == "Local" {
		return nil, fmt.Errorf("there is no time zone %q", s.Zone)
	}
	h := &Hours{zone: zone}
	days := s.Days
	if len(days) == 0 {
		days = []string{"mon", "tue", "wed", "thu", "fri"}
	}
	for _, name := range days {
		d, ok := weekdays[strings.ToLower(name)]
		if !ok {
			return nil, fmt.Errorf("there is no day %q", name)
		}
		h.days[d] = true
	}
	if h.from, err = minutes(s.From); err != nil {
		return nil, err
	}
	if h.to, err = minutes(s.To); err != nil {
		return nil, err
	}
	if h.to <= h.from {
		return nil, fmt.Errorf("the day ends at %s, before it begins at %s", s.To, s.From)
	}
	return h, nil
}

// minutes reads 09:00 or 24:00.
func minutes(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// maxDays bounds the walk; no objective is longer than a few weeks.
const maxDays = 3660

// Add returns the moment at which d of business time has passed since t. A
// moment outside the hours counts from the next opening.
func (h *Hours) Add(t time.Time, d time.Duration) time.Time {
	t = t.In(h.zone)
	for range maxDays {
		open, end := h.day(t)
		if t.Before(open) {
			t = open
		}
		if h.days[t.Weekday()] && t.Before(end) {
			if left := end.Sub(t); d <= left {
				return t.Add(d).UTC()
			}
			d -= end.Sub(t)
		}
		y, m, day := t.Date()
		t = time.Date(y, m, day+1, 0, 0, 0, 0, h.zone)
	}
	return t.UTC()
}

// day returns when the day of t opens and ends.
func (h *Hours) day(t time.Time) (open, end time.Time) {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, h.from, 0, 0, h.zone), time.Date(y, m, d, 0, h.to, 0, 0, h.zone)
}
