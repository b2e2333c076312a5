package intake

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestCaller(t *testing.T) {
	network := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	inside := network("10.0.0.0/8", "2001:db8:1::/48")
	for _, tt := range []struct {
		name    string
		proxies []netip.Prefix
		peer    string
		header  []string // X-Forwarded-For
		want    string
	}{
		{"no proxy is trusted", nil, "10.0.0.1:80", []string{"203.0.113.7"}, "10.0.0.1"},
		{"the peer is no proxy", inside, "192.0.2.1:80", []string{"203.0.113.7"}, "192.0.2.1"},
		{"a proxy says nothing", inside, "10.0.0.1:80", nil, "10.0.0.1"},
		{"a proxy says who", inside, "10.0.0.1:80", []string{"203.0.113.7"}, "203.0.113.7"},
		{"v6", inside, "[2001:db8:1::1]:80", []string{"2001:db8:2::7"}, "2001:db8:2::7"},
		{"v4 in v6", inside, "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"two proxies", inside, "10.0.0.1:80", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"two proxies, a line each", inside, "10.0.0.1:80", []string{"203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{"what a stranger wrote", inside, "10.0.0.1:80", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"what a stranger wrote in our name", inside, "10.0.0.1:80", []string{"10.0.0.9, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"only proxies", inside, "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with ports", inside, "10.0.0.1:80", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		{"v6 with a port", inside, "10.0.0.1:80", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"with a zone", inside, "10.0.0.1:80", []string{"fe80::1%eth0"}, "fe80::1"},
		{"empty places", inside, "10.0.0.1:80", []string{"203.0.113.7,, ,10.0.0.2,"}, "203.0.113.7"},
		{"a proxy says nonsense", inside, "10.0.0.1:80", []string{"203.0.113.7, unknown"}, ""},
		{"a name", inside, "10.0.0.1:80", []string{"localhost"}, ""},
		{"no peer", inside, "@", []string{"203.0.113.7"}, ""},
		{"proxies written as v4 in v6", network("::ffff:10.0.0.0/104"), "10.0.0.1:80", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a proxy, not its network", network("10.0.0.1/32"), "10.0.0.2:80", []string{"203.0.113.7"}, "10.0.0.2"},
		{"everybody", network("0.0.0.0/0", "::/0"), "192.0.2.1:80", []string{"198.51.100.1, 203.0.113.7"}, "198.51.100.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newProxies(tt.proxies)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.header, "Forwarded": {"for=198.51.100.9"}, "X-Real-Ip": {"198.51.100.9"}}}
			got := p.caller(r)
			if got.IsValid() != (tt.want != "") || got.IsValid() && got.String() != tt.want {
				t.Errorf("caller %s, want %s", got, tt.want)
			}
		})
	}
}

// Lists and records name the caller behind the proxy.
func TestCallerBehindProxy(t *testing.T) {
	w := newWorld(t, map[string]string{"listed": listed})
	w.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	w.open()
	via := func(from string) answered {
		return w.call(call{Source: "listed", Body: "{}", From: "10.0.0.1:80", Header: header("X-Forwarded-For", from)})
	}
	want(t, "on the list", http.StatusAccepted, via("203.0.113.7").Status)
	want(t, "not on the list", http.StatusForbidden, via("203.0.113.7, 192.0.2.9").Status)
	want(t, "nobody", http.StatusForbidden, via("nobody").Status)
	want(t, "records", []string{"hook.refused source/listed | address | 192.0.2.9", "hook.refused source/listed | address | unknown"}, w.records(1))
}
