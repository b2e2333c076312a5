package expr

// AppendJSON appends a JSON value in one line, with the keys in order, so that
// equal values give equal texts. It is a few times faster than encoding/json on
// the values that FromJSON and Eval give; values of other types are left to
// encoding/json, and a number that JSON does not have becomes null.
func AppendJSON(dst []byte, v any) []byte { return appendJSON(dst, v) }
