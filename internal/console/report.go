package console

import (
	"cmp"
	"slices"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/view"
)

// A Handling report says per team what share of the cases was handled in time.
type Handling struct {
	Since time.Time      `json:"since,omitzero"`
	Until time.Time      `json:"until"`
	Teams []TeamHandling `json:"teams"`
	// Uncovered counts cases for which no objective is in force.
	Uncovered int `json:"cases_without_objective"`
}

// TeamHandling is one team's part.
type TeamHandling struct {
	Team     string         `json:"team"`
	Cases    int            `json:"cases"`
	InTime   int            `json:"in_time"`
	Late     int            `json:"late"`          // a person acted, after the deadline
	Missed   int            `json:"missed"`        // nobody acted, and the deadline has passed
	Pending  int            `json:"pending"`       // nobody has acted yet, and there is still time
	Share    float64        `json:"share_in_time"` // of those that are not pending; 1 when there are none
	Median   string         `json:"median_time_to_act,omitempty"`
	By       map[string]int `json:"handled_by"` // cases by the person who acted first
	Evidence []CaseHandling `json:"evidence"`
}

// CaseHandling is how one case was handled, with the records that prove it.
type CaseHandling struct {
	Case      uint64    `json:"case"`
	Title     string    `json:"title"`
	Severity  string    `json:"severity"`
	Objective string    `json:"objective"`
	Deadline  time.Time `json:"deadline"`
	Result    string    `json:"result"` // in_time, late, missed, pending
	By        string    `json:"by,omitempty"`
	Took      string    `json:"took,omitempty"`
	Began     uint64    `json:"began_record"` // the record that began the clock
	Acted     uint64    `json:"acted_record,omitempty"`
}

// handling is GET /reports/handling.
func (a *API) handling(c *call) (out Handling, err error) {
	out.Until, out.Teams = a.c.Now().UTC(), []TeamHandling{}
	if out.Since, err = a.sinceOf(c.r); err != nil {
		return out, err
	}
	only := c.r.URL.Query().Get("team")
	teams := map[string]*TeamHandling{}
	took := map[string][]time.Duration{}
	objectives := a.c.Objectives()
	err = a.read(c, func(tx *view.Tx) error {
		return alertstore.EachCase(tx, out.Since, func(k alertstore.Case, finding map[string]any) error {
			o := alert.Select(objectives, alert.View(finding), k.Source, k.Severity)
			if o == nil {
				out.Uncovered++
				return nil
			}
			if only != "" && o.Team != only {
				return nil
			}
			t := teams[o.Team]
			if t == nil {
				t = &TeamHandling{Team: o.Team, By: map[string]int{}, Evidence: []CaseHandling{}}
				teams[o.Team] = t
			}
			if d := t.count(o, k, out.Until); d > 0 {
				took[o.Team] = append(took[o.Team], d)
			}
			return nil
		})
	})
	for name, t := range teams {
		t.Share = 1
		if n := t.Cases - t.Pending; n > 0 {
			t.Share = float64(t.InTime) / float64(n)
		}
		if d := took[name]; len(d) > 0 {
			slices.Sort(d)
			t.Median = d[len(d)/2].Round(time.Second).String()
		}
		out.Teams = append(out.Teams, *t)
	}
	slices.SortFunc(out.Teams, func(x, y TeamHandling) int { return cmp.Compare(x.Team, y.Team) })
	return out, err
}

// count adds a case and returns how long it took somebody to act.
func (t *TeamHandling) count(o *alert.Objective, k alertstore.Case, now time.Time) time.Duration {
	r, ok := alert.Handled(o, k.Handling(), now)
	if !ok {
		return 0
	}
	e := CaseHandling{
		Case: k.ID, Title: k.Title, Severity: alert.SeverityName(k.Severity), Objective: o.Name, Deadline: r.Deadline,
		By: r.By, Began: k.SinceSeq, Acted: k.ActedSeq,
	}
	t.Cases++
	switch {
	case r.Pending:
		e.Result = "pending"
		t.Pending++
	case r.InTime:
		e.Result = "in_time"
		t.InTime++
	case r.By != "":
		e.Result = "late"
		t.Late++
	default:
		e.Result = "missed"
		t.Missed++
	}
	if r.By != "" {
		t.By[r.By]++
		e.Took = r.Took.Round(time.Second).String()
	}
	t.Evidence = append(t.Evidence, e)
	return r.Took
}
