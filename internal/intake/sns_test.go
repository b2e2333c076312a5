package intake

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SignatureVersion 1 of SNS is SHA-1
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	topic     = "arn:aws:sns:eu-west-1:123456789012:alerts"
	certURL   = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
	issuerURL = "http://crt.r2m01.amazontrust.com/r2m01.cer"
	bySNS     = `{ scheme: sns, topics: ["` + topic + `"] }`
)

// An authority is what stands behind the certificates of SNS: a root that is
// trusted, one between that is published, and SNS's own, which is served alone.
type authority struct {
	testing.TB
	rootKey, betweenKey, key *rsa.PrivateKey
	root, between            *x509.Certificate
}

// keys are made once: that takes long.
var keys = sync.OnceValue(func() (out [3]*rsa.PrivateKey) {
	for i := range out {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = k
	}
	return out
})

func newAuthority(t testing.TB) *authority {
	k := keys()
	a := &authority{TB: t, rootKey: k[0], betweenKey: k[1], key: k[2]}
	a.root = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true}, nil, a.rootKey, a.rootKey)
	a.between = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "Between"}, IsCA: true, BasicConstraintsValid: true}, a.root, a.betweenKey, a.rootKey)
	return a
}

// issue signs a certificate that holds for a year.
func (a *authority) issue(c, by *x509.Certificate, key any, signer any) *x509.Certificate {
	a.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = start.Add(-24*time.Hour), start.Add(365*24*time.Hour)
	}
	if by == nil {
		by = c
	}
	public := key
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		public = k.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, public, signer)
	if err != nil {
		a.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return out
}

// leaf is a certificate for names, whose issuer is published at an address.
func (a *authority) leaf(issuer string, names ...string) *x509.Certificate {
	a.Helper()
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IssuingCertificateURL: []string{issuer}}, a.between, a.key, a.betweenKey)
}

