package connector_test

import (
	"net/netip"
	"strings"
	"testing"

	"beffroi.dev/internal/connector"
)

func connection(t *testing.T, s connector.Spec) *connector.Connection {
	t.Helper()
	c, err := connector.New("api", s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	c := connector.Direct()
	for _, tt := range []struct {
		addr string
		want string // in the message; empty: permitted
	}{
		{"1.1.1.1", ""},
		{"8.8.8.8", ""},
		{"172.32.0.1", ""},
		{"100.128.0.1", ""},
		{"192.0.1.1", ""},
		{"2606:4700:4700::1111", ""},
		{"64:ff9b::101:101", ""}, // NAT64 of 1.1.1.1
		{"127.0.0.1", "a loopback"},
		{"127.255.255.254", "a loopback"},
		{"::1", "a loopback"},
		{"::ffff:127.0.0.1", "a loopback"},
		{"::ffff:10.0.0.1", "a private"},
		{"64:ff9b::a00:1", "a private"}, // NAT64 of 10.0.0.1
		{"64:ff9b::a9fe:a9fe", "a cloud metadata"},
		{"10.0.0.1", "a private"},
		{"172.16.0.1", "a private"},
		{"172.31.255.255", "a private"},
		{"192.168.1.1", "a private"},
		{"fc00::1", "a private"},
		{"fd12:3456::1", "a private"},
		{"100.64.0.1", "a carrier's shared"},
		{"100.127.255.255", "a carrier's shared"},
		{"169.254.0.1", "a link-local"},
		{"fe80::1", "a link-local"},
		{"fe80::1%eth0", "a link-local"},
		{"169.254.169.254", "a cloud metadata"},
		{"169.254.170.2", "a cloud metadata"},
		{"100.100.100.200", "a cloud metadata"},
		{"168.63.129.16", "a cloud metadata"},
		{"fd00:ec2::254", "a cloud metadata"},
		{"0.0.0.0", "an unspecified"},
		{"0.1.2.3", "an unspecified"},
		{"::", "an unspecified"},
		{"::ffff:0.0.0.0", "an unspecified"},
		{"224.0.0.1", "a multicast"},
		{"239.255.255.250", "a multicast"},
		{"ff02::1", "a multicast"},
		{"255.255.255.255", "a broadcast"},
		{"240.0.0.1", "a reserved"},
		{"192.0.2.1", "a reserved"},
		{"198.18.0.1", "a reserved"},
		{"2001:db8::1", "a reserved"},
		{"2002:7f00:1::", "a reserved"}, // 6to4 of 127.0.0.1
		{"2001:0:7f00:1::", "a reserved"},
		{"::127.0.0.1", "a reserved"}, // IPv4-compatible
		{"fec0::1", "a reserved"},
		{"5f00::1", "a reserved"},
	} {
		t.Run(tt.addr, func(t *testing.T) {
			err := c.Permits("api.example.com", netip.MustParseAddr(tt.addr))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("denied: %v", err)
			case tt.want != "" && err == nil:
				t.Error("permitted")
			case tt.want != "" && !strings.Contains(err.Error(), tt.want+" address"):
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
		})
	}
	if c.Permits("x", netip.Addr{}) == nil {
		t.Error("permitted no address at all")
	}
}

func TestADocumentOpensWhatItNames(t *testing.T) {
	for _, tt := range []struct {
		name, entry, host, addr string
		want                    bool
	}{
		{"a range", "10.1.0.0/16", "jira", "10.1.2.3", true},
		{"outside the range", "10.1.0.0/16", "jira", "10.2.0.1", false},
		{"an address", "127.0.0.1", "x", "127.0.0.1", true},
		{"the same address inside IPv6", "127.0.0.1", "x", "::ffff:127.0.0.1", true},
		{"an IPv6 address", "::1", "x", "::1", true},
		{"another loopback address", "127.0.0.1", "x", "127.0.0.2", false},
		{"a host", "jira.corp", "jira.corp", "10.9.9.9", true},
		{"a host, other letters and a final dot", "Jira.Corp", "JIRA.corp.", "10.9.9.9", true},
		{"another host at the same address", "jira.corp", "evil.example", "10.9.9.9", false},
		{"a host that came to point at the metadata", "jira.corp", "jira.corp", "169.254.169.254", false},
		{"a host that came to point at a link-local address", "jira.corp", "jira.corp", "169.254.0.9", false},
		{"link-local by range", "169.254.0.0/16", "x", "169.254.0.9", true},
		{"metadata by range", "169.254.0.0/16", "x", "169.254.169.254", false},
		{"metadata by its address", "169.254.169.254", "x", "169.254.169.254", true},
		{"the whole private range", "10.0.0.0/8", "x", "10.255.0.1", true},
		{"localhost by name", "localhost", "localhost", "127.0.0.1", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connection(t, connector.Spec{BaseURL: "https://api.example.com", AllowPrivate: []string{tt.entry}})
			err := c.Permits(tt.host, netip.MustParseAddr(tt.addr))
			if (err == nil) != tt.want {
				t.Errorf("permitted = %v (%v), want %v", err == nil, err, tt.want)
			}
		})
	}
}
