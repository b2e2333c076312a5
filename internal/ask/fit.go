package ask

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fit returns the question with its texts made presentable: an alert with a
// long or strange title must still be asked about. Texts are cut to the limits
// of [Validate] with an ellipsis, fields beyond the limit are counted in the
// last one, what is empty becomes a dash, labels that say the same are told
// apart by their ids, and characters that control a terminal or the direction
// of writing are dropped. Ids, people and times stay.
func (q Question) Fit() Question {
	q.Title = orDash(cut(strings.Join(strings.Fields(clean(q.Title)), " "), MaxTitle))
	q.Text = cut(clean(q.Text), MaxText)
	if extra := len(q.Fields) - MaxFields; extra > 0 {
		more := Field{Label: "…", Value: fmt.Sprintf("and %d more", extra+1)}
		q.Fields = append(append([]Field(nil), q.Fields[:MaxFields-1]...), more)
	}
	fields := make([]Field, len(q.Fields))
	for i, f := range q.Fields {
		fields[i] = Field{orDash(cut(clean(f.Label), MaxLabel)), orDash(cut(clean(f.Value), MaxField))}
	}
	q.Fields = fields
	answers := make([]Answer, len(q.Answers))
	said := map[string]bool{}
	for i, a := range q.Answers {
		a.Label, a.Confirm = cut(clean(a.Label), MaxLabel), cut(clean(a.Confirm), MaxConfirm)
		if text := a.Text(); said[text] {
			id := " (" + a.ID + ")"
			a.Label = cut(text, max(1, MaxLabel-utf8.RuneCountInString(id))) + id
		}
		said[a.Text()] = true
		answers[i] = a
	}
	q.Answers = answers
	return q
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// cut shortens s to at most limit characters, the last one an ellipsis.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n++; n == limit {
			return strings.TrimRight(s[:i], " \n") + "…"
		}
	}
	return s
}

// clean drops control characters but for new lines and tabs, and those that
// turn the direction of writing, with which a text can look like another.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\uFFFD")))
}
