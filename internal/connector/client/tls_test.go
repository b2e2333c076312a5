package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"beffroi.dev/internal/connector"
)

// selfSigned returns a client certificate and its key as PEM.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"client"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Total", strings.Repeat("c", len(r.TLS.PeerCertificates)))
		_, _ = w.Write([]byte(r.Proto))
	}))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	cert, key := selfSigned(t)
	_, otherKey := selfSigned(t)

	t.Run("an unknown authority", func(t *testing.T) {
		r := newRig(t)
		_, err := r.call(t, to(t, s), get("/"))
		if f := failed(t, err, connector.Network); f.Sent || !strings.Contains(f.Msg, "certificate signed by unknown authority") {
			t.Errorf("failure %+v", f)
		}
	})
	t.Run("the authority of the document", func(t *testing.T) {
		r := newRig(t)
		res, err := r.call(t, to(t, s, func(s *connector.Spec) { s.TLS.CA = ca }), get("/"))
		if err != nil || res.Body != "HTTP/2.0" || res.Headers["x-total"] != "" {
			t.Errorf("got %+v, %v", res, err)
		}
	})
	with := func(s *connector.Spec) { s.TLS = connector.TLS{CA: ca, Certificate: "crt", Key: "key"} }
	t.Run("a client certificate", func(t *testing.T) {
		r := newRig(t)
		r.vault.set("crt", cert)
		r.vault.set("key", key)
		res, err := r.call(t, to(t, s, with), get("/"))
		if err != nil || res.Headers["x-total"] != "c" {
			t.Errorf("got %+v, %v", res, err)
		}
	})
	t.Run("a key of another certificate", func(t *testing.T) {
		r := newRig(t)
		r.vault.set("crt", cert)
		r.vault.set("key", otherKey)
		_, err := r.call(t, to(t, s, with), get("/"))
		if f := failed(t, err, connector.Denied); f.Sent || strings.Contains(f.Error(), "PRIVATE") {
			t.Errorf("failure %+v", f)
		}
	})
}

func TestWhatIsDownIsLeftAlone(t *testing.T) {
	r := newRig(t)
	calls := 0
	up := false
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if !up {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	c := to(t, s)
	for range 10 {
		_, err := r.call(t, c, get("/"))
		fails(t, err, connector.HTTP)
	}
	for range 5 {
		_, err := r.call(t, c, get("/"))
		if f := failed(t, err, connector.Unavailable); f.RetryAfter <= 0 || f.Sent {
			t.Errorf("failure %+v", f)
		}
	}
	if calls != 10 {
		t.Errorf("%d calls arrived, want 10", calls)
	}
	up = true
	r.advance(6 * time.Second)
	if _, err := r.call(t, c, get("/")); err != nil {
		t.Error(err)
	}
}
