package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/ledger"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/timekeeper"
	"beffroi.dev/internal/view"
)

// dueBatch bounds how much of what is due is done at once.
const dueBatch = 500

// Duties of the timekeeper.
const (
	dutyTimers     = "timers of runs"
	dutyQuestions  = "reminders of questions"
	dutySchedules  = "schedules"
	dutyObjectives = "objectives"
)

func (n *Node) duties() []timekeeper.Duty {
	return []timekeeper.Duty{
		{Name: dutyTimers, Do: n.wakeRuns},
		{Name: dutyQuestions, Do: n.tickQuestions},
		{Name: dutySchedules, Do: func(ctx context.Context) (time.Time, error) { return n.runs.Schedules(ctx, n.started) }},
		{Name: dutyObjectives, Do: n.checkObjectives},
	}
}

func (n *Node) wakeRuns(ctx context.Context) (next time.Time, err error) {
	var due bool
	err = n.view.Read(ctx, func(tx *view.Tx) error {
		next, due, err = playbookstore.NextDue(tx)
		return err
	})
	if err != nil || !due {
		return time.Time{}, err
	}
	if next.After(n.c.Now()) {
		return next, nil
	}
	if _, err := n.runs.Wake(ctx, dueBatch); err != nil {
		return time.Time{}, err
	}
	return n.c.Now(), nil
}

func (n *Node) tickQuestions(ctx context.Context) (next time.Time, err error) {
	var ids []uint64
	var due bool
	err = n.view.Read(ctx, func(tx *view.Tx) error {
		if ids, err = askstore.DueAt(tx, n.c.Now(), dueBatch); err != nil {
			return err
		}
		next, due, err = askstore.NextDue(tx)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, id := range ids {
		if err := n.questions.Tick(ctx, id); err != nil {
			return time.Time{}, fmt.Errorf("question %d: %w", id, err)
		}
	}
	if len(ids) > 0 {
		return n.c.Now(), nil
	}
	if !due {
		next = time.Time{}
	}
	return next, nil
}

// checkObjectives tells people about the cases on which nobody has acted.
func (n *Node) checkObjectives(ctx context.Context) (next time.Time, err error) {
	objectives := n.objectives()
	if len(objectives) == 0 {
		return time.Time{}, nil
	}
	var after time.Time
	for {
		var cases []alertstore.Case
		var findings []map[string]any
		err := n.view.Read(ctx, func(tx *view.Tx) error {
			if cases, err = alertstore.Waiting(tx, after, dueBatch); err != nil {
				return err
			}
			findings = make([]map[string]any, len(cases))
			for i, c := range cases {
				if findings[i], err = alertstore.Finding(tx, c.ID); err != nil {
					findings[i] = map[string]any{} // a case that a person opened has no finding
				}
			}
			return nil
		})
		if err != nil {
			return time.Time{}, err
		}
		for i, c := range cases {
			after = c.Since
			o := alert.Select(objectives, alert.View(findings[i]), c.Source, c.Severity)
			if o == nil {
				continue
			}
			if err := n.overdue(ctx, o, c); err != nil {
				return time.Time{}, err
			}
			if at := alert.Next(o, c.Handling()); !at.IsZero() && at.After(n.c.Now()) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if len(cases) < dueBatch {
			return next, nil
		}
	}
}

func (n *Node) overdue(ctx context.Context, o *alert.Objective, c alertstore.Case) error {
	for _, step := range alert.Due(o, c.Handling(), n.c.Now()) {
		if _, err := n.seq.Do(ctx, alertstore.Overdue(c.ID, o, step, targets(o, c, step))); err != nil {
			return fmt.Errorf("case %d: %w", c.ID, err)
		}
	}
	return nil
}

// targets says whom a step of an objective means for a case.
func targets(o *alert.Objective, c alertstore.Case, step alert.Step) []string {
	out := make([]string, 0, len(step.To))
	for _, to := range step.To {
		switch {
		case to == "assignee" && c.Assignee != "":
			to = c.Assignee
		case to == "assignee", to == "team":
			to = "team/" + o.Team
		case to == "lead", to == "on_call":
			to = "team/" + o.Team + "/" + to
		}
		out = append(out, to)
	}
	return out
}

// withdrawQuestions takes back the questions of a step that a run no longer
// wants.
func withdrawQuestions(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
	var d playbookstore.Action
	if err := json.Unmarshal(rec.Data, &d); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	why := "the run no longer needs an answer"
	if strings.Contains(d.Action, ":") {
		return nil, nil // a timer of the step, not the step
	}
	return askstore.Withdraw(tx, fmt.Sprintf("run/%d", d.Run), d.Action, why)
}
