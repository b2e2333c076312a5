package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/alert"
	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/ask"
	askstore "beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/console"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/playbook"
	playbookstore "beffroi.dev/internal/playbook/store"
	secretstore "beffroi.dev/internal/secret/store"
)

// with is an --with or --inputs file: a JSON object, "-" for standard input.
func (e *env) jsonFile(name string) (json.RawMessage, error) {
	if name == "" {
		return nil, nil
	}
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(io.LimitReader(e.stdin, 16<<20))
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !json.Valid(b) {
		return nil, errs.E(errs.Invalid, "%s is not JSON", name)
	}
	return b, nil
}

func runRun(e *env, args []string) error {
	dry := e.flags.Bool("dry", false, "call and ask nothing; show what would be called and asked")
	with := e.flags.String("with", "", "file with the alert (an OCSF finding, or with --source a raw event); - for standard input")
	source := e.flags.String("source", "", "the alert is a raw event of this source")
	inputs := e.flags.String("inputs", "", "file with the inputs")
	steps := e.flags.String("steps", "", "with --dry: file with results by step; the others go well")
	alertID := e.flags.String("alert", "", "number of an alert that was received")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	body := map[string]any{"playbook": pos[0]}
	for key, name := range map[string]string{"inputs": *inputs, "alert": *with, "steps": *steps} {
		b, err := e.jsonFile(name)
		if err != nil {
			return err
		}
		if b != nil {
			body[key] = b
		}
	}
	var id uint64
	if *alertID != "" {
		n, err := number("alert", *alertID)
		if err != nil {
			return err
		}
		if id, err = strconv.ParseUint(n, 10, 63); err != nil {
			return errs.E(errs.Invalid, "--alert: %v", err)
		}
	}
	if *dry {
		return e.dryRun(body, pos[0], *source, id)
	}
	if *with != "" || *steps != "" {
		return errs.Hint(errs.Invalid, "add --dry", "--with and --steps are for dry runs")
	}
	if id != 0 {
		body["alert"] = id
	}
	var out struct{ Run uint64 }
	if printed, err := e.call("POST", "/runs", body, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "run/%d started\n", out.Run)
	return nil
}

func (e *env) dryRun(body map[string]any, name, source string, id uint64) error {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		b, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the playbook: %w", err)
		}
		delete(body, "playbook")
		body["document"] = string(b)
	}
	if source != "" {
		body["source"] = source
	}
	if id != 0 {
		body["alert_id"] = id
	}
	var out playbook.Simulation
	if printed, err := e.call("POST", "/dry-runs", body, &out); err != nil || printed {
		return err
	}
	for _, s := range out.Sent {
		b, err := json.MarshalIndent(s, "  ", "  ")
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		fmt.Fprintf(e.stdout, "  %s\n", b)
	}
	if out.Problem != "" {
		return errs.E(errs.Invalid, "the run could not go on: %s", out.Problem)
	}
	fmt.Fprintf(e.stdout, "would end %s after %s\n", out.Status, out.Took)
	return nil
}

func runRunList(e *env, args []string) error {
	pb := e.flags.String("playbook", "", "only of this playbook")
	state := e.flags.String("state", "", "queued, running, ok, failed, cancelled, stopped or open")
	since := e.flags.String("since", "", "a time, or how long ago: 30d, 12h")
	limit := e.flags.Int("limit", 50, "how many")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	q := url.Values{"playbook": {*pb}, "state": {*state}, "since": {*since}, "limit": {strconv.Itoa(*limit)}}
	var out struct{ Items []playbookstore.Summary }
	if printed, err := e.call("GET", "/runs?"+q.Encode(), nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"RUN", "PLAYBOOK", "STATE", "STARTED", "TOOK", "CASE", "ERROR"}}
	for _, r := range out.Items {
		took := "-"
		if r.Ended != nil {
			took = r.Ended.Sub(r.Started).Round(time.Millisecond).String()
		}
		rows = append(rows, []string{fmt.Sprint(r.ID), r.Playbook, r.State, when(r.Started), took, dash(r.Case), clip(r.Error, 60)})
	}
	e.table(rows)
	return nil
}

func dash(n uint64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(n, 10)
}

