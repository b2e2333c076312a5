package playbook

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestNextFire: the times at which a schedule fires, one after the other.
func TestNextFire(t *testing.T) {
	for _, tt := range []struct {
		schedule, zone, after string
		want                  string // minutes, in the zone
	}{
		{"*/15 * * * *", "UTC", "2026-01-01 00:07", "01-01 00:15, 01-01 00:30, 01-01 00:45, 01-01 01:00"},
		{"0 8 * * 1-5", "UTC", "2026-11-20 09:00", "11-23 08:00, 11-24 08:00"}, // a Friday
		{"0 8 * * mon-fri", "UTC", "2026-11-20 08:00", "11-23 08:00"},
		{"30 6 1,15 * *", "UTC", "2026-02-01 06:30", "02-15 06:30, 03-01 06:30"},
		{"0 0 1 * mon", "UTC", "2026-06-01 00:00", "06-08 00:00, 06-15 00:00, 06-22 00:00, 06-29 00:00, 07-01 00:00"}, // either day
		{"0 0 29 2 *", "UTC", "2026-01-01 00:00", "02-29 00:00, 02-29 00:00"},
		{"0 0 29 feb *", "UTC", "2096-03-01 00:00", "02-29 00:00"}, // 2100 has none
		{"0 0 31 * *", "UTC", "2026-01-31 00:00", "03-31 00:00, 05-31 00:00"},
		{"5-10/5 1 * jan-mar/2 *", "UTC", "2026-01-31 01:05", "01-31 01:10, 03-01 01:05"},
		{"10/20 0 * * *", "UTC", "2026-01-01 00:00", "01-01 00:10, 01-01 00:30, 01-01 00:50, 01-02 00:10"},
		{"0 0 * * 7", "UTC", "2026-01-01 00:00", "01-04 00:00, 01-11 00:00"},
		{"0 0 * * fri-sun", "UTC", "2026-01-01 00:00", "01-02 00:00, 01-03 00:00, 01-04 00:00, 01-09 00:00"},
		{"@hourly", "UTC", "2026-01-01 00:00", "01-01 01:00"},
		{"@daily", "Europe/Paris", "2026-01-01 00:00", "01-02 00:00"},
		{"@weekly", "UTC", "2026-01-01 00:00", "01-04 00:00"},
		{"@monthly", "UTC", "2026-01-01 00:00", "02-01 00:00"},
		{"@yearly", "UTC", "2026-01-01 00:00", "01-01 00:00"},

		// In Paris the hour from 02:00 is missing on 2026-03-29 ...
		{"30 2 * * *", "Europe/Paris", "2026-03-28 00:00", "03-28 02:30, 03-29 03:00, 03-30 02:30"},
		{"0,30 2 * * *", "Europe/Paris", "2026-03-28 12:00", "03-29 03:00, 03-30 02:00, 03-30 02:30"},
		{"30 2,3 * * *", "Europe/Paris", "2026-03-28 12:00", "03-29 03:00, 03-29 03:30, 03-30 02:30"},
		{"*/30 * * * *", "Europe/Paris", "2026-03-29 01:30", "03-29 03:00, 03-29 03:30, 03-29 04:00"},
		// ... and comes twice on 2026-10-25.
		{"30 2 * * *", "Europe/Paris", "2026-10-24 12:00", "10-25 02:30, 10-26 02:30"},
		{"0 2,3 * * *", "Europe/Paris", "2026-10-24 12:00", "10-25 02:00, 10-25 03:00"},
		{"*/30 * * * *", "Europe/Paris", "2026-10-25 01:30", "10-25 02:00, 10-25 02:30, 10-25 02:00, 10-25 02:30, 10-25 03:00"},
		// Half an hour is missing on Lord Howe, and midnight in Santiago.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "10-04 02:30, 10-05 02:15"},
		{"0 0 * * *", "America/Santiago", "2026-09-05 12:00", "09-06 01:00, 09-07 00:00"},
		{"30 23 * * *", "America/Santiago", "2026-04-03 23:30", "04-04 23:30, 04-05 23:30"},
		// A whole day is missing on Samoa.
		{"0 9 * * *", "Pacific/Apia", "2011-12-29 09:00", "12-31 00:00, 12-31 09:00"},
	} {
		t.Run(tt.schedule+" "+tt.zone+" "+tt.after, func(t *testing.T) {
			z := zone(t, tt.zone)
			at, err := time.ParseInLocation("2006-01-02 15:04", tt.after, z)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range strings.SplitSeq(tt.want, ", ") {
				next, err := NextFire(tt.schedule, z, at)
				if err != nil {
					t.Fatal(err)
				}
				if !next.After(at) {
					t.Fatalf("%s comes not after %s", next, at)
				}
				at = next
				got = append(got, at.In(z).Format("01-02 15:04"))
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestNextFireRefuses(t *testing.T) {
	for _, tt := range []struct{ schedule, want string }{
		{"", `the schedule "" has 0 fields (five fields: minute hour day month weekday, for example "0 8 * * mon-fri")`},
		{"* * * *", `the schedule "* * * *" has 4 fields (five fields: minute hour day month weekday, for example "0 8 * * mon-fri")`},
		{"60 * * * *", `"60" is not a minute of a schedule (use * or 0 to 59)`},
		{"* 24 * * *", `"24" is not a hour of a schedule (use * or 0 to 23)`},
		{"* * 0 * *", `"0" is not a day of the month of a schedule (use * or 1 to 31)`},
		{"* * * foo *", `"foo" is not a month of a schedule (use * or 1 to 12)`},
		{"* * * * 8", `"8" is not a day of the week of a schedule (use * or 0 to 7)`},
		{"*/0 * * * *", `"*/0" is not a minute of a schedule (the step after / is a number from 1 to 59)`},
		{"9-5 * * * *", `"9-5" is not a minute of a schedule (a range goes from the smaller to the larger)`},
		{"1,,2 * * * *", `"" is not a minute of a schedule (use * or 0 to 59)`},
		{"+1 * * * *", `"+1" is not a minute of a schedule (use * or 0 to 59)`},
		{"0 0 30 2 *", `the schedule "0 0 30 2 *" never fires: no month of it has such a day`},
		{"@reboot", `the schedule "@reboot" has 1 fields (five fields: minute hour day month weekday, for example "0 8 * * mon-fri")`},
	} {
		if _, err := NextFire(tt.schedule, time.UTC, start); err == nil || err.Error() != tt.want {
			t.Errorf("NextFire(%q): %v, want %s", tt.schedule, err, tt.want)
		}
	}
}

// FuzzNextFire compares with a naive twin that walks minute by minute, where
// no clock is changed.
func FuzzNextFire(f *testing.F) {
	for _, s := range []string{"*/7 3-9/2 * * *", "0 0 29 2 *", "1,2,59 * 1-7 jan,jun mon", "@weekly", "5 4 31 * 0-7/3", "* * * * sat-sun"} {
		f.Add(s, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, schedule string, unix int64) {
		after := time.Unix(unix%8_000_000_000, 0).UTC()
		next, err := NextFire(schedule, time.UTC, after)
		if err != nil {
			return
		}
		c, err := parseCron(schedule)
		if err != nil {
			t.Fatal(err)
		}
		fires := func(at time.Time) bool {
			return c.onDay(at) && c.hour&(1<<at.Hour()) != 0 && c.minute&(1<<at.Minute()) != 0
		}
		if !next.After(after) || !fires(next) || next.Second() != 0 {
			t.Fatalf("%q after %s gives %s", schedule, after, next)
		}
		twin := after.Truncate(time.Minute).Add(time.Minute)
		for range 3 * 24 * 60 {
			if fires(twin) {
				if !twin.Equal(next) {
					t.Fatalf("%q after %s gives %s, want %s", schedule, after, next, twin)
				}
				return
			}
			twin = twin.Add(time.Minute)
		}
		if next.Before(twin) {
			t.Fatalf("%q after %s gives %s, which does not fire", schedule, after, next)
		}
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		if local := c.next(paris, after); !local.After(after) {
			t.Fatalf("%q after %s gives %s in Paris", schedule, after, local)
		}
	})
}
