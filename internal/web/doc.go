// Package web is the HTTP kit that every listener of Beffroi is made of.
//
// What it promises:
//
//   - A [HandlerFunc] parses, calls, renders, and returns an error; one place
//     turns errors into problem documents (RFC 9457). What a caller may know is
//     an [errs.Error] or [errs.Issues]; everything else is logged whole under
//     the id of the request and shown as "internal error" with that id.
//   - Every request is bounded: header and body size, and the time to send
//     them and to take the answer.
//   - Answers carry headers that keep browsers from sniffing, framing, caching
//     and running them; a browser's cross-origin request that would change
//     something is refused.
//   - Neither query strings nor credentials are logged.
//
// What it never does: know a route, a role or a domain.
//
// Problems are RFC 9457, bearer tokens RFC 6750 section 2.1, and streams the
// server-sent events of the HTML standard, section 9.2.
package web