func runRunShow(e *env, args []string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	id, err := number("run", pos[0])
	if err != nil {
		return err
	}
	var out struct {
		playbookstore.Summary
		Open []struct {
			Action, Step string
			Since        time.Time
		} `json:"open"`
		Trace []map[string]any `json:"steps"`
	}
	if printed, err := e.call("GET", "/runs/"+id, nil, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "run/%d of %s (%s), %s, started by %s at %s\n", out.ID, out.Playbook, short(out.Version), out.State, out.Trigger, when(out.Started))
	if out.Error != "" {
		fmt.Fprintln(e.stdout, "error:", clip(out.Error, 400))
	}
	rows := [][]string{{"STEP", "KIND", "STATUS", "OUTPUT"}}
	for _, t := range out.Trace {
		b, err := json.Marshal(t["output"])
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		if t["error"] != nil {
			b, _ = json.Marshal(t["error"]) //nolint:errchkjson // it was JSON a moment ago
		}
		rows = append(rows, []string{fmt.Sprint(t["path"]), fmt.Sprint(t["kind"]), fmt.Sprint(t["status"]), clip(string(b), 90)})
	}
	e.table(rows)
	for _, o := range out.Open {
		fmt.Fprintf(e.stdout, "waits for %s since %s\n", o.Action, when(o.Since))
	}
	return nil
}

// runAct is a command that changes one run.
func (e *env) runAct(args []string, act string, body map[string]string, said string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	id, err := number("run", pos[0])
	if err != nil {
		return err
	}
	var out struct{ Run uint64 }
	for k, v := range body {
		if f := e.flags.Lookup(v); f != nil {
			body[k] = f.Value.String()
		}
	}
	if printed, err := e.call("POST", "/runs/"+id+"/"+act, body, &out); err != nil || printed {
		return err
	}
	if out.Run != 0 {
		id = strconv.FormatUint(out.Run, 10)
	}
	fmt.Fprintf(e.stdout, "run/%s %s\n", id, said)
	return nil
}

func runRunCancel(e *env, args []string) error {
	e.flags.String("m", "", "why: stands in the record")
	return e.runAct(args, "cancel", map[string]string{"reason": "m"}, "is being cancelled")
}

func runRunRetry(e *env, args []string) error {
	e.flags.String("from", "", "step to begin with; the one that failed unless said")
	return e.runAct(args, "retry", map[string]string{"from": "from"}, "goes on")
}

func runRunReplay(e *env, args []string) error {
	e.flags.String("version", "", "of the playbook; the one in force unless said")
	return e.runAct(args, "replay", map[string]string{"version": "version"}, "started")
}

func runExplain(e *env, args []string) error {
	pos, err := e.parse(args, 2, 2)
	if err != nil {
		return err
	}
	id, err := number("alert", pos[1])
	if err != nil {
		return err
	}
	var out struct {
		Matches bool
		Why     []string
		Error   string
	}
	if printed, err := e.call("GET", "/playbooks/"+url.PathEscape(pos[0])+"/explain/"+id, nil, &out); err != nil || printed {
		return err
	}
	verdict := map[bool]string{true: "starts", false: "does not start"}[out.Matches]
	fmt.Fprintf(e.stdout, "alert/%s %s %s\n", id, verdict, pos[0])
	for _, w := range out.Why {
		fmt.Fprintln(e.stdout, " ", clip(w, 200))
	}
	return nil
}

func runCaseList(e *env, args []string) error {
	state := e.flags.String("state", "unresolved", "open, acknowledged, resolved, unresolved, or all")
	words := e.flags.String("q", "", "words in the title")
	limit := e.flags.Int("limit", 50, "how many")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	if *state == "all" {
		*state = ""
	}
	q := url.Values{"state": {*state}, "q": {*words}, "limit": {strconv.Itoa(*limit)}}
	var out struct{ Items []alertstore.Case }
	if printed, err := e.call("GET", "/cases?"+q.Encode(), nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"CASE", "SEVERITY", "STATE", "ALERTS", "OPENED", "SOURCE", "TITLE"}}
	for _, c := range out.Items {
		rows = append(rows, []string{fmt.Sprint(c.ID), alert.SeverityName(c.Severity), string(c.State), fmt.Sprint(c.Alerts), when(c.Opened), c.Source, clip(c.Title, 70)})
	}
	e.table(rows)
	return nil
}

