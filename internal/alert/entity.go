package alert

import (
	"net/netip"
	"slices"
	"strings"
)

// Kinds of entity that can link cases.
const (
	KindIP       = "ip"
	KindHost     = "host"
	KindUser     = "user"
	KindHash     = "hash"
	KindDomain   = "domain"
	KindURL      = "url"
	KindResource = "resource"
)

var entityKinds = []string{KindIP, KindHost, KindUser, KindHash, KindDomain, KindURL, KindResource}

// Types of OCSF observables that we look for.
const (
	typeHostname = 1
	typeIP       = 2
	typeUser     = 4
	typeEmail    = 5
	typeURL      = 6
	typeHash     = 8
	typeResource = 10
)

// Limits on what one finding can bring.
const (
	maxObservables = 64
	maxEntities    = 32
)

// watched are the types of observable that we list.
var watched = []int64{typeHostname, typeIP, typeUser, typeEmail, typeURL, typeHash, typeResource}

// observed collects the observables of a finding while it is made.
type observed struct{ list []observable }

type observable struct {
	path  string // in the finding
	kind  int64  // OCSF type_id
	value string
}

func (o *observed) add(path string, kind int64, value string) {
	if len(o.list) >= maxObservables {
		return
	}
	for _, v := range o.list {
		if v.value == value && v.kind == kind {
			return
		}
	}
	o.list = append(o.list, observable{path, kind, value})
}

// ocsf returns the list as the finding has it, or nil.
func (o *observed) ocsf() []any {
	if len(o.list) == 0 {
		return nil
	}
	captions := ocsf().Objects["observable"].Attributes["type_id"].captions
	out := make([]any, len(o.list))
	for i, v := range o.list {
		out[i] = map[string]any{"name": v.path, "type_id": v.kind, "type": captions[v.kind], "value": v.value}
	}
	return out
}

// entities returns what links this finding to others: the observables of the
// wanted kinds in their normal form, without what everybody shares.
func (o *observed) entities(kinds []string) []string {
	var out []string
	add := func(kind, value string) {
		if value == "" || !slices.Contains(kinds, kind) || len(out) >= maxEntities {
			return
		}
		if kind == KindHash {
			kind = hashName(value)
		}
		if e := kind + ":" + value; !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	for _, v := range o.list {
		switch v.kind {
		case typeIP:
			add(KindIP, routable(v.value))
		case typeHostname:
			host := hostName(v.value)
			add(KindHost, host)
			if strings.Contains(host, ".") {
				add(KindDomain, host)
			}
		case typeUser, typeEmail:
			add(KindUser, userName(v.value))
		case typeHash:
			add(KindHash, strings.ToLower(v.value))
		case typeURL:
			add(KindURL, v.value)
		case typeResource:
			add(KindResource, v.value)
		}
	}
	return out
}

// hashName tells a hash by its length, so that the entity says which it is.
func hashName(s string) string {
	switch len(s) {
	case 32:
		return "md5"
	case 40:
		return "sha1"
	case 64:
		return "sha256"
	}
	return KindHash
}

// shared are addresses that everybody's machines talk to.
var shared = map[string]bool{
	"8.8.8.8": true, "8.8.4.4": true, "1.1.1.1": true, "1.0.0.1": true, "9.9.9.9": true,
	"208.67.222.222": true, "208.67.220.220": true, "169.254.169.254": true,
	"2001:4860:4860::8888": true, "2001:4860:4860::8844": true, "2606:4700:4700::1111": true,
}

// carrierNAT is behind what one address of RFC 6598 stands for many people.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// routable returns the address in its normal form, or "" when it means another
// machine on every network.
func routable(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || carrierNAT.Contains(a) || shared[a.String()] {
		return ""
	}
	return a.String()
}

func hostName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if placeholder(s) || strings.HasPrefix(s, "localhost") || s == "ip6-localhost" {
		return ""
	}
	if _, ok := parseIP(s); ok {
		return ""
	}
	return s
}

// everybody are accounts that are on every machine.
var everybody = map[string]bool{
	"root": true, "admin": true, "administrator": true, "system": true, "local system": true,
	"localsystem": true, "network service": true, "local service": true, "anonymous": true,
	"anonymous logon": true, "guest": true, "nobody": true, "user": true, "daemon": true,
	"ubuntu": true, "ec2-user": true, "azureuser": true, "www-data": true, "service": true,
	"hidden_due_to_security_reasons": true, "system:anonymous": true, "system@okta.com": true,
}

func userName(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if domain, user, ok := strings.Cut(s, `\`); ok && domain != "" {
		s = user
	}
	if placeholder(s) || everybody[s] {
		return ""
	}
	return s
}
