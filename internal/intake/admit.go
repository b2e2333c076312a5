package intake

import (
	"net/http"
	"net/netip"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/secret"
	"beffroi.dev/internal/web"
)

// admit checks the address and the proof of a call and returns its body. Only
// the proof of an SNS message, which is inside, is left to serveSNS.
func (in *Intake) admit(w http.ResponseWriter, r *http.Request, src *alert.Source, from netip.Addr) ([]byte, error) {
	v := src.Verify
	if !allows(v, from) {
		return nil, errAddress
	}
	key, err := in.secret(r, src)
	if err != nil {
		return nil, err
	}
	if err := verifyHead(v, key, r.Header); err != nil {
		return nil, err
	}
	body, err := web.ReadBody(w, r, src.MaxSize)
	if errs.KindOf(err) == errs.TooLarge {
		return nil, &refusal{Reason: "too_large", Kind: errs.TooLarge, Say: err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return body, verifyBody(v, key, r.Header, body, in.c.Now())
}

// allows says whether calls from the address are taken at all. A list keeps
// out who cannot be named; where the list is the only proof, there must be one.
func allows(v alert.Verify, from netip.Addr) bool {
	if len(v.Allow) == 0 {
		return v.Scheme != alert.SchemeNone
	}
	return from.IsValid() && v.Allows(from)
}

// secret is what calls to the source are verified with. While it cannot be
// had the source is not ready: the tool should try again.
func (in *Intake) secret(r *http.Request, src *alert.Source) (secret.String, error) {
	if !needsKey(src.Verify.Scheme) {
		return secret.String{}, nil
	}
	key, err := in.c.Secrets(r.Context(), src.Verify.Secret)
	if err != nil {
		in.c.Log.ErrorContext(r.Context(), "call refused: the source's secret cannot be had", "source", src.Name, "err", err)
		return secret.String{}, errNoSecret
	}
	return key, nil
}