func runCaseShow(e *env, args []string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	id, err := number("case", pos[0])
	if err != nil {
		return err
	}
	var out struct {
		alertstore.Case
		Sealed bool                    `json:"personal_data_withheld"`
		Items  []alertstore.Alert      `json:"items"`
		Asks   []askstore.Question     `json:"asks"`
		Runs   []playbookstore.Summary `json:"runs"`
		Story  []ledger.Record         `json:"story"`
	}
	if printed, err := e.call("GET", "/cases/"+id, nil, &out); err != nil || printed {
		return err
	}
	c := out.Case
	fmt.Fprintf(e.stdout, "case/%d %s\n%s, %s, %d alerts, opened %s by %s\n", c.ID, clip(c.Title, 200), alert.SeverityName(c.Severity), c.State, c.Alerts, when(c.Opened), c.Source)
	if c.Assignee != "" {
		fmt.Fprintln(e.stdout, "assigned to", c.Assignee)
	}
	if c.ActedBy != "" {
		fmt.Fprintf(e.stdout, "%s acted first, %s after it began (record %d)\n", c.ActedBy, c.Acted.Sub(c.Since).Round(time.Second), c.ActedSeq)
	}
	for _, a := range out.Items {
		fmt.Fprintf(e.stdout, "  %s  alert/%d %s\n", when(a.Received), a.ID, clip(a.Title, 100))
	}
	for _, q := range out.Asks {
		fmt.Fprintf(e.stdout, "  %s  ask/%d %s: %s %s %s\n", when(q.AskedAt), q.ID, clip(q.Question.Title, 60), q.Status, q.Choice, q.By)
	}
	for _, r := range out.Story {
		fmt.Fprintf(e.stdout, "  %s  %s by %s (record %d)\n", when(r.Time), r.Kind, r.Actor, r.Seq)
	}
	if out.Sealed {
		fmt.Fprintln(e.stdout, "personal data is withheld: your token lacks cases.personal_data")
	}
	return nil
}

func runCaseResolve(e *env, args []string) error {
	why := e.flags.String("m", "", "why: stands in the record; required")
	pos, err := e.parse(args, 2, 2)
	if err != nil {
		return err
	}
	id, err := number("case", pos[0])
	if err != nil {
		return err
	}
	var out struct{ Seq uint64 }
	if printed, err := e.call("POST", "/cases/"+id+"/resolve", map[string]string{"verdict": pos[1], "reason": *why}, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "case/%s is resolved: %s (record %d)\n", id, pos[1], out.Seq)
	return nil
}

func runAskList(e *env, args []string) error {
	all := e.flags.Bool("all", false, "those that have ended, too")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	var out struct{ Items []askstore.Question }
	if printed, err := e.call("GET", fmt.Sprintf("/asks?open=%t", !*all), nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"ASK", "STATUS", "ASKED", "TO", "ANSWERS", "TITLE"}}
	for _, q := range out.Items {
		ids := make([]string, len(q.Question.Answers))
		for i, a := range q.Question.Answers {
			ids[i] = a.ID
		}
		rows = append(rows, []string{fmt.Sprint(q.ID), string(q.Status), when(q.AskedAt), q.Question.Channel, strings.Join(ids, "|"), clip(q.Question.Title, 60)})
	}
	e.table(rows)
	return nil
}

func runAskAnswer(e *env, args []string) error {
	why := e.flags.String("m", "", "the reason, where the question wants one")
	pos, err := e.parse(args, 2, 2)
	if err != nil {
		return err
	}
	id, err := number("ask", pos[0])
	if err != nil {
		return err
	}
	var out ask.Answered
	if printed, err := e.call("POST", "/asks/"+id+"/answer", map[string]string{"answer": pos[1], "reason": *why}, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "ask/%s is answered: %s\n", id, out.Label)
	return nil
}

func runSecretSet(e *env, args []string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(e.stdin, 64<<10))
	if err != nil {
		return fmt.Errorf("read the secret: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		return errs.Hint(errs.Invalid, "for example: beffroi secret set "+pos[0]+" < file", "standard input holds no secret")
	}
	var out struct{}
	if printed, err := e.call("PUT", "/secrets/"+url.PathEscape(pos[0]), map[string]string{"value": value}, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "secret %s is set\n", pos[0])
	return nil
}