func inPEM(certs ...*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// message is what SNS sends, signed after it was changed.
func (a *authority) message(version string, change func(m map[string]string)) string {
	a.Helper()
	m := map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": topic, "Subject": "An alert",
		"Message": `{"id":"1","title":"A"}`, "Timestamp": "2026-11-22T07:59:00.655Z", "SignatureVersion": version,
		"SigningCertURL": certURL, "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
	if change != nil {
		change(m)
	}
	m["Signature"] = a.sign(m)
	return encode(a, m)
}

func encode(t testing.TB, m map[string]string) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sign follows the text of Amazon's page, not our code.
func (a *authority) sign(m map[string]string) string {
	a.Helper()
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m["Type"] != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var text strings.Builder
	for _, n := range names {
		if v, ok := m[n]; ok {
			text.WriteString(n + "\n" + v + "\n")
		}
	}
	var sig []byte
	var err error
	if m["SignatureVersion"] == "1" {
		sum := sha1.Sum([]byte(text.String())) //nolint:gosec // see the import
		sig, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA1, sum[:])
	} else {
		sum := sha256.Sum256([]byte(text.String()))
		sig, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	}
	if err != nil {
		a.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// subscribed is an intake that trusts the authority.
func subscribed(t testing.TB) (*world, *authority) {
	w, a := newWorld(t, map[string]string{"aws": bySNS}), newAuthority(t)
	w.in.sns.roots = x509.NewCertPool()
	w.in.sns.roots.AddCert(a.root)
	w.pages[certURL] = inPEM(a.leaf(issuerURL, "sns.amazonaws.com"))
	w.pages[issuerURL] = a.between.Raw // in DER, as Amazon publishes it
	return w, a
}

func (w *world) sns(body string) string {
	w.Helper()
	return w.call(call{Source: "aws", Body: body, Header: header("Content-Type", "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type", "Notification")}).String()
}

const (
	taken     = `202 {"alerts":[{"alert":"alert/0","case":"case/0","outcome":"opens"}]}`
	badProof  = "401 the proof of where the call comes from does not hold"
	notNow    = "503 the signature cannot be checked now: try again"
	subscribe = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=y"
)

func TestSNS(t *testing.T) {
	set := func(pairs ...string) func(map[string]string) {
		return func(m map[string]string) {
			for i := 0; i < len(pairs); i += 2 {
				m[pairs[i]] = pairs[i+1]
			}
		}
	}
	confirmation := set("Type", "SubscriptionConfirmation", "Token", "y", "SubscribeURL", subscribe)
	for _, tt := range []struct {
		name    string
		version string
		change  func(map[string]string) // before it is signed
		spoil   func(map[string]string) // after
		want    string
		reason  string   // of the record
		fetched []string // beside the certificates
	}{
		{name: "version 1", version: "1", want: taken},
		{name: "version 2", version: "2", want: taken},
		{name: "no subject", version: "2", change: func(m map[string]string) { delete(m, "Subject") }, want: taken},
		{name: "an empty subject", version: "2", change: set("Subject", ""), want: taken},
		{name: "in plain text", version: "2", change: set("Message", "The disk is full\nSee to it"), want: taken},
		{name: "a batch", version: "1", change: set("Message", `{"alerts":[]}`), want: `202 {"alerts":[]}`},
		{name: "sent again for 23 days", version: "2", change: set("Timestamp", "2026-10-30T08:00:00.000Z"), want: taken},

		{name: "another message", version: "2", spoil: set("Message", `{"id":"2"}`), want: badProof, reason: "bad_proof"},
		{name: "another subject", version: "1", spoil: set("Subject", "Nothing"), want: badProof, reason: "bad_proof"},
		{name: "no signature", version: "1", spoil: set("Signature", ""), want: "401 the call carries no proof of where it comes from", reason: "no_proof"},
		{name: "no base64", version: "1", spoil: set("Signature", "?"), want: badProof, reason: "bad_proof"},
		{name: "signed by another", version: "2", spoil: set("Signature", base64.StdEncoding.EncodeToString(make([]byte, 256))), want: badProof, reason: "bad_proof"},
		{name: "said to be of version 1", version: "2", spoil: set("SignatureVersion", "1"), want: badProof, reason: "bad_proof"},
		{name: "of a version to come", version: "3", want: badProof, reason: "bad_proof"},
		{name: "another topic", version: "2", change: set("TopicArn", topic+"2"), want: badProof, reason: "topic"},
		{name: "too old", version: "2", change: set("Timestamp", "2026-10-29T07:59:59.000Z"), want: "403 the call is too old, or comes from the future", reason: "stale"},
		{name: "from the future", version: "2", change: set("Timestamp", "2026-11-22T08:05:01.000Z"), want: "403 the call is too old, or comes from the future", reason: "stale"},
		{name: "no time", version: "2", change: set("Timestamp", "yesterday"), want: badProof, reason: "bad_proof"},
		{name: "another type", version: "2", change: set("Type", "notification"), want: badProof, reason: "bad_proof"},

		{name: "a subscription", version: "1", change: confirmation, want: `200 {"confirmed":"` + topic + `"}`, fetched: []string{subscribe}},
		{name: "a subscription, version 2", version: "2", change: confirmation, want: `200 {"confirmed":"` + topic + `"}`, fetched: []string{subscribe}},
		{name: "a subscription to another topic", version: "2", change: func(m map[string]string) { confirmation(m); m["TopicArn"] = "arn:aws:sns:eu-west-1:666:evil" }, want: badProof, reason: "topic"},
		{name: "a subscription that leads elsewhere", version: "2", change: func(m map[string]string) {
			confirmation(m)
			m["SubscribeURL"] = "https://sns.eu-west-1.amazonaws.com.example.org/"
		}, want: badProof, reason: "bad_proof"},
		{name: "a subscription that was changed", version: "2", change: confirmation, spoil: set("SubscribeURL", subscribe+"z"), want: badProof, reason: "bad_proof"},
		{name: "a subscription that Amazon does not answer", version: "2", change: func(m map[string]string) { confirmation(m); m["SubscribeURL"] = subscribe + "z" }, want: "503 the subscription cannot be confirmed now: try again", fetched: []string{subscribe + "z"}},
		{name: "the end of a subscription", version: "2", change: func(m map[string]string) { confirmation(m); m["Type"] = "UnsubscribeConfirmation" }, want: `200 {"unsubscribed":"` + topic + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, a := subscribed(t)
			w.pages[subscribe] = []byte("<ConfirmSubscriptionResponse/>")
			var m map[string]string
			if err := json.Unmarshal([]byte(a.message(tt.version, tt.change)), &m); err != nil {
				t.Fatal(err)
			}
			if tt.spoil != nil {
				tt.spoil(m)
			}
			want(t, "answer", tt.want, w.sns(encode(t, m)))
			if tt.reason != "" {
				want(t, "records", []string{"hook.refused source/aws | " + tt.reason + " | 192.0.2.1"}, w.records(0))
			}
			var fetched []string
			for _, address := range w.fetched {
				if address != certURL && address != issuerURL {
					fetched = append(fetched, address)
				}
			}
			want(t, "fetched", tt.fetched, fetched)
		})
	}
}

// What playbooks get is the message, as the source does.
func TestSNSHooks(t *testing.T) {
	w, a := subscribed(t)
	w.sns(a.message("2", nil))
	w.sns(a.message("2", func(m map[string]string) { m["Message"] = "plain" }))
	want(t, "message", any(map[string]any{"id": "1", "title": "A"}), w.hooked[0])
	if m, ok := w.hooked[1].(map[string]any); !ok || m["Message"] != "plain" {
		t.Errorf("plain text: %v", w.hooked[1])
	}
	want(t, "certificates", []string{certURL, issuerURL}, w.fetched) // once
}

// The text that is signed has no escapes: whoever may publish to a topic of his
// own can write a message that reads like the end of another's. It is refused.
func TestSNSOtherTopicInTheMessage(t *testing.T) {
	w, a := subscribed(t)
	forged := `{"id":"1","title":"Forged"}`
	var m map[string]string
	err := json.Unmarshal([]byte(a.message("2", func(m map[string]string) {
		m["TopicArn"] = "arn:aws:sns:eu-west-1:666:evil"
		m["Message"] = forged + "\nMessageId\nx\nTimestamp\n2026-11-22T07:59:00.655Z\nTopicArn\n" + topic + "\nType\nNotification"
		delete(m, "Subject")
	})), &m)
	if err != nil {
		t.Fatal(err)
	}
	rest := "\nMessageId\n" + m["MessageId"] + "\nTimestamp\n" + m["Timestamp"] + "\nTopicArn\n" + m["TopicArn"] + "\nType\nNotification"
	for _, change := range []map[string]string{
		{"Message": forged, "MessageId": "x", "TopicArn": topic, "Type": "Notification" + rest},
		{"Message": forged, "MessageId": "x", "TopicArn": topic + "\nType\nNotification" + strings.TrimSuffix(rest, "\nType\nNotification")},
		{"Message": forged, "MessageId": "x\nTimestamp\n2026-11-22T07:59:00.655Z\nTopicArn\n" + topic + "\nType\nNotification\nMessageId\n" + m["MessageId"], "TopicArn": m["TopicArn"]},
	} {
		f := map[string]string{}
		maps.Copy(f, m)
		maps.Copy(f, change)
		want(t, "forged", badProof, w.sns(encode(t, f)))
	}
	if w.in.Counts.Alerts.Load() > 0 {
		t.Error("an alert was taken")
	}
}

// Only Amazon's own certificates are fetched, and believed.
func TestSNSCertificate(t *testing.T) {
	at := func(address string) func(map[string]string) {
		return func(m map[string]string) { m["SigningCertURL"] = address }
	}
	for _, tt := range []struct {
		name    string
		message func(map[string]string)
		pages   func(w *world, a *authority)
		want    string
		fetched int
	}{
		{"as Amazon has it", nil, nil, taken, 2},
		{"of a later region", at("https://sns.af-south-1.amazonaws.com/SimpleNotificationService-1.pem"), func(w *world, a *authority) {
			w.pages["https://sns.af-south-1.amazonaws.com/SimpleNotificationService-1.pem"] = inPEM(a.leaf(issuerURL, "sns-signing.af-south-1.amazonaws.com", "sns.af-south-1.amazonaws.com"))
		}, taken, 2},
		{"of China", at("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"), func(w *world, a *authority) {
			w.pages["https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"] = inPEM(a.leaf(issuerURL, "sns-cn-north-1.amazonaws.com.cn"))
		}, taken, 2},
		{"of GovCloud", at("https://sns.us-gov-east-1.amazonaws.com/SimpleNotificationService-1.pem"), func(w *world, a *authority) {
			w.pages["https://sns.us-gov-east-1.amazonaws.com/SimpleNotificationService-1.pem"] = inPEM(a.leaf(issuerURL, "sns-us-gov-west-1.amazonaws.com"))
		}, taken, 2},
		{"with the one between", nil, func(w *world, a *authority) { w.pages[certURL] = inPEM(a.leaf("", "sns.amazonaws.com"), a.between) }, taken, 1},
		{"issuer in PEM", nil, func(w *world, a *authority) { w.pages[issuerURL] = inPEM(a.between) }, taken, 2},

		{"http", at("http" + certURL[5:]), nil, badProof, 0},
		{"another host", at("https://sns.eu-west-1.example.org/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"a host that looks so", at("https://sns.eu-west-1.amazonaws.com.example.org/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"a bucket", at("https://sns.s3.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"a user", at("https://sns.eu-west-1.amazonaws.com@example.org/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"a port", at("https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"another path", at("https://sns.eu-west-1.amazonaws.com/x/SimpleNotificationService-1.pem"), nil, badProof, 0},
		{"a query", at(certURL + "?Action=Publish"), nil, badProof, 0},
		{"a fragment", at(certURL + "#x"), nil, badProof, 0},
		{"no address", at("::"), nil, badProof, 0},

		{"not there", at("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-404.pem"), nil, notNow, 1},
		{"a page", nil, func(w *world, _ *authority) { w.pages[certURL] = []byte("<html>") }, notNow, 1},
		{"another thing in PEM", nil, func(w *world, _ *authority) {
			w.pages[certURL] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
		}, notNow, 1},
		{"for another name", nil, func(w *world, a *authority) { w.pages[certURL] = inPEM(a.leaf(issuerURL, "evil.example.org")) }, notNow, 1},
		{"for many names", nil, func(w *world, a *authority) { w.pages[certURL] = inPEM(a.leaf(issuerURL, "*.amazonaws.com")) }, notNow, 1},
		{"for another region", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.leaf(issuerURL, "sns.us-east-1.amazonaws.com"))
		}, notNow, 1},
		{"by itself", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"sns.amazonaws.com"}}, nil, a.key, a.key))
		}, notNow, 1},
		{"run out", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}, NotBefore: start.Add(-2 * time.Hour), NotAfter: start.Add(-time.Hour)}, a.between, a.key, a.betweenKey), a.between)
		}, notNow, 1},
		{"with a key of another kind", nil, func(w *world, a *authority) {
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			w.pages[certURL] = inPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, a.between, k, a.betweenKey))
		}, notNow, 1},
		{"issuer elsewhere", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.leaf("http://example.org/ca.cer", "sns.amazonaws.com"))
		}, notNow, 1},
		{"issuer that looks like Amazon's", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.leaf("http://xamazontrust.com/ca.cer", "sns.amazonaws.com"))
		}, notNow, 1},
		{"issuer in a file", nil, func(w *world, a *authority) {
			w.pages[certURL] = inPEM(a.leaf("file://crt.amazontrust.com/ca.cer", "sns.amazonaws.com"))
		}, notNow, 1},
		{"issuer not there", nil, func(w *world, _ *authority) { delete(w.pages, issuerURL) }, notNow, 2},
		{"issuer that is none", nil, func(w *world, _ *authority) { w.pages[issuerURL] = []byte("x") }, notNow, 2},
		{"issuer that is another", nil, func(w *world, a *authority) { w.pages[issuerURL] = a.root.Raw }, notNow, 2},
		{"issuers for ever", nil, func(w *world, a *authority) {
			w.pages[issuerURL] = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "Between"}, IsCA: true, BasicConstraintsValid: true, IssuingCertificateURL: []string{issuerURL}}, &x509.Certificate{Subject: pkix.Name{CommonName: "Nobody"}}, a.betweenKey, a.rootKey).Raw
		}, notNow, 1 + maxBetween},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, a := subscribed(t)
			if tt.pages != nil {
				tt.pages(w, a)
			}
			want(t, "answer", tt.want, w.sns(a.message("2", tt.message)))
			if len(w.fetched) != tt.fetched {
				t.Errorf("fetched %v", w.fetched)
			}
			if tt.want == notNow && !strings.Contains(w.said.String(), "cannot be checked now") {
				t.Error("nothing was said about it")
			}
		})
	}
}

