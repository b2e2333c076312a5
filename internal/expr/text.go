package expr

import (
	"encoding/json"
	"strconv"
)

// text writes a JSON value into a text.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			panic("internal error: a JSON value does not marshal: " + err.Error())
		}
		return string(b)
	}
}
