package document

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// shape says what a node is, in plain words, for messages.
func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a map"
	default:
	}
	switch v, err := scalar(n); v.(type) {
	case nil:
		if err == nil {
			return "nothing"
		}
		return "a number"
	case bool:
		return n.Value
	case string:
		return "a string"
	default:
		return "a number"
	}
}

// describe is [shape] with the value, if that is short.
func describe(n *yaml.Node) string {
	s := shape(n)
	switch {
	case len(n.Value) > 40 || strings.Contains(n.Value, "\n"):
	case s == "a string":
		return "the string " + strconv.Quote(n.Value)
	case s == "a number":
		return "the number " + n.Value
	}
	return s
}

// isEmpty reports whether nothing was written for a value: "key:".
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0
}

// isNull reports whether a value is absent or says so.
func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// These are the numbers of the YAML 1.2 core schema (section 10.3.2).
var (
	reInt   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	reBased = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	reFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	reInf   = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// scalar returns the JSON value of a scalar by the core schema: quoted is a
// string, only true and false are booleans, integers are int64. What would
// silently lose something is an error: a leading zero, too many digits.
func scalar(n *yaml.Node) (any, error) {
	if n.Style != 0 {
		return n.Value, nil
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	if c := n.Value[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return n.Value, nil
	}
	return number(n.Value)
}

// number returns the number that s is, or s when it is none.
func number(s string) (any, error) {
	switch {
	case reInt.MatchString(s):
		digits := strings.TrimLeft(s, "+-")
		if len(digits) > 1 && digits[0] == '0' {
			return nil, fmt.Errorf("the number %s has a leading zero", s)
		}
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s has too many digits", s)
		}
		return i, nil
	case reBased.MatchString(s):
		i, err := strconv.ParseInt(s, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s has too many digits", s)
		}
		return i, nil
	case reFloat.MatchString(s):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, fmt.Errorf("the number %s is too large", s)
		}
		return f, nil
	case reInf.MatchString(s):
		return nil, fmt.Errorf("%s is not a number that JSON knows", s)
	}
	return s, nil
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$`

var (
	reDuration     = regexp.MustCompile(durationPattern)
	reDurationPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)`)
)

// ParseDuration reads a length of time as documents write it: 90s, 15m, 2h30m,
// 7d, 2w. A day has 24 hours. "0" is no time at all.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a length of time", s)
	if s == "0" {
		return 0, nil
	}
	if !reDuration.MatchString(s) {
		return 0, bad
	}
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
		"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	var sum float64
	for _, part := range reDurationPart.FindAllStringSubmatch(s, -1) {
		f, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, bad
		}
		sum += f * float64(units[part[2]])
	}
	if sum > float64(100*365*24*time.Hour) {
		return 0, fmt.Errorf("%q is longer than a hundred years", s)
	}
	return time.Duration(sum), nil
}