// A certificate is believed until it or one above it runs out.
func TestSNSCertificateIsFetchedAgain(t *testing.T) {
	w, a := subscribed(t)
	soon := a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}, a.between, a.key, a.betweenKey)
	w.pages[certURL] = inPEM(soon, a.between)
	for range 5 {
		want(t, "answer", 202, status(w.sns(a.message("2", nil))))
	}
	w.pass(time.Hour)
	w.pages[certURL] = inPEM(a.leaf(issuerURL, "sns.amazonaws.com"), a.between)
	want(t, "answer", 202, status(w.sns(a.message("2", nil))))
	want(t, "fetched", []string{certURL, certURL}, w.fetched)
}

func status(answer string) int {
	n := 0
	for _, c := range answer[:3] {
		n = 10*n + int(c-'0')
	}
	return n
}

// Strangers, who know the topic, cannot have us fetch without end; and many
// messages that wait for one certificate fetch it once.
func TestSNSFetchesAreBounded(t *testing.T) {
	w, a := subscribed(t)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if got := w.sns(a.message("1", nil)); status(got) != http.StatusAccepted {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if n := len(w.fetched); n > 6 {
		t.Errorf("fetched %d times", n)
	}
	w.fetched = nil
	for i := range 100 {
		w.sns(a.message("1", func(m map[string]string) {
			m["SigningCertURL"] = strings.Replace(certURL, "0123", strings.Repeat("a", i%50), 1)
		}))
	}
	if n := len(w.fetched); n > 10 {
		t.Errorf("fetched %d times", n)
	}
}
