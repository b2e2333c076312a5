package connector

import (
	"errors"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// ConnectionKind is the kind of document that says where an API is and as whom
// it is called. It compiles to a *[Connection].
func ConnectionKind() document.Kind {
	return document.Kind{
		Name:  "connection",
		Title: "Connection",
		Doc:   "Where an API is, as whom it is called, and what it may reach. Secrets stand in it by name only.",
		Spec:  Spec{},
		Compile: func(d document.Document, _ document.Set) (any, error) {
			var s Spec
			if err := d.Decode(&s); err != nil {
				return nil, err
			}
			c, err := New(d.Name, s)
			if err != nil {
				return nil, placed(d, err)
			}
			return c, nil
		},
	}
}

// placed finds the lines of the document that issues are about.
func placed(d document.Document, err error) error {
	var issues errs.Issues
	if !errors.As(err, &issues) {
		return err
	}
	out := make(errs.Issues, len(issues))
	for n, i := range issues {
		out[n] = d.Issue(i.Field, "%s", i.Msg)
		out[n].Hint = i.Hint
	}
	return out
}
