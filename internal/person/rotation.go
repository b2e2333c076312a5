package person

import (
	"slices"
	"time"
)

const day = 24 * time.Hour

// from returns the members in the order in which they are called at a time:
// from the one whose turn it is.
func (o OnCall) from(at time.Time) []string {
	if o.Every <= 0 || len(o.Members) == 0 {
		return o.Members
	}
	n := int64(len(o.Members))
	first := ((o.turn(at) % n) + n) % n
	return slices.Concat(o.Members[first:], o.Members[:first])
}

// turn returns how many turns began since the first, at or before a time;
// before the first it is negative. Turns of whole days change at the same hour
// of the wall clock all year, whatever the clock does in spring and autumn.
func (o OnCall) turn(at time.Time) int64 {
	n := int64(at.Sub(o.Start) / o.Every) // near enough to begin with
	for o.begin(n).After(at) {
		n--
	}
	for !o.begin(n + 1).After(at) {
		n++
	}
	return n
}

// begin returns when the nth turn begins.
func (o OnCall) begin(n int64) time.Time {
	if o.Every%day == 0 {
		return o.Start.AddDate(0, 0, int(n)*int(o.Every/day))
	}
	return o.Start.Add(time.Duration(n) * o.Every)
}
