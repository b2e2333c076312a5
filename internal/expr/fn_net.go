package expr

import (
	"net/netip"
	"net/url"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

func netFunctions() []function {
	return []function{
		{"cidr_contains", []overload{
			{"cidr_contains_string", false, with(tString, tString), tBool, func(a []ref.Val) ref.Val {
				return inNetwork(str(a[0]), str(a[1]))
			}},
			{"cidr_contains_list", false, with(cel.ListType(tString), tString), tBool, inNetworks},
		}},
		one("is_ip", with(tString), tBool, func(a []ref.Val) ref.Val {
			_, ok := parseIP(str(a[0]))
			return types.Bool(ok)
		}),
		one("is_private_ip", with(tString), tBool, func(a []ref.Val) ref.Val {
			ip, ok := parseIP(str(a[0]))
			return types.Bool(ok && isInternal(ip))
		}),
		one("ip_version", with(tString), tInt, func(a []ref.Val) ref.Val {
			switch ip, ok := parseIP(str(a[0])); {
			case !ok:
				return types.Int(0)
			case ip.Is4():
				return types.Int(4)
			default:
				return types.Int(6)
			}
		}),
		onText("domain", domain),
		onText("email_domain", emailDomain),
	}
}

// parseIP reads an address as alerts have it: an IPv4 address inside IPv6 is
// the IPv4 address, and a zone is dropped.
func parseIP(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return netip.Addr{}, false
	}
	return ip.Unmap().WithZone(""), true
}

// inNetwork says whether the address is in the network. What is no address is
// in none; what is no network is the author's mistake.
func inNetwork(cidr, ip string) ref.Val {
	network, err := netip.ParsePrefix(strings.TrimSpace(cidr))
	if err != nil {
		single, ok := parseIP(cidr)
		if !ok {
			return fail("cidr_contains() needs a network such as 10.0.0.0/8")
		}
		network = netip.PrefixFrom(single, single.BitLen())
	}
	addr, ok := parseIP(ip)
	return types.Bool(ok && network.Contains(addr))
}

func inNetworks(a []ref.Val) ref.Val {
	list, ok := a[0].(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(a[0])
	}
	for i := range sizeOf(list) {
		network, ok := list.Get(types.Int(i)).(types.String)
		if !ok {
			return fail("cidr_contains() needs a list of networks such as 10.0.0.0/8")
		}
		if in := inNetwork(string(network), str(a[1])); in != types.False {
			return in
		}
	}
	return types.False
}

// carrierGrade is the shared address space of RFC 6598.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// isInternal says whether the address cannot be reached from the internet.
func isInternal(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || carrierGrade.Contains(ip)
}

// domain returns the host name, or address, of a URL, a mail address or a host
// with or without a port, defanged or not: lower case, no dot at the end.
func domain(s string) string {
	s = strings.TrimSpace(refang(s))
	if strings.Contains(s, "://") || strings.HasPrefix(s, "//") {
		u, err := url.Parse(s)
		if err != nil {
			return hostOf(afterScheme(s))
		}
		return hostName(u.Hostname())
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 && !strings.ContainsAny(s[:i], "/?#") {
		s = strings.TrimSuffix(s[i+1:], ">")
	}
	return hostOf(s)
}

// afterScheme cuts what net/url will not parse; hostile URLs are our trade.
func afterScheme(s string) string {
	_, rest, _ := strings.Cut(s, "//")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// hostOf cuts path and port.
func hostOf(s string) string {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if ip, ok := parseIP(strings.Trim(s, "[]")); ok {
		return ip.String()
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().String()
	}
	host, _, _ := strings.Cut(s, ":")
	return hostName(host)
}

// hostName returns the name in its usual spelling, or "" when it is none.
func hostName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if strings.ContainsAny(s, " \t\r\n\"'<>(),;\\") {
		return ""
	}
	return s
}

// emailDomain returns what stands after the last @ of a mail address.
func emailDomain(s string) string {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return ""
	}
	host, _, _ := strings.Cut(s[i+1:], ">")
	return hostName(strings.TrimSpace(refang(host)))
}
