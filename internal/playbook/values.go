package playbook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"beffroi.dev/internal/expr"
)

// values gathers what an expression reads, as a task sees it.
func (x *exec) values(n *needs, t *task) map[string]any {
	if n == nil {
		return nil
	}
	s, m := x.s, make(map[string]any, 4)
	if n.alert {
		m["alert"] = orEmpty(s.init.Alert)
	}
	if n.kase {
		m["case"] = orEmpty(s.init.Case)
	}
	if n.inputs {
		m["inputs"] = s.init.Inputs
	}
	if n.vars {
		m["vars"] = s.vars
	}
	if n.trigger {
		m["trigger"] = orEmpty(s.init.Trigger)
	}
	if n.now {
		m["now"] = s.at
	}
	if n.run {
		m["run"] = map[string]any{
			"id": s.init.Run, "started_at": s.started, "playbook": x.p.Name,
			"version": x.p.Version, "requester": orNull(s.init.Requester),
		}
	}
	if len(n.steps) > 0 {
		steps := make(map[string]any, len(n.steps))
		for _, st := range n.steps {
			steps[st.id] = t.block.frame.result(st)
		}
		m["steps"] = steps
	}
	x.localValues(n, t.block, m)
	return m
}

// localValues adds what only some places know: items, index, error.
func (x *exec) localValues(n *needs, b *block, m map[string]any) {
	for _, each := range n.items {
		f := b.frame.of(each)
		m[each.as] = f.item
	}
	if n.index {
		m["index"] = int64(b.frame.index)
	}
	if !n.err {
		return
	}
	m["error"] = nil
	for ; b.owner != nil; b = b.owner.block {
		if b.handler {
			m["error"] = b.owner.err.value()
			return
		}
	}
	if e := x.s.ending.Error; e != nil {
		m["error"] = e.value()
	}
}

// result returns what expressions read of a step.
func (f *frame) result(s *step) map[string]any {
	if f = f.of(s.region); f != nil && f.results != nil && f.results[s.slot] != nil {
		return f.results[s.slot]
	}
	return s.unreached
}

// store keeps the result of a step, if anything can refer to it.
func (x *exec) store(t *task, outcome string, fields map[string]any, err *Error) {
	if t.step.id == "" {
		return
	}
	if fields == nil {
		fields = maps.Clone(t.step.unreached)
	}
	fields["outcome"], fields["error"] = outcome, nil
	if err != nil {
		fields["error"] = err.value()
	}
	x.keep(t, fields)
}

func (x *exec) keep(t *task, result map[string]any) {
	size := x.p.slots
	if r := t.step.region; r != nil {
		size = r.slots
	}
	t.block.frame.of(t.step.region).set(t.step, size, result)
}

// skip notes that the condition of a step was false.
func (x *exec) skip(t *task) {
	if t.step.id != "" {
		x.keep(t, t.step.skipped)
	}
	x.skipped(t)
}

func (x *exec) bool(p *program, t *task) (bool, *Error) {
	v, err := p.Bool(x.values(p.needs, t))
	if err != nil {
		return false, x.explain(exprError("if", err), p.needs, t)
	}
	return v, nil
}

func (x *exec) value(p *program, where string, t *task) (any, *Error) {
	v, err := p.Eval(x.values(p.needs, t))
	if err != nil {
		return nil, x.explain(exprError(where, err), p.needs, t)
	}
	return v, nil
}

func (x *exec) tree(tr *tree, where string, t *task) (any, *Error) {
	if tr == nil {
		return nil, nil
	}
	v, err := tr.Eval(x.values(tr.needs, t))
	if err != nil {
		return nil, x.explain(exprError(where, err), tr.needs, t)
	}
	return v, nil
}

// args evaluates a tree that is a map.
func (x *exec) args(tr *tree, where string, t *task) (map[string]any, *Error) {
	v, err := x.tree(tr, where, t)
	m, _ := v.(map[string]any)
	return m, err
}

func (x *exec) text(tx *text, where string, t *task) (string, *Error) {
	switch {
	case tx == nil:
		return "", nil
	case tx.needs == nil:
		return tx.static, nil
	}
	s, err := tx.Text(x.values(tx.needs, t))
	if err != nil {
		return "", x.explain(exprError(where, err), tx.needs, t)
	}
	return s, nil
}

// explain says of an expression that failed which of the steps that it reads
// have no result: that is most often why.
func (x *exec) explain(err *Error, n *needs, t *task) *Error {
	var why []string
	for _, s := range n.steps {
		switch t.block.frame.result(s)["outcome"] {
		case outcomeSkipped:
			why = append(why, s.id+" was skipped")
		case outcomeFailed:
			why = append(why, s.id+" failed")
		case nil:
			why = append(why, s.id+" was not reached")
		}
	}
	if len(why) > 0 {
		slices.Sort(why)
		err.Message += "; " + strings.Join(slices.Compact(why), ", ") + ", so its fields are null"
	}
	return err
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// compact is a value as JSON text.
func compact(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// plain is a value as JSON has it: times become text, a question a map.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case Question:
		b, err := json.Marshal(v)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		out, err := expr.FromJSON(b)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		return out
	}
	return v
}

// clip shortens what came from outside for a message.
func clip(s string) string { return clipTo(s, 80) }

func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
