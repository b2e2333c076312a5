package expr

import (
	"strings"

	"cel.dev/cel-go/common/types/ref"
)

// typeName returns what a person calls a type.
func typeName(t ref.Type) string { return nameType(t.TypeName()) }

// nameType does the same for a type as CEL's messages write it.
func nameType(s string) string {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "wrapper("); ok {
		s = strings.TrimSuffix(inner, ")")
	}
	switch {
	case s == "string":
		return "text"
	case s == "int" || s == "uint":
		return "a whole number"
	case s == "double":
		return "a number"
	case s == "bool":
		return "true or false"
	case s == "null_type" || s == "null":
		return "null"
	case s == "bytes":
		return "bytes"
	case strings.HasSuffix(s, "timestamp") || strings.HasSuffix(s, "Timestamp"):
		return "a time"
	case strings.HasSuffix(s, "duration") || strings.HasSuffix(s, "Duration"):
		return "a duration"
	case strings.HasPrefix(s, "list"):
		return "a list"
	case strings.HasPrefix(s, "map") || strings.HasPrefix(s, "object "):
		return "a map"
	case strings.HasPrefix(s, "optional"):
		return "an optional value"
	case strings.HasPrefix(s, "type"):
		return "a type"
	case s == "dyn" || s == "any" || strings.HasPrefix(s, "_var"):
		return "some value"
	default:
		return s
	}
}

// splitTypes cuts "(int, list(string)), …" at its outer commas.
func splitTypes(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	if last := strings.TrimSpace(s[start:]); last != "" {
		out = append(out, last)
	}
	return out
}

// oneOf lists names after a prefix, or says none.
func oneOf(none, prefix string, names []string) string {
	if len(names) == 0 {
		return none
	}
	if len(names) > 30 {
		names = append(append([]string{}, names[:30]...), "…")
	}
	return prefix + strings.Join(names, ", ")
}
