// Package connector holds calls to other systems as values: which operations
// there are, how a connection document says where and as whom they are called,
// the exact HTTP request that arguments make, and what an answer means.
//
// What it promises:
//
//   - A request made from arguments stays on the host of its connection.
//     Arguments come out of templates and so out of other people's data: dot
//     segments, a second host, userinfo, line breaks and control characters
//     are refused, and credentials are never taken from arguments.
//   - A connection reaches public addresses only. Loopback, private,
//     link-local, shared and reserved ranges (RFC 6890 and the IANA
//     special-purpose registries) are denied unless the document names them,
//     and the decision is about the address that is dialled, never the name.
//   - Answers are data. They are parsed once and never evaluated.
//   - Secrets stand here by name only.
//
// What it never does: open a connection, read a clock or look up a secret.
// Package connector/client does.
//
// URLs are those of RFC 3986; Retry-After is RFC 9110 section 10.2.3; client
// credentials are RFC 6749 section 4.4.
package connector
