package ask

import (
	"slices"
	"time"
)

// slowAfter is the number of reminders after which the last wait doubles each
// time, up to a day: who did not react to eight will not react to the ninth a
// quarter of an hour later, and still nothing is forgotten.
const slowAfter = 8

// A Step is something that is due because nobody answered. Kind is the kind of
// record that says it was done: KindReminded, KindEscalated or KindExpired.
type Step struct {
	Kind   string
	N      int // the nth reminder or escalation, from 1
	Due    time.Time
	To     string // of an escalation
	Answer string // of an expiry: the default answer
	Fail   bool   // of an expiry
}

// Data returns the data of the record that says that the step was done. people
// are those whom an escalation reached.
func (st Step) Data(people ...string) any {
	switch st.Kind {
	case KindReminded:
		return Reminded{N: st.N, Due: st.Due}
	case KindEscalated:
		return Escalated{N: st.N, Due: st.Due, To: st.To, People: people}
	case KindExpired:
		return Expired{Due: st.Due, Answer: st.Answer, Fail: st.Fail}
	default:
		panic("internal error: no such step: " + st.Kind)
	}
}

// Due returns what must be done by now, in the order in which it was due. After
// a long absence that is one reminder and each missed escalation; a question
// whose deadline has passed only expires.
func (s State) Due(now time.Time) []Step {
	all := s.ahead()
	if i := slices.IndexFunc(all, func(st Step) bool { return st.Kind == KindExpired }); i >= 0 && !all[i].Due.After(now) {
		return all[i : i+1]
	}
	due := slices.DeleteFunc(all, func(st Step) bool { return st.Due.After(now) })
	slices.SortStableFunc(due, func(a, b Step) int { return a.Due.Compare(b.Due) })
	return due
}

// Next returns when Due will have something to say, if ever. While records are
// applied it never moves back.
func (s State) Next() (time.Time, bool) {
	all := s.ahead()
	if len(all) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(all, func(a, b Step) int { return a.Due.Compare(b.Due) }).Due, true
}

// Deadline returns when an open question expires, if it does.
func (s State) Deadline() (time.Time, bool) {
	if s.Status != Open || s.Question.Expire == nil {
		return time.Time{}, false
	}
	return s.AskedAt.Add(time.Duration(s.Question.Expire.After)), true
}

// ahead returns the next reminder, all escalations not yet made, and the
// expiry of an open question.
func (s State) ahead() []Step {
	if s.Status != Open {
		return nil
	}
	var all []Step
	if w, ok := s.Question.wait(s.Reminders + 1); ok {
		all = append(all, Step{Kind: KindReminded, N: s.Reminders + 1, Due: later(s.AskedAt, s.RemindedAt).Add(w)})
	}
	for i, e := range s.Question.Escalate {
		if i >= s.Escalations {
			all = append(all, Step{Kind: KindEscalated, N: i + 1, Due: s.AskedAt.Add(time.Duration(e.After)), To: e.To})
		}
	}
	if due, ok := s.Deadline(); ok {
		all = append(all, Step{Kind: KindExpired, Due: due, Answer: s.Question.Expire.Answer, Fail: s.Question.Expire.Fail})
	}
	return all
}

// wait returns how long before the nth reminder nothing happens, and whether
// there is such a reminder.
func (q Question) wait(n int) (time.Duration, bool) {
	last := len(q.Remind)
	if n <= last {
		return time.Duration(q.Remind[n-1]), true
	}
	if last == 0 || !q.RemindEvery {
		return 0, false
	}
	w := time.Duration(q.Remind[last-1])
	for extra := n - max(last, slowAfter); extra > 0 && w < day; extra-- {
		w = min(2*w, day)
	}
	return w, true
}
