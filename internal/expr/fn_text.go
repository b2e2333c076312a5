package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

func textFunctions() []function {
	return []function{
		onText("defang", defang),
		onText("refang", refang),
		onText("slug", slug),
		one("truncate", with(tString, tInt), tString, func(a []ref.Val) ref.Val {
			return types.String(truncate(str(a[0]), integer(a[1])))
		}),
		one("mask", with(tString, tInt), tString, func(a []ref.Val) ref.Val {
			return types.String(mask(str(a[0]), integer(a[1])))
		}),
	}
}

var (
	scheme   = regexp.MustCompile(`(?i)\b(ht|f)tp(s?)://`)
	innerDot = regexp.MustCompile(`([\pL\pN_-])\.([\pL\pN])`)
	innerAt  = regexp.MustCompile(`([\pL\pN._+-])@([\pL\pN])`)
)

// defang makes addresses in a text harmless: nothing in it can be clicked.
func defang(s string) string {
	s = scheme.ReplaceAllStringFunc(s, func(m string) string {
		return strings.NewReplacer("t", "x", "T", "X").Replace(m)
	})
	s = innerAt.ReplaceAllString(s, "$1[@]$2")
	// Twice: the letter between two dots belongs to both.
	s = innerDot.ReplaceAllString(s, "$1[.]$2")
	return innerDot.ReplaceAllString(s, "$1[.]$2")
}

var fangs = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)\bhxxp(s?)\b`), "http$1"},
	{regexp.MustCompile(`(?i)\bfxp(s?)\b`), "ftp$1"},
	{regexp.MustCompile(`(?i)\s?[\[({](\.|dot)[\])}]\s?`), "."},
	{regexp.MustCompile(`(?i)\s?[\[({](@|at)[\])}]\s?`), "@"},
	{regexp.MustCompile(`\[(://|:|/)\]`), "$1"},
}

// refang undoes defang, and what other tools do.
func refang(s string) string {
	if !strings.ContainsAny(s, "[({xX") {
		return s
	}
	for _, f := range fangs {
		s = f.re.ReplaceAllString(s, f.with)
	}
	return s
}

// truncate cuts s to at most n characters, the last of them "…" when it cuts.
func truncate(s string, n int64) string {
	if n <= 0 {
		return ""
	}
	if int64(len(s)) <= n || int64(utf8.RuneCountInString(s)) <= n {
		return s
	}
	var count int64
	for i := range s {
		if count++; count == n {
			return s[:i] + "…"
		}
	}
	return s
}

// mask hides all but the last characters; a text that short is hidden whole.
func mask(s string, keep int64) string {
	total := int64(utf8.RuneCountInString(s))
	if keep < 0 || keep >= total {
		keep = 0
	}
	hide := total - keep
	for i := range s {
		if hide == 0 {
			return strings.Repeat("*", int(total-keep)) + s[i:]
		}
		hide--
	}
	return strings.Repeat("*", int(total))
}

// slug makes a name of a text: a-z, 0-9 and single dashes, at most 63.
func slug(s string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(s) {
		plain := plainLetters(r)
		if plain == "" {
			dash = b.Len() > 0
			continue
		}
		if dash {
			plain, dash = "-"+plain, false
		}
		if b.Len()+len(plain) > 63 {
			break
		}
		b.WriteString(plain)
	}
	return b.String()
}

// plainLetters returns the letters a-z and digits for r, or "".
func plainLetters(r rune) string {
	if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
		return string(r)
	}
	return accents[r]
}

// accents are the Latin letters outside of a-z, as they are usually spelt
// without marks. Read only.
var accents = func() map[rune]string {
	m := map[rune]string{}
	for plain, accented := range map[string]string{
		"a": "àáâãåāăą", "ae": "æä", "c": "çćĉċč", "d": "ďđð", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ",
		"i": "ìíîïĩīĭįı", "j": "ĵ", "k": "ķĸ", "l": "ĺļľŀł", "n": "ñńņňŉŋ", "o": "òóôõøōŏő", "oe": "œö",
		"r": "ŕŗř", "s": "śŝşš", "ss": "ß", "t": "ţťŧ", "th": "þ", "u": "ùúûũūŭůűų", "ue": "ü", "w": "ŵ",
		"y": "ýÿŷ", "z": "źżž",
	} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()
