package intake

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the networks of the proxies that we trust.
type proxies []netip.Prefix

func newProxies(list []netip.Prefix) (proxies, error) {
	var out proxies
	for _, p := range list {
		if !p.IsValid() {
			return nil, fmt.Errorf("trusted proxies: %s is no network", p)
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (t proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
}

// caller is the address that a call comes from: the peer of the connection, or
// when that is a proxy that we trust, whoever it says; and so on through the
// proxies before it. Each has added the address of its peer at the right of
// X-Forwarded-For, so what stands left of the first address that we do not
// trust was written by a stranger. The zero Addr is a caller that cannot be
// named.
func (t proxies) caller(r *http.Request) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if hop = strings.TrimSpace(hop); hop == "" {
			continue
		}
		if !t.trust(addr) {
			break
		}
		addr = parseAddr(hop)
	}
	return addr
}

// parseAddr reads an address, with or without a port.
func parseAddr(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone("")
}
