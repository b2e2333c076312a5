package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/connector/client"
	documentstore "beffroi.dev/internal/document/store"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	playbookstore "beffroi.dev/internal/playbook/store"
	"beffroi.dev/internal/runner"
	"beffroi.dev/internal/sequencer"
	slackstore "beffroi.dev/internal/slack/store"
	"beffroi.dev/internal/view"
)

// httpCalls performs the operation http.
type httpCalls struct {
	docs   *documentstore.Registry
	client *client.Client
}

func (h httpCalls) Perform(ctx context.Context, r runner.Request) runner.Outcome {
	conn := connector.Direct()
	if r.Connection != "" {
		var ok bool
		if conn, ok = documentstore.Get[*connector.Connection](h.docs.Snapshot(), kindConnection, r.Connection); !ok {
			return runner.Outcome{Error: &playbook.Error{
				Kind: playbook.Invalid, Message: "there is no connection " + r.Connection + " in force", Hint: "apply its document, then retry the run",
			}}
		}
	}
	req, err := connector.BuildRequest(conn, r.With)
	if err != nil {
		return runner.Outcome{Error: failure(err)}
	}
	if r.Timeout > 0 {
		req.Timeout = r.Timeout
	}
	res, err := h.client.Do(ctx, conn, req, r.Key)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return runner.Outcome{Error: &playbook.Error{Kind: playbook.Timeout, Message: fmt.Sprintf("no answer within %s", r.Timeout)}}
		}
		return runner.Outcome{Error: failure(err)}
	}
	return runner.Outcome{Result: res.Value()}
}

// caseActs performs the operations on the case of a run.
type caseActs struct{ inside }

// inside performs operations whose effect is a record: effect and outcome
// stand in one block, so it happens exactly once.
type inside struct {
	seq  *sequencer.Sequencer
	runs *playbookstore.Runs
}

func (i inside) once(ctx context.Context, r runner.Request, cmd sequencer.Command, result map[string]any) runner.Outcome {
	done, err := i.runs.Done(r.Run, r.Action, r.Op, result)
	if err != nil {
		return runner.Outcome{Error: failure(err)}
	}
	_, err = i.seq.Do(ctx, func(tx *view.Tx, now time.Time) ([]ledger.Draft, error) {
		open, err := playbookstore.IsOpen(tx, r.Run, r.Action)
		if err != nil || !open {
			return nil, err
		}
		drafts, err := cmd(tx, now)
		if err != nil {
			return nil, err
		}
		return append(drafts, done), nil
	})
	if err != nil {
		return runner.Outcome{Error: failure(err)}
	}
	return runner.Outcome{Result: result}
}

func (c caseActs) Perform(ctx context.Context, r runner.Request) runner.Outcome {
	if r.Case == 0 {
		return runner.Outcome{Error: &playbook.Error{Kind: playbook.Invalid, Message: r.Op + " needs a case, and this run has none", Hint: "start it by an alert"}}
	}
	actor := "playbook/" + r.Playbook
	var cmd sequencer.Command
	switch r.Op {
	case "case.comment":
		cmd = alertstore.Comment(r.Case, actor, text(r.With["text"]))
	case "case.assign":
		cmd = alertstore.Assign(r.Case, actor, text(r.With["to"]), "")
	case "case.acknowledge":
		cmd = alertstore.Acknowledge(r.Case, actor, "")
	case "case.resolve":
		reason := text(r.With["reason"])
		if reason == "" {
			reason = "resolved by playbook " + r.Playbook
		}
		cmd = alertstore.Resolve(r.Case, actor, text(r.With["verdict"]), reason)
	default:
		return runner.Outcome{Error: &playbook.Error{Kind: playbook.Invalid, Message: "there is no operation " + r.Op}}
	}
	return c.once(ctx, r, cmd, map[string]any{"case": alertstore.Name("case", r.Case)})
}

// slackPosts performs slack.post: the message is wanted durably; the channel
// sees to it that it is posted.
type slackPosts struct{ inside }

func (s slackPosts) Perform(ctx context.Context, r runner.Request) runner.Outcome {
	q := slackstore.Requested{Key: r.Key, Target: text(r.With["channel"]), Text: text(r.With["text"])}
	if r.Case != 0 {
		q.Case = alertstore.Name("case", r.Case)
	}
	if fields, ok := r.With["fields"].(map[string]any); ok {
		q.Fields = map[string]string{}
		for k, v := range fields {
			q.Fields[k] = text(v)
		}
	}
	cmd := slackstore.Request(q, fmt.Sprintf("run/%d", r.Run), "playbook/"+r.Playbook)
	return s.once(ctx, r, cmd, map[string]any{"channel": q.Target, "queued": true})
}

// text is a value of a playbook as text.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
