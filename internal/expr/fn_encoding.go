package expr

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // names files in threat intelligence; protects nothing
	"crypto/sha1" //nolint:gosec // names files in threat intelligence; protects nothing
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

func encodingFunctions() []function {
	return []function{
		digest("sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
		digest("sha1", func(b []byte) []byte { s := sha1.Sum(b); return s[:] }), //nolint:gosec // see the import
		digest("md5", func(b []byte) []byte { s := md5.Sum(b); return s[:] }),   //nolint:gosec // see the import
		one("hmac_sha256", with(tString, tString), tString, func(a []ref.Val) ref.Val {
			m := hmac.New(sha256.New, []byte(str(a[0])))
			m.Write([]byte(str(a[1])))
			return types.String(hex.EncodeToString(m.Sum(nil)))
		}),
		onTextOrBytes("base64", tString, func(b []byte) ref.Val {
			return textResult(base64.StdEncoding.EncodeToString(b))
		}),
		one("base64_decode", with(tString), tString, func(a []ref.Val) ref.Val {
			b, err := fromBase64(str(a[0]))
			if err != nil {
				return fail("base64_decode() was given what is not base64")
			}
			if !utf8.Valid(b) {
				return fail("base64_decode() found bytes that are not text; write base64.decode() for bytes")
			}
			return types.String(b)
		}),
		one("utf16_decode", with(tBytes), tString, func(a []ref.Val) ref.Val {
			return fromUTF16(textOrBytes(a[0]))
		}),
		onTextOrBytes("json", tDyn, func(b []byte) ref.Val {
			v, err := FromJSON(b)
			if err != nil {
				return types.WrapErr(err)
			}
			return types.DefaultTypeAdapter.NativeToValue(v)
		}),
		one("to_json", with(tDyn), tString, func(a []ref.Val) ref.Val {
			b, err := toJSONText(a[0])
			if err != nil {
				return types.WrapErr(err)
			}
			return textResult(string(b))
		}),
		onText("url_encode", func(s string) string {
			return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		}),
		one("url_decode", with(tString), tString, func(a []ref.Val) ref.Val {
			s, err := url.QueryUnescape(str(a[0]))
			if err != nil {
				return fail("url_decode() found a %% that two hexadecimal digits do not follow")
			}
			return types.String(strings.ToValidUTF8(s, "\uFFFD"))
		}),
	}
}

// onTextOrBytes is a function that takes either.
func onTextOrBytes(name string, result *cel.Type, f func([]byte) ref.Val) function {
	impl := func(a []ref.Val) ref.Val { return f(textOrBytes(a[0])) }
	return function{name, []overload{
		{name + "_string", false, with(tString), result, impl},
		{name + "_bytes", false, with(tBytes), result, impl},
	}}
}

func digest(name string, sum func([]byte) []byte) function {
	return onTextOrBytes(name, tString, func(b []byte) ref.Val {
		return types.String(hex.EncodeToString(sum(b)))
	})
}

// fromBase64 reads both alphabets, padded or not, and passes over white space.
func fromBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "", "\t", "").Replace(s)
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// fromUTF16 reads what PowerShell's -EncodedCommand carries: little endian,
// unless a byte order mark says otherwise.
func fromUTF16(b []byte) ref.Val {
	if len(b)%2 != 0 {
		return fail("utf16_decode() was given an odd number of bytes")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF {
		order = binary.BigEndian
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		if u := order.Uint16(b[i:]); i > 0 || u != 0xFEFF {
			units = append(units, u)
		}
	}
	return textResult(string(utf16.Decode(units)))
}
