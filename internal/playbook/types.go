package playbook

import "beffroi.dev/internal/expr"

// declareVars makes the types of what all expressions of the playbook know.
func (c *compiler) declareVars() {
	steps := map[string]*expr.Type{}
	for id, s := range c.byID {
		steps[id] = resultType(s)
	}
	vars := map[string]*expr.Type{}
	for name := range c.varNames {
		vars[name] = expr.Dyn()
	}
	inputs := map[string]*expr.Type{}
	for name, in := range c.spec.Inputs {
		inputs[name] = inputType(in.Type)
	}
	c.vars = []expr.Var{
		{Name: "alert", Type: alertType()},
		{Name: "case", Type: expr.OpenObject(nil)},
		{Name: "inputs", Type: expr.Object(inputs)},
		{Name: "vars", Type: expr.Object(vars)},
		{Name: "steps", Type: expr.Object(steps)},
		{Name: "run", Type: expr.Object(map[string]*expr.Type{
			"id": expr.String(), "started_at": expr.Timestamp(), "playbook": expr.String(),
			"version": expr.String(), "requester": expr.String(),
		})},
		{Name: "trigger", Type: expr.Object(map[string]*expr.Type{
			"kind": expr.String(), "name": expr.String(), "due": expr.String(), "record": expr.OpenObject(nil), "data": expr.Dyn(),
		})},
		{Name: "now", Type: expr.Timestamp()},
	}
}

func errorType() *expr.Type {
	return expr.Object(map[string]*expr.Type{
		"kind": expr.String(), "message": expr.String(), "hint": expr.String(),
		"status": expr.Int(), "step": expr.String(),
	})
}

// resultType is the type of steps.X.
func resultType(s *step) *expr.Type {
	known := map[string]*expr.Type{
		"status": expr.Int(), "headers": expr.OpenObject(nil),
		"answer": expr.String(), "by": expr.String(), "reason": expr.String(), "expired": expr.Bool(),
		"at": expr.Timestamp(), "timed_out": expr.Bool(),
		"run": expr.String(), "count": expr.Int(), "results": expr.List(expr.Dyn()),
	}
	fields := map[string]*expr.Type{"outcome": expr.String(), "error": errorType()}
	for _, f := range s.resultFields() {
		t := known[f]
		if t == nil || s.kind == kindSet || s.kind == kindPlay && f == "status" {
			t = expr.Dyn()
		}
		fields[f] = t
	}
	return expr.Object(fields)
}

func inputType(name string) *expr.Type {
	switch name {
	case "string":
		return expr.String()
	case "int":
		return expr.Int()
	case "number":
		return expr.Double()
	case "bool":
		return expr.Bool()
	case "list":
		return expr.List(expr.Dyn())
	default:
		return expr.Dyn()
	}
}

// alertType knows the fields of an OCSF Detection Finding (class 2004, schema
// 1.x) that playbooks read most. Any other field may be there too.
func alertType() *expr.Type {
	str, num := expr.String(), expr.Int()
	some := func(fields ...string) *expr.Type {
		m := map[string]*expr.Type{}
		for _, f := range fields {
			m[f] = str
		}
		return expr.OpenObject(m)
	}
	endpoint := expr.OpenObject(map[string]*expr.Type{
		"ip": str, "hostname": str, "name": str, "uid": str, "domain": str, "mac": str, "port": num,
	})
	user := some("uid", "name", "email_addr", "domain", "full_name")
	return expr.OpenObject(map[string]*expr.Type{
		"class_uid": num, "category_uid": num, "type_uid": num, "activity_id": num,
		"severity_id": num, "severity": str, "status_id": num, "status": str, "message": str,
		"time": num, "count": num, "confidence_id": num, "risk_level_id": num, "risk_score": num,
		"finding_info": expr.OpenObject(map[string]*expr.Type{
			"uid": str, "title": str, "desc": str, "src_url": str, "created_time": num,
			"types": expr.List(str),
		}),
		"metadata": expr.OpenObject(map[string]*expr.Type{
			"uid": str, "version": str, "product": some("name", "vendor_name", "uid", "version"),
		}),
		"actor":        expr.OpenObject(map[string]*expr.Type{"user": user}),
		"user":         user,
		"device":       endpoint,
		"src_endpoint": endpoint,
		"dst_endpoint": endpoint,
		"resources":    expr.List(some("uid", "name", "type")),
		"observables":  expr.List(expr.OpenObject(map[string]*expr.Type{"name": str, "value": str, "type": str, "type_id": num})),
	})
}
