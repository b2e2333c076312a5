package connector

import (
	"fmt"
	"net/netip"
	"strings"
)

// A block is a range of addresses that is not the public internet.
type block struct {
	prefix netip.Prefix
	what   string
	fixed  bool // no document may open it
	exact  bool // only opened by naming a single address in it
	byName bool // also opened by naming the host
}

// blocks lists what is denied, most specific first (IANA IPv4 and IPv6
// Special-Purpose Address Registries). IPv6 is public inside 2000::/3 only.
var blocks = []block{
	{prefix: p("169.254.169.254/32"), what: "a cloud metadata", exact: true},
	{prefix: p("169.254.170.0/24"), what: "a cloud metadata", exact: true},
	{prefix: p("100.100.100.200/32"), what: "a cloud metadata", exact: true},
	{prefix: p("168.63.129.16/32"), what: "a cloud metadata", exact: true},
	{prefix: p("192.0.0.192/32"), what: "a cloud metadata", exact: true},
	{prefix: p("fd00:ec2::/32"), what: "a cloud metadata", exact: true},
	{prefix: p("127.0.0.0/8"), what: "a loopback", byName: true},
	{prefix: p("::1/128"), what: "a loopback", byName: true},
	{prefix: p("10.0.0.0/8"), what: "a private", byName: true},
	{prefix: p("172.16.0.0/12"), what: "a private", byName: true},
	{prefix: p("192.168.0.0/16"), what: "a private", byName: true},
	{prefix: p("fc00::/7"), what: "a private", byName: true},
	{prefix: p("100.64.0.0/10"), what: "a carrier's shared", byName: true},
	{prefix: p("169.254.0.0/16"), what: "a link-local"},
	{prefix: p("fe80::/10"), what: "a link-local"},
	{prefix: p("0.0.0.0/8"), what: "an unspecified", fixed: true},
	{prefix: p("::/128"), what: "an unspecified", fixed: true},
	{prefix: p("224.0.0.0/4"), what: "a multicast", fixed: true},
	{prefix: p("ff00::/8"), what: "a multicast", fixed: true},
	{prefix: p("255.255.255.255/32"), what: "a broadcast", fixed: true},
	{prefix: p("192.0.0.0/24"), what: "a reserved"},
	{prefix: p("192.0.2.0/24"), what: "a reserved"},
	{prefix: p("192.88.99.0/24"), what: "a reserved"},
	{prefix: p("198.18.0.0/15"), what: "a reserved"},
	{prefix: p("198.51.100.0/24"), what: "a reserved"},
	{prefix: p("203.0.113.0/24"), what: "a reserved"},
	{prefix: p("240.0.0.0/4"), what: "a reserved"},
	{prefix: p("2001::/23"), what: "a reserved"},
	{prefix: p("2001:db8::/32"), what: "a reserved"},
	{prefix: p("2002::/16"), what: "a reserved"},
	{prefix: p("3fff::/20"), what: "a reserved"},
	{prefix: p("::/3"), what: "a reserved"},
	{prefix: p("4000::/2"), what: "a reserved"},
	{prefix: p("8000::/1"), what: "a reserved"},
}

// nat64 carries an IPv4 address in its last 32 bits (RFC 6052 section 2.1).
var nat64 = p("64:ff9b::/96")

func p(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// plain returns the address that packets really go to: without zone, and IPv4
// where IPv6 only wraps it.
func plain(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// blockOf returns the denied range that holds a, or nil when a is public.
func blockOf(a netip.Addr) *block {
	for i := range blocks {
		if blocks[i].prefix.Contains(a) {
			return &blocks[i]
		}
	}
	return nil
}

// Permits returns nil if calls of c to host may go to addr, the address that
// the name was found to have when it was dialled. The error is a *[Failure] of
// class [Denied].
func (c *Connection) Permits(host string, addr netip.Addr) error {
	if !addr.IsValid() {
		return &Failure{Class: Denied, Msg: fmt.Sprintf("%s has no valid address", host)}
	}
	addr = plain(addr)
	b := blockOf(addr)
	if b == nil || !b.fixed && c.opened(host, addr, b) {
		return nil
	}
	f := &Failure{Class: Denied, Msg: fmt.Sprintf("%s is at %s, %s address: calls go to public addresses only", host, addr, b.what)}
	if !b.fixed {
		f.Hint = fmt.Sprintf("if it is meant, name it in the connection: allow_private: [%q]", netip.PrefixFrom(addr, addr.BitLen()))
	}
	return f
}

// opened reports whether the document names addr, or the host if that is
// enough for the range.
func (c *Connection) opened(host string, addr netip.Addr, b *block) bool {
	for _, n := range c.nets {
		if n.Contains(addr) && (!b.exact || n.IsSingleIP()) {
			return true
		}
	}
	return b.byName && c.hosts[cleanHost(host)]
}

// cleanHost is how host names are compared.
func cleanHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// allowEntry reads one entry of allow_private: an address or range that lies
// inside one denied range, or a host name.
func allowEntry(s string) (net netip.Prefix, host, problem string) {
	n, err := netip.ParsePrefix(s)
	if err != nil {
		a, aerr := netip.ParseAddr(s)
		if aerr != nil {
			if h := cleanHost(s); validHost(h) {
				return netip.Prefix{}, h, ""
			}
			return netip.Prefix{}, "", "is neither an address, a range such as 10.1.0.0/16, nor a host name"
		}
		a = plain(a)
		n = netip.PrefixFrom(a, a.BitLen())
	}
	n = n.Masked()
	b := blockAround(n)
	switch {
	case b == nil && blockOf(n.Addr()) == nil:
		return n, "", "is public and needs no permission"
	case b == nil:
		return n, "", "reaches beyond one private range: name the range that is meant, such as 10.0.0.0/8"
	case b.fixed:
		return n, "", "is " + b.what + " address, which no connection may reach"
	}
	return n, "", ""
}

// blockAround returns the denied range that n lies wholly in.
func blockAround(n netip.Prefix) *block {
	for i := range blocks {
		b := &blocks[i]
		if b.prefix.Bits() <= n.Bits() && b.prefix.Contains(n.Addr()) {
			return b
		}
	}
	return nil
}

// validHost reports whether h, in lower case, is a host name: letters, digits,
// hyphens and underscores between dots (names of other scripts in their ASCII
// form), and not something that reads as a number.
func validHost(h string) bool {
	if h == "" || len(h) > 253 {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(h, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if !isAlphanumeric(r) && r != '-' && r != '_' {
				return false
			}
		}
	}
	return !isNumber(label) // 10.1, 0x7f.1 and 2130706433 are addresses to some resolvers
}

// isNumber reports whether s is what the C library reads as a number.
func isNumber(s string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		s, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(s, digits) == ""
}
