package connector

import (
	"testing"
	"time"
)

// FuzzRetryAfter: whatever the other side says, the wait is bounded.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"30", "-1", "1e309", "Sun, 22 Nov 2026 08:16:00 GMT", "1795335390", "1795335390000", "NaN", "0x10", ""} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, v string) {
		for _, name := range []string{"retry-after", "x-ratelimit-reset"} {
			d := RetryAfter(429, func(k string) string { return map[string]string{name: v}[k] }, now)
			if d < 0 || d > longestWait {
				t.Errorf("%s: %q is %v", name, v, d)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC) // 1795335330
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		want   time.Duration
	}{
		{"nothing said", 503, nil, 0},
		{"seconds, as Slack says it", 429, map[string]string{"retry-after": "30"}, 30 * time.Second},
		{"fractions", 429, map[string]string{"retry-after": " 1.5 "}, 1500 * time.Millisecond},
		{"IMF date", 503, map[string]string{"retry-after": "Sun, 22 Nov 2026 08:16:00 GMT"}, 30 * time.Second},
		{"RFC 850 date", 503, map[string]string{"retry-after": "Sunday, 22-Nov-26 08:16:00 GMT"}, 30 * time.Second},
		{"asctime date", 503, map[string]string{"retry-after": "Sun Nov 22 08:16:00 2026"}, 30 * time.Second},
		{"a date that has passed", 503, map[string]string{"retry-after": "Sun, 22 Nov 2026 08:00:00 GMT"}, 0},
		{"nonsense", 503, map[string]string{"retry-after": "soon"}, 0},
		{"negative", 503, map[string]string{"retry-after": "-5"}, 0},
		{"not a number", 503, map[string]string{"retry-after": "NaN"}, 0},
		{"for ever is a day", 503, map[string]string{"retry-after": "1e300"}, 24 * time.Hour},
		{"GitHub, limit exhausted", 403, map[string]string{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795335390"}, time.Minute},
		{"GitHub, another 403", 403, map[string]string{"x-ratelimit-remaining": "17", "x-ratelimit-reset": "1795335390"}, 0},
		{"GitHub, an answer that succeeded", 200, map[string]string{"x-ratelimit-remaining": "4999", "x-ratelimit-reset": "1795335390"}, 0},
		{"Retry-After goes first", 403, map[string]string{"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795335390"}, 5 * time.Second},
		{"Okta", 429, map[string]string{"x-rate-limit-limit": "600", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "1795335350"}, 20 * time.Second},
		{"PagerDuty, seconds left", 429, map[string]string{"ratelimit-remaining": "0", "ratelimit-reset": "23"}, 23 * time.Second},
		{"milliseconds since 1970", 429, map[string]string{"x-ratelimit-reset": "1795335332500"}, 2500 * time.Millisecond},
		{"a reset that has passed", 429, map[string]string{"x-ratelimit-reset": "1795335000"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := RetryAfter(tt.status, func(k string) string { return tt.header[k] }, now)
			if got.Round(time.Microsecond) != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
