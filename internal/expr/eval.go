package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Eval evaluates the expression. The result is a JSON value: a timestamp is
// RFC 3339 text in UTC, a duration text as Go prints it, bytes are base64, an
// empty optional is nil. Errors are *Error.
func (p *Program) Eval(vars map[string]any) (any, error) {
	v, err := p.eval(vars)
	if err != nil {
		return nil, err
	}
	out, cerr := toJSON(v)
	if cerr != nil {
		return nil, &Error{Column: 1, Msg: cerr.Error()}
	}
	return out, nil
}

// Bool evaluates a condition.
func (p *Program) Bool(vars map[string]any) (bool, error) {
	v, err := p.eval(vars)
	if err != nil {
		return false, err
	}
	if o, ok := v.(*types.Optional); ok && o.HasValue() {
		v = o.GetValue()
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, &Error{
			Column: 1, Msg: "a condition must be true or false, this is " + typeName(v.Type()),
			Hint: boolHint(v.Type().TypeName()),
		}
	}
	return bool(b), nil
}

func (p *Program) eval(vars map[string]any) (ref.Val, error) {
	if vars == nil {
		vars = map[string]any{}
	}
	v, _, err := p.prog.Eval(vars)
	if err != nil {
		return nil, p.runtimeError(vars, err)
	}
	return v, nil
}
