package connector

import (
	"strconv"
	"strings"
	"time"
)

// longestWait bounds what another system can make us wait.
const longestWait = 24 * time.Hour

// RetryAfter returns how long the answer asks to wait, 0 when it does not say.
// header returns a field by its name in lower case, "" when it is missing.
//
// It reads Retry-After as seconds or as a date (RFC 9110 section 10.2.3), and
// on an exhausted limit the reset of GitHub and GitLab (x-ratelimit-reset), of
// Okta (x-rate-limit-reset) and of the IETF draft that PagerDuty follows
// (ratelimit-reset): a moment in seconds or milliseconds since 1970, or the
// seconds left.
func RetryAfter(status int, header func(string) string, now time.Time) time.Duration {
	if v := strings.TrimSpace(header("retry-after")); v != "" {
		return bounded(retryAfter(v, now))
	}
	for _, kind := range []string{"x-ratelimit-", "x-rate-limit-", "ratelimit-"} {
		if v := header(kind + "reset"); v != "" && (status == 429 || header(kind+"remaining") == "0") {
			return bounded(reset(v, now))
		}
	}
	return 0
}

func bounded(d time.Duration) time.Duration { return max(0, min(d, longestWait)) }

func retryAfter(v string, now time.Time) time.Duration {
	if d, ok := seconds(v); ok {
		return d
	}
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.Sub(now)
		}
	}
	return 0
}

// reset reads a moment or the seconds left.
func reset(v string, now time.Time) time.Duration {
	d, ok := seconds(v)
	switch {
	case !ok:
		return 0
	case d > 1e9*time.Second: // since 1970: no limit lasts 30 years
		return time.Unix(0, 0).Add(d).Sub(now)
	default:
		return d
	}
}

// seconds reads a decimal number of seconds, as whole as they come.
func seconds(v string) (time.Duration, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || f < 0 || f != f {
		return 0, false
	}
	if f > 1e11 { // milliseconds since 1970
		f /= 1000
	}
	return time.Duration(min(f, 9e9) * float64(time.Second)), true
}
