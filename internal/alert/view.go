package alert

import (
	"maps"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/expr"
)

// lifted are the parts of the first evidence that stand at the top of what
// expressions see, since OCSF has them only inside evidences.
var lifted = []string{"src_endpoint", "dst_endpoint", "process", "file", "url", "user", "email", "container", "http_request", "query"}

// View returns a finding as playbooks and objectives see it under the name
// alert: the OCSF finding, with src_endpoint, dst_endpoint, process, file, url,
// user, email, container, http_request and query of the first evidence that
// has them. The finding stays as it is.
func View(finding map[string]any) map[string]any {
	out := maps.Clone(finding)
	list, _ := finding["evidences"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		for _, key := range lifted {
			if v, ok := m[key]; ok && out[key] == nil {
				out[key] = v
			}
		}
	}
	return out
}

// Type describes what [View] returns, so that a wrong path in a playbook is
// found when it is planned.
func Type() *expr.Type {
	fields := typesOf(ocsf().Class, 0)
	for _, key := range lifted {
		fields[key] = typeOf(ocsf().Objects["evidences"].Attributes[key], 0)
	}
	return expr.Object(fields)
}

// maxTypeDepth ends what OCSF nests without end: a process has a parent.
const maxTypeDepth = 4

func typesOf(o *object, depth int) map[string]*expr.Type {
	fields := make(map[string]*expr.Type, len(o.Attributes))
	for key, a := range o.Attributes {
		fields[key] = typeOf(a, depth)
	}
	return fields
}

func typeOf(a *attribute, depth int) *expr.Type {
	var t *expr.Type
	switch {
	case a.object != nil && depth >= maxTypeDepth, a.Type == "object", a.Type == "json_t":
		return expr.Dyn()
	case a.object != nil:
		t = expr.Object(typesOf(a.object, depth+1))
	default:
		t = scalarExpr(a.Type)
	}
	if a.Array {
		return expr.List(t)
	}
	return t
}

func scalarExpr(name string) *expr.Type {
	switch name {
	case "boolean_t":
		return expr.Bool()
	case "integer_t", "long_t", "port_t", "timestamp_t":
		return expr.Int()
	case "float_t":
		return expr.Double()
	}
	return expr.String()
}

func invalidBatch(source, problem string) error {
	return errs.Hint(errs.Invalid, "look at batch: of source/"+source, "the body holds no events as the source expects them: %s", problem)
}
