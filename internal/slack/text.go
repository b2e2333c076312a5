package slack

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "…"

// units is how long Slack counts a text: in UTF-16 code units, the larger of
// the counts in use.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// shown returns s as text that Slack shows as it is: the three characters of
// its markup escaped (docs.slack.dev, "Formatting message text"), URLs
// defanged, and what cannot be seen but changes what is seen spelled out. It
// is cut to max units, never inside an escape.
func shown(s string, maxUnits int) string {
	var b strings.Builder
	s, cut := head(s, 2*maxUnits+16) // more than can be shown
	n, cutAt := 0, 0
	for _, r := range defang(strings.ToValidUTF8(s, "\uFFFD")) {
		e := escapeRune(r)
		l := units(e)
		if n+l > maxUnits {
			cut = true
			break
		}
		b.WriteString(e)
		if n += l; n <= maxUnits-1 {
			cutAt = b.Len()
		}
	}
	if !cut {
		return b.String()
	}
	return b.String()[:cutAt] + ellipsis
}

// head returns the first n runes of s, and whether there are more.
func head(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i], true
		}
	}
	return s, false
}

func escapeRune(r rune) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\n' || r == '\t':
		return string(r)
	case r == '\r':
		return ""
	case unicode.Is(unicode.Bidi_Control, r):
		return fmt.Sprintf("[U+%04X]", r)
	case unicode.IsControl(r):
		return "\uFFFD"
	}
	return string(r)
}

var (
	schemeURL = regexp.MustCompile(`(?i)\b(h)tt(ps?)(://)([^\s/?#<>|]*)`)
	ftpURL    = regexp.MustCompile(`(?i)\b(f)tp(s?)(://)([^\s/?#<>|]*)`)
	wwwURL    = regexp.MustCompile(`(?i)\bwww\.`)
)

// defang makes URLs in s readable but not followable: hxxps://evil[.]example.
func defang(s string) string {
	dots := func(re *regexp.Regexp, instead string) {
		s = re.ReplaceAllStringFunc(s, func(m string) string {
			p := re.FindStringSubmatch(m)
			return p[1] + instead + p[2] + p[3] + strings.ReplaceAll(p[4], ".", "[.]")
		})
	}
	if strings.Contains(s, "://") {
		dots(schemeURL, "xx")
		dots(ftpURL, "xp")
	}
	return wwwURL.ReplaceAllString(s, "www[.]")
}

// bold returns s in bold, whatever it holds.
func bold(s string, maxUnits int) string {
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "*", "\u2217")), " ")
	if s == "" {
		return ""
	}
	return "*" + shown(s, maxUnits-2) + "*"
}

// split cuts s at line ends or spaces into at most parts texts of max units
// each, as shown; left is how many characters did not fit.
func split(s string, maxUnits, parts int) (texts []string, left int) {
	s = defang(strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))) // twice is as once
	for len(texts) < parts && s != "" {
		n := prefix(s, maxUnits)
		if n < len(s) {
			if i := strings.LastIndexAny(s[:n], "\n "); i > n/2 {
				n = i + 1
			}
		}
		if t := strings.TrimRight(s[:n], " \n"); t != "" {
			texts = append(texts, shown(t, maxUnits))
		}
		s = strings.TrimLeft(s[n:], "\n")
	}
	return texts, utf8.RuneCountInString(s)
}

// prefix returns how many bytes of s fit in max units when shown.
func prefix(s string, maxUnits int) int {
	n := 0
	for i, r := range s {
		if n += units(escapeRune(r)); n > maxUnits {
			return i
		}
	}
	return len(s)
}

// link returns Slack's markup for a link of ours, or the label alone when the
// URL is not one that a browser should follow.
func link(l Link) string {
	label := strings.ReplaceAll(shown(l.Label, 100), "|", "\u2223")
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || len(l.URL) > 2000 {
		return label
	}
	if strings.ContainsFunc(l.URL, func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>|`\"", r) }) {
		return label
	}
	return "<" + strings.ReplaceAll(l.URL, "&", "&amp;") + "|" + label + ">"
}

var userID = regexp.MustCompile(`^[UW][A-Z0-9]{1,30}$`)

// mention returns the markup that notifies a user, or "" if id is not one.
func mention(id string) string {
	if !userID.MatchString(id) {
		return ""
	}
	return "<@" + id + ">"
}