func runSecretList(e *env, args []string) error {
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	var out struct{ Items []secretstore.Info }
	if printed, err := e.call("GET", "/secrets", nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"SECRET", "SET", "BY"}}
	for _, s := range out.Items {
		rows = append(rows, []string{s.Name, when(s.Time), s.Actor})
	}
	e.table(rows)
	return nil
}

func runSecretRemove(e *env, args []string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	var out struct{}
	if printed, err := e.call("DELETE", "/secrets/"+url.PathEscape(pos[0]), nil, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "secret %s is forgotten\n", pos[0])
	return nil
}

type tokenInfo struct {
	ID, Name, Owner string
	Roles           []string
	Expires         time.Time
	RevokedAt       time.Time `json:"revoked_at"`
	Text            string
}

func runTokenCreate(e *env, args []string) error {
	var roles list
	e.flags.Var(&roles, "role", "viewer, analyst, author, admin or auditor; may be given several times")
	name := e.flags.String("name", "", "what it is for")
	ttl := e.flags.Duration("expires-in", 0, "how long it works, such as 720h; for ever unless said")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	body := map[string]any{"owner": pos[0], "name": *name, "roles": []string(roles)}
	if *ttl > 0 {
		body["expires"] = time.Now().Add(*ttl).UTC()
	}
	var out tokenInfo
	if printed, err := e.call("POST", "/tokens", body, &out); err != nil || printed {
		return err
	}
	fmt.Fprintln(e.stderr, "This is shown once:")
	fmt.Fprintln(e.stdout, out.Text)
	return nil
}

func runTokenList(e *env, args []string) error {
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	var out struct{ Items []tokenInfo }
	if printed, err := e.call("GET", "/tokens", nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"TOKEN", "OWNER", "ROLES", "EXPIRES", "REVOKED", "NAME"}}
	for _, t := range out.Items {
		rows = append(rows, []string{t.ID, t.Owner, strings.Join(t.Roles, ","), when(t.Expires), when(t.RevokedAt), clip(t.Name, 40)})
	}
	e.table(rows)
	return nil
}

func runTokenRevoke(e *env, args []string) error {
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	var out struct{}
	if printed, err := e.call("DELETE", "/tokens/"+url.PathEscape(pos[0]), nil, &out); err != nil || printed {
		return err
	}
	fmt.Fprintf(e.stdout, "token %s is revoked\n", pos[0])
	return nil
}

func runReport(e *env, args []string) error {
	since := e.flags.String("since", "30d", "a time, or how long ago")
	team := e.flags.String("team", "", "only of this team")
	evidence := e.flags.Bool("evidence", false, "list each case with the records that prove it")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	q := url.Values{"since": {*since}, "team": {*team}}
	var out console.Handling
	if printed, err := e.call("GET", "/reports/handling?"+q.Encode(), nil, &out); err != nil || printed {
		return err
	}
	rows := [][]string{{"TEAM", "CASES", "IN TIME", "LATE", "MISSED", "PENDING", "SHARE", "MEDIAN", "BY"}}
	for _, t := range out.Teams {
		var by []string
		for _, p := range sortedKeys(t.By) {
			by = append(by, fmt.Sprintf("%s %d", strings.TrimPrefix(p, "person/"), t.By[p]))
		}
		rows = append(rows, []string{
			t.Team, fmt.Sprint(t.Cases), fmt.Sprint(t.InTime), fmt.Sprint(t.Late), fmt.Sprint(t.Missed), fmt.Sprint(t.Pending),
			fmt.Sprintf("%.1f %%", 100*t.Share), t.Median, strings.Join(by, ", "),
		})
	}
	e.table(rows)
	if out.Uncovered > 0 {
		fmt.Fprintf(e.stdout, "%d cases have no objective\n", out.Uncovered)
	}
	if *evidence {
		rows := [][]string{{"CASE", "SEVERITY", "RESULT", "BY", "TOOK", "DEADLINE", "RECORDS", "TITLE"}}
		for _, t := range out.Teams {
			for _, c := range t.Evidence {
				rows = append(rows, []string{fmt.Sprint(c.Case), c.Severity, c.Result, c.By, c.Took, when(c.Deadline), fmt.Sprintf("%d,%s", c.Began, dash(c.Acted)), clip(c.Title, 50)})
			}
		}
		e.table(rows)
	}
	return nil
}
