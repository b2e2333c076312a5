package intake

import (
	"net/http"
	"strings"
	"testing"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/expr"
	"beffroi.dev/internal/secret"
)

// FuzzParse: no body makes parse panic, hold more events than it may, or
// differ from what the decoder says of a body that is one value.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"{}", "[]\n{}", "\ufeff1", "payload=%7B%7D", "{\n}", "1\n\n2\r\n", "{\"a\":1}\n{", "", "\n", "nul", "\"\\ud800\""} {
		f.Add([]byte(s), "application/json")
		f.Add([]byte(s), "application/x-www-form-urlencoded")
		f.Add([]byte(s), "multipart/form-data; boundary=\"")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		events, err := parse(body, header("Content-Type", contentType))
		if err != nil && events != nil || len(events) > maxEvents {
			t.Errorf("%d events, %v", len(events), err)
		}
		if err != nil && refusalOf(err) == nil {
			t.Errorf("error %v is not for the caller", err)
		}
		if v, jsonErr := expr.FromJSON(body); jsonErr == nil && !strings.Contains(strings.ToLower(contentType), "form") {
			want(t, "one value", []any{v}, events)
		}
		greet(alert.SchemeSlack, nil, body)
	})
}

// FuzzVerify: no header passes that does not hold the secret or a signature
// made with it, and none panics.
func FuzzVerify(f *testing.F) {
	schemes := []alert.Verify{
		{Scheme: alert.SchemeGitHub},
		{Scheme: alert.SchemeHMAC, Header: "X-Sum", Encoding: "base64"},
		{Scheme: alert.SchemeSlack},
		{Scheme: alert.SchemePagerDuty},
		{Scheme: alert.SchemeBearer},
		{Scheme: alert.SchemeBasic, User: "tool"},
		{Scheme: alert.SchemeHeader, Header: "X-Key"},
		{},
	}
	f.Add("sha256="+githubSum, slackStamp, []byte(githubBody))
	f.Add("v0=00", slackStamp, []byte(""))
	f.Add("v1=00,v1=", "-9223372036854775808", []byte(""))
	f.Add("Bearer ", "", []byte(""))
	f.Add("Basic dG9vbDo=", "", []byte(""))
	const key = "a secret that no input holds"
	f.Fuzz(func(t *testing.T, proof, stamp string, body []byte) {
		if strings.Contains(proof, key) {
			return
		}
		h := http.Header{}
		for _, name := range []string{githubSignature, slackSignature, pagerDutySignature, "X-Sum", "X-Key", "Authorization"} {
			h.Set(name, proof)
		}
		h.Set(slackTimestamp, stamp)
		for _, v := range schemes {
			err := verifyHead(v, secret.New(key), h)
			if err == nil {
				err = verifyBody(v, secret.New(key), h, body, slackTime)
			}
			if refusalOf(err) == nil {
				t.Errorf("scheme %q took %q: %v", v.Scheme, proof, err)
			}
		}
	})
}

// FuzzSNS: no message is taken that Amazon did not sign, nothing is fetched but
// from Amazon, and none panics.
func FuzzSNS(f *testing.F) {
	w, a := subscribed(f)
	w.in.sns.pace.SetLimit(1e9)
	for _, version := range []string{"1", "2"} {
		m := a.message(version, nil)
		f.Add([]byte(strings.Replace(m, "An alert", "No alert", 1)))
		f.Add([]byte(strings.ToUpper(m)))
	}
	f.Add([]byte(`{"Type":"SubscriptionConfirmation","TopicArn":"` + topic + `","Signature":"AA==","SigningCertURL":"` + certURL + `","SubscribeURL":"` + subscribe + `"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w.fetched = nil
		if _, err := w.in.sns.open(t.Context(), []string{topic}, body, start); err == nil {
			t.Errorf("taken: %s", body)
		}
		for _, address := range w.fetched {
			if address != issuerURL && !certPath.MatchString(strings.TrimPrefix(address, "https://sns.eu-west-1.amazonaws.com")) {
				t.Errorf("fetched %s", address)
			}
		}
	})
}

// FuzzCaller: no header makes a caller of whom no proxy spoke.
func FuzzCaller(f *testing.F) {
	f.Add("10.0.0.1:80", "203.0.113.7, 10.0.0.2")
	f.Add("[::1%x]:80", "[::1]:9,")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: header("X-Forwarded-For", forwarded)}
		if got := proxies(nil).caller(r); got != parseAddr(peer) {
			t.Errorf("caller %s of peer %s", got, peer)
		}
		parseCerts([]byte(forwarded))
	})
}
