package alert

import (
	"net/netip"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
)

// VerifySpec says how a call proves where it comes from. The secret is named,
// never written down.
type VerifySpec struct {
	Scheme   string   `yaml:"scheme" doc:"github_hmac, hmac_sha256, slack_v0, okta, sns, bearer, basic, header, pagerduty_v3, or none"`
	Secret   string   `yaml:"secret,omitempty" doc:"name of the secret, as given to beffroi secret set"`
	Header   string   `yaml:"header,omitempty" doc:"header that carries the proof, for hmac_sha256, header and okta"`
	Prefix   string   `yaml:"prefix,omitempty" doc:"text before the signature, for hmac_sha256: sha256="`
	Encoding string   `yaml:"encoding,omitempty" doc:"of the signature, for hmac_sha256: hex (unless said) or base64"`
	User     string   `yaml:"user,omitempty" doc:"user name, for basic"`
	Topics   []string `yaml:"topics,omitempty" doc:"ARNs of the topics that may publish, for sns"`
	Allow    []string `yaml:"allow,omitempty" doc:"addresses that may call, in CIDR notation, v4 and v6; any unless said"`
}

// A Verify is a checked VerifySpec.
type Verify struct {
	Scheme   string
	Secret   string
	Header   string
	Prefix   string
	Encoding string
	User     string
	Topics   []string
	Allow    []netip.Prefix
}

// Schemes by which a call is verified.
const (
	SchemeGitHub    = "github_hmac"  // X-Hub-Signature-256: sha256=HEX over the body
	SchemeHMAC      = "hmac_sha256"  // Header: Prefix + Encoding of the HMAC over the body
	SchemeSlack     = "slack_v0"     // X-Slack-Signature over v0:timestamp:body
	SchemeOkta      = "okta"         // shared value in Header; X-Okta-Verification-Challenge answered
	SchemeSNS       = "sns"          // signature by Amazon's certificate; Topics
	SchemeBearer    = "bearer"       // Authorization: Bearer SECRET
	SchemeBasic     = "basic"        // Authorization: Basic User:SECRET
	SchemeHeader    = "header"       // Header: SECRET
	SchemePagerDuty = "pagerduty_v3" // X-PagerDuty-Signature: list of v1=HEX, one must match
	SchemeNone      = "none"         // Allow alone
)

// scheme says which settings a scheme needs and takes, beside allow.
type scheme struct {
	needs, takes []string
	header       string // the header unless said
}

var schemes = map[string]scheme{
	SchemeGitHub:    {needs: []string{"secret"}, header: "X-Hub-Signature-256"},
	SchemeHMAC:      {needs: []string{"secret", "header"}, takes: []string{"prefix", "encoding"}},
	SchemeSlack:     {needs: []string{"secret"}, header: "X-Slack-Signature"},
	SchemeOkta:      {needs: []string{"secret"}, takes: []string{"header"}, header: "Authorization"},
	SchemeSNS:       {needs: []string{"topics"}},
	SchemeBearer:    {needs: []string{"secret"}, header: "Authorization"},
	SchemeBasic:     {needs: []string{"secret", "user"}, header: "Authorization"},
	SchemeHeader:    {needs: []string{"secret", "header"}},
	SchemePagerDuty: {needs: []string{"secret"}, header: "X-PagerDuty-Signature"},
	SchemeNone:      {needs: []string{"allow"}},
}

// Allows says whether calls from the address are taken at all.
func (v Verify) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return len(v.Allow) == 0 || slices.ContainsFunc(v.Allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// check reports what is wrong by the path in the document.
func (s VerifySpec) check(issue func(path, hint, format string, args ...any)) Verify {
	v := Verify{
		Scheme: s.Scheme, Secret: s.Secret, Header: s.Header, Prefix: s.Prefix,
		Encoding: s.Encoding, User: s.User, Topics: s.Topics,
	}
	given := map[string]bool{
		"secret": s.Secret != "", "header": s.Header != "", "prefix": s.Prefix != "", "encoding": s.Encoding != "",
		"user": s.User != "", "topics": len(s.Topics) > 0, "allow": len(s.Allow) > 0,
	}
	sch, ok := schemes[s.Scheme]
	if !ok {
		names := sortedKeys(schemes)
		issue("verify.scheme", oneOf(s.Scheme, names), "there is no scheme %q", s.Scheme)
		return v
	}
	for _, key := range sortedKeys(given) {
		switch {
		case given[key] && key != "allow" && !slices.Contains(sch.needs, key) && !slices.Contains(sch.takes, key):
			issue("verify."+key, "remove it", "the scheme %s takes no %s", s.Scheme, key)
		case !given[key] && slices.Contains(sch.needs, key):
			issue("verify", "add "+key, "the scheme %s needs %s", s.Scheme, key)
		}
	}
	if v.Header == "" {
		v.Header = sch.header
	}
	if v.Encoding == "" {
		v.Encoding = "hex"
	}
	if v.Encoding != "hex" && v.Encoding != "base64" {
		issue("verify.encoding", "write hex or base64", "there is no encoding %q", v.Encoding)
	}
	if s.Secret != "" && !secretName(s.Secret) {
		issue("verify.secret", "write the name that you give to `beffroi secret set NAME`, such as GITHUB_HOOK", "this is no name of a secret")
	}
	for i, text := range s.Allow {
		p, err := parsePrefix(text)
		if err != nil {
			issue(index("verify.allow", i), "write 203.0.113.0/24 or 2001:db8::/32", "%q is no range of addresses", text)
			continue
		}
		v.Allow = append(v.Allow, p)
	}
	return v
}

// secretName tells a name from a secret: the latter must not end up in a
// document by mistake.
func secretName(s string) bool {
	for _, r := range s {
		if (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return false
		}
	}
	return len(s) <= 63
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// oneOf proposes the word that was meant, or lists all.
func oneOf(word string, words []string) string {
	if hint := errs.Suggest(word, words); hint != "" {
		return hint
	}
	return "write one of " + strings.Join(words, ", ")
}
