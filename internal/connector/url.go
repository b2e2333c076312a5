package connector

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// parseURL reads an absolute http or https URL and refuses whatever two
// readers may understand differently (RFC 3986 section 7.6).
func parseURL(s string) (*url.URL, *Failure) {
	if f := plainText("the URL", s); f != nil {
		return nil, f
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, invalid("", "the URL cannot be read")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" {
		return nil, invalid("for example https://api.example.com/v1", "the URL is not an absolute https URL")
	}
	if u.User != nil {
		return nil, invalid("credentials belong in auth: of a connection", "the URL has a user name in it")
	}
	host := cleanHost(u.Hostname())
	if _, err := netip.ParseAddr(host); err != nil && !validHost(host) {
		return nil, invalid("", "the URL has no valid host name")
	}
	if strings.HasSuffix(u.Host, ":") {
		return nil, invalid("", "the URL has an empty port")
	}
	if f := checkSegments(strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")); f != nil {
		return nil, f
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// Redirect returns where an answer to a request for from leads. It stays on
// the scheme, host and port; else the error is a *[Failure] of class [Denied],
// for whoever answers could send our credentials and data anywhere.
func Redirect(from *url.URL, location string) (*url.URL, error) {
	odd := &Failure{Class: Denied, Sent: true, Msg: "the answer redirects to what is no plain http or https URL"}
	if plainText("the redirect", location) != nil {
		return nil, odd
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, odd
	}
	clean, f := parseURL(to.String())
	if f != nil {
		return nil, odd
	}
	if origin(clean) != origin(from) {
		return nil, &Failure{
			Class: Denied, Sent: true, Msg: fmt.Sprintf("%s redirects to %s://%s", from.Host, clean.Scheme, clean.Host),
			Hint: "only redirects on the same host are followed; expect: 302 gives the answer with its location",
		}
	}
	return clean, nil
}

// plainText refuses what must not stand in any part of a URL.
func plainText(what, s string) *Failure {
	if len(s) > maxURL {
		return invalid("", "%s is longer than %d bytes", what, maxURL)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' {
			return invalid("", "%s contains %q, which has no place in a URL", what, r)
		}
	}
	return nil
}

// checkSegments refuses segments of an escaped path that change where it
// leads: "." and "..", however they are written.
func checkSegments(segments []string) *Failure {
	for _, s := range segments {
		text, err := url.PathUnescape(s)
		if err != nil {
			return invalid("write a percent sign as %25", "the path has a broken percent-encoding")
		}
		// A second reader may decode again, or split at a slash that came encoded.
		for range 2 {
			if again, err := url.PathUnescape(text); err == nil {
				text = again
			}
		}
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '/' || r == '\\' }) {
			if part == "." || part == ".." || strings.HasPrefix(part, "..;") || strings.HasPrefix(part, ".;") {
				return invalid("", "the path contains the segment %q, which leads elsewhere", part)
			}
		}
		if f := plainText("the path", text); f != nil && !strings.Contains(text, `\`) {
			return f
		}
	}
	return nil
}

// textPath checks a path written as one text and returns it escaped, without
// the slash that it may begin with. Escapes in it are kept.
func textPath(s string) (string, *Failure) {
	if f := plainText("the path", s); f != nil {
		return "", f
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return "", invalid("put parameters into query:, and parts that come from data into a list: path: [users, \"${{ … }}\"]", "the path contains %q", s[i])
	}
	s = strings.TrimPrefix(s, "/")
	if strings.HasPrefix(s, "/") || strings.Contains(s, "//") {
		return "", invalid("a value that was to stand there may be empty", "the path has an empty segment")
	}
	segments := strings.Split(s, "/")
	if f := checkSegments(segments); f != nil {
		return "", f
	}
	for i, seg := range segments {
		segments[i] = keepEscapes(seg)
	}
	return strings.Join(segments, "/"), nil
}

// listPath joins segments, each escaped as a whole.
func listPath(list []any) (string, *Failure) {
	segments := make([]string, len(list))
	for i, v := range list {
		s, ok := text(v)
		if !ok || s == "" {
			return "", invalid("", "path[%d] is %s, where a segment of the path is wanted", i, describe(v))
		}
		if f := plainText(fmt.Sprintf("path[%d]", i), s); f != nil {
			return "", f
		}
		segments[i] = url.PathEscape(s)
	}
	if f := checkSegments(slices.Clone(segments)); f != nil {
		return "", f
	}
	return strings.Join(segments, "/"), nil
}

// keepEscapes escapes what must be escaped in a segment and leaves %XX alone.
func keepEscapes(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(url.PathEscape(before))
		if !found {
			return b.String()
		}
		b.WriteString("%" + after[:2]) // checkSegments has seen that two digits follow
		s = after[2:]
	}
}
