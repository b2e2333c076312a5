package intake

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/secret"
)

// The worked examples of GitHub's and Slack's pages. PagerDuty and the plain
// HMAC have none; theirs come from openssl dgst -sha256 -hmac.
const (
	githubKey  = "It's a Secret to Everybody"
	githubBody = "Hello, World!"
	githubSum  = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

	slackKey   = "8f742231b10e8888abcd99yyyzzz85a5"
	slackStamp = "1531420618"
	slackBody  = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	slackSum   = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

	pagerKey  = "pd-signing-secret"
	pagerBody = `{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK"}}`
	pagerSum  = "7978043a2eea09a36b0a4e224991440d0a45eed70637d66334e15261a0e391f8"
)

var slackTime = time.Unix(1531420618, 0)

func TestVerify(t *testing.T) {
	github := alert.Verify{Scheme: alert.SchemeGitHub}
	plain := alert.Verify{Scheme: alert.SchemeHMAC, Header: "X-Sum", Encoding: "base64"}
	prefixed := alert.Verify{Scheme: alert.SchemeHMAC, Header: "X-Sum", Prefix: "hmac ", Encoding: "hex"}
	slack := alert.Verify{Scheme: alert.SchemeSlack}
	pager := alert.Verify{Scheme: alert.SchemePagerDuty}
	bearer := alert.Verify{Scheme: alert.SchemeBearer}
	basic := alert.Verify{Scheme: alert.SchemeBasic, User: "tool"}
	shared := alert.Verify{Scheme: alert.SchemeHeader, Header: "X-Key"}
	okta := alert.Verify{Scheme: alert.SchemeOkta, Header: "Authorization"}
	basicOf := func(userpass string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(userpass)) }
	githubB64 := "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc="
	upper := strings.ToUpper(githubSum)
	slackHead := header("X-Slack-Request-Timestamp", slackStamp, "X-Slack-Signature", slackSum)
	with := func(h http.Header, pairs ...string) http.Header {
		h = h.Clone()
		maps.Copy(h, header(pairs...))
		return h
	}

	for _, tt := range []struct {
		name   string
		verify alert.Verify
		key    string
		header http.Header
		body   string
		now    time.Time
		want   *refusal
	}{
		{"GitHub's example", github, githubKey, header("X-Hub-Signature-256", "sha256="+githubSum), githubBody, start, nil},
		{"in capitals", github, githubKey, header("X-Hub-Signature-256", "sha256="+upper), githubBody, start, nil},
		{"header in small letters", github, githubKey, header("x-hub-signature-256", "sha256="+githubSum), githubBody, start, nil},
		{"another body", github, githubKey, header("X-Hub-Signature-256", "sha256="+githubSum), githubBody + "\n", start, errBadProof},
		{"another key", github, githubKey + " ", header("X-Hub-Signature-256", "sha256="+githubSum), githubBody, start, errBadProof},
		{"one digit less", github, githubKey, header("X-Hub-Signature-256", "sha256="+githubSum[:62]), githubBody, start, errBadProof},
		{"an odd digit", github, githubKey, header("X-Hub-Signature-256", "sha256="+githubSum+"0"), githubBody, start, errBadProof},
		{"no digits", github, githubKey, header("X-Hub-Signature-256", "sha256="), githubBody, start, errBadProof},
		{"no prefix", github, githubKey, header("X-Hub-Signature-256", githubSum), githubBody, start, errBadProof},
		{"prefix in capitals", github, githubKey, header("X-Hub-Signature-256", "SHA256="+githubSum), githubBody, start, errBadProof},
		{"the old header", github, githubKey, header("X-Hub-Signature", "sha1=00"), githubBody, start, errNoProof},
		{"nothing", github, githubKey, header(), githubBody, start, errNoProof},
		{"two signatures", github, githubKey, header("X-Hub-Signature-256", "sha256="+githubSum, "X-Hub-Signature-256", "sha256="+githubSum), githubBody, start, errTwoProofs},

		{"base64", plain, githubKey, header("X-Sum", githubB64), githubBody, start, nil},
		{"base64, of the web", plain, githubKey, header("X-Sum", strings.ReplaceAll(githubB64, "/", "_")), githubBody, start, errBadProof},
		{"hex where base64 is wanted", plain, githubKey, header("X-Sum", githubSum), githubBody, start, errBadProof},
		{"own prefix", prefixed, githubKey, header("X-Sum", "hmac "+githubSum), githubBody, start, nil},
		{"own prefix missing", prefixed, githubKey, header("X-Sum", githubSum), githubBody, start, errBadProof},

		{"Slack's example", slack, slackKey, slackHead, slackBody, slackTime, nil},
		{"at the end of the window", slack, slackKey, slackHead, slackBody, slackTime.Add(5 * time.Minute), nil},
		{"after the window", slack, slackKey, slackHead, slackBody, slackTime.Add(5*time.Minute + time.Second), errStale},
		{"before the window", slack, slackKey, slackHead, slackBody, slackTime.Add(-5*time.Minute - time.Second), errStale},
		{"Slack in capitals", slack, slackKey, with(slackHead, "X-Slack-Signature", "v0="+strings.ToUpper(slackSum[3:])), slackBody, slackTime, errBadProof},
		{"another version", slack, slackKey, with(slackHead, "X-Slack-Signature", "v1="+slackSum[3:]), slackBody, slackTime, errBadProof},
		{"another time", slack, slackKey, with(slackHead, "X-Slack-Request-Timestamp", "1531420619"), slackBody, slackTime, errBadProof},
		{"no time", slack, slackKey, header("X-Slack-Signature", slackSum), slackBody, slackTime, errNoProof},
		{"no signature", slack, slackKey, header("X-Slack-Request-Timestamp", slackStamp), slackBody, slackTime, errNoProof},
		{"two times", slack, slackKey, header("X-Slack-Signature", slackSum, "X-Slack-Request-Timestamp", slackStamp, "X-Slack-Request-Timestamp", slackStamp), slackBody, slackTime, errTwoProofs},

		{"PagerDuty", pager, pagerKey, header("X-PagerDuty-Signature", "v1="+pagerSum), pagerBody, start, nil},
		{"while the secret is rotated", pager, pagerKey, header("X-PagerDuty-Signature", "v1="+githubSum+", v1="+pagerSum), pagerBody, start, nil},
		{"of a later version alone", pager, pagerKey, header("X-PagerDuty-Signature", "v2="+pagerSum), pagerBody, start, errBadProof},
		{"bare", pager, pagerKey, header("X-PagerDuty-Signature", pagerSum), pagerBody, start, errBadProof},
		{"others", pager, pagerKey, header("X-PagerDuty-Signature", "v1=00,v1=zz,,v1="), pagerBody, start, errBadProof},
		{"two lists", pager, pagerKey, header("X-PagerDuty-Signature", "v1=00", "X-PagerDuty-Signature", "v1="+pagerSum), pagerBody, start, errTwoProofs},

		{"bearer", bearer, "sesame", header("Authorization", "Bearer sesame"), "", start, nil},
		{"bearer in small letters", bearer, "sesame", header("Authorization", "bearer sesame"), "", start, nil},
		{"another bearer", bearer, "sesame", header("Authorization", "Bearer sesam"), "", start, errBadProof},
		{"bearer with more", bearer, "sesame", header("Authorization", "Bearer sesame "), "", start, errBadProof},
		{"no bearer", bearer, "sesame", header("Authorization", "sesame"), "", start, errBadProof},
		{"short", bearer, "sesame", header("Authorization", "B"), "", start, errBadProof},
		{"no authorization", bearer, "sesame", header(), "", start, errNoProof},
		{"two bearers", bearer, "sesame", header("Authorization", "Bearer x", "Authorization", "Bearer sesame"), "", start, errTwoProofs},

		{"basic", basic, "se:same", header("Authorization", basicOf("tool:se:same")), "", start, nil},
		{"another user", basic, "sesame", header("Authorization", basicOf("fool:sesame")), "", start, errBadProof},
		{"another password", basic, "sesame", header("Authorization", basicOf("tool:same")), "", start, errBadProof},
		{"no colon", basic, "sesame", header("Authorization", basicOf("toolsesame")), "", start, errBadProof},
		{"bearer where basic is wanted", basic, "sesame", header("Authorization", "Bearer sesame"), "", start, errBadProof},
		{"no basic", basic, "sesame", header(), "", start, errNoProof},

		{"header", shared, "sesame", header("X-Key", "sesame"), "", start, nil},
		{"another value", shared, "sesame", header("X-Key", "Sesame"), "", start, errBadProof},
		{"empty value", shared, "sesame", header("X-Key", ""), "", start, errBadProof},
		{"no header", shared, "sesame", header(), "", start, errNoProof},
		{"Okta", okta, "sesame", header("Authorization", "sesame"), "", start, nil},
		{"not Okta", okta, "sesame", header("Authorization", "Bearer sesame"), "", start, errBadProof},

		// With no key everybody can sign.
		{"no key: signature", github, "", header("X-Hub-Signature-256", "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"), "", start, errNoSecret},
		{"no key: Slack", slack, "", header("X-Slack-Request-Timestamp", slackStamp, "X-Slack-Signature", "v0=99f48c615873e238b476b395be49bf9d12238c305d200a934d065a003433bd22"), "", slackTime, errNoSecret},
		{"no key: bearer", bearer, "", header("Authorization", "Bearer "), "", start, errNoSecret},
		{"no key: basic", basic, "", header("Authorization", basicOf("tool:")), "", start, errNoSecret},
		{"no key: header", shared, "", header("X-Key", ""), "", start, errNoSecret},
		{"no scheme", alert.Verify{}, "sesame", header("", "x"), "", start, errNoScheme},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := secret.New(tt.key)
			err := verifyHead(tt.verify, key, tt.header)
			if err == nil {
				err = verifyBody(tt.verify, key, tt.header, []byte(tt.body), tt.now)
			}
			var no *refusal
			if errors.As(err, &no); no != tt.want || err != nil && no == nil {
				t.Errorf("refused %v, want %v", err, tt.want)
			}
		})
	}
}
