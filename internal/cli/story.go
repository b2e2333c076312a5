package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"beffroi.dev/catalog"
	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/app"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/slack/sim"
)

// tell is the story: deploy, replay alerts, then wait for people, or press the
// buttons for them.
func (d *demo) tell(ctx context.Context, data string) error {
	select {
	case addr := <-d.ready:
		d.api = "http://" + addr
	case <-ctx.Done():
		return nil
	}
	if d.token.Load() == nil {
		return errs.Hint(errs.Conflict, "give the demo a new directory with --data", "%s was used before", data)
	}
	d.workspace.SetInteractivityURL(d.api + "/slack/interactivity")
	d.say("Beffroi demo: one node, everything on this machine, no account and no network.\n")
	if err := d.deploy(ctx); err != nil {
		return fmt.Errorf("deploy the shipped documents: %w", err)
	}
	alerts, err := d.replay(ctx)
	if err != nil {
		return fmt.Errorf("replay the alerts: %w", err)
	}
	if d.exit {
		return d.press(ctx, data, alerts)
	}
	d.say("\nWhere to look:\n"+
		"  %s/   the simulated Slack workspace: choose who you are and press the buttons\n"+
		"  %s/api/v1/openapi.json   the API\n"+
		"\nIn another terminal:\n"+
		"  export BEFFROI_URL=%s BEFFROI_TOKEN=%s\n"+
		"  beffroi case list\n  beffroi run list\n  beffroi report handling\n"+
		"  beffroi ledger verify --data %s\n\nCtrl-C ends the demo.\n", d.slack, d.api, d.api, *d.token.Load(), data)
	<-ctx.Done()
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

// call is one request to the API with the admin token.
func (d *demo) call(ctx context.Context, method, path string, in, out any) error {
	e := &env{ctx: ctx, stdout: io.Discard, output: new(string), getenv: func(k string) string {
		return map[string]string{"BEFFROI_URL": d.api, "BEFFROI_TOKEN": *d.token.Load()}[k]
	}}
	_, err := e.call(method, path, in, out)
	return err
}

// deploy sets the secrets and applies what ships with the program.
func (d *demo) deploy(ctx context.Context) error {
	var p proposal
	p.Message = "the demo"
	add := func(dir string, files fs.FS) error {
		names, err := fs.Glob(files, "*.yaml")
		if err != nil {
			return err
		}
		for _, name := range names {
			b, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			text := strings.NewReplacer("{{SLACK}}", d.slack, "{{TOOLS}}", d.toolsURL).Replace(string(b))
			p.Files = append(p.Files, file{Name: dir + "/" + name, Text: text})
		}
		return nil
	}
	for dir, files := range map[string]fs.FS{
		"sources": catalog.Sources(), "objectives": catalog.Objectives(), "playbooks": catalog.Playbooks(), "demo": catalog.DemoDocuments(),
	} {
		if err := add(dir, files); err != nil {
			return err
		}
	}
	var nothing struct{}
	for name, value := range demoSecrets {
		if err := d.call(ctx, http.MethodPut, "/secrets/"+name, map[string]string{"value": value}, &nothing); err != nil {
			return err
		}
	}
	var out planned
	if err := d.call(ctx, http.MethodPost, "/documents/apply", p, &out); err != nil {
		return err
	}
	kinds, tests := map[string]int{}, 0
	for _, c := range out.Changes {
		kinds[c.Kind]++
	}
	for _, t := range out.Tests {
		tests += len(t)
	}
	d.say("Deployed %d sources, %d playbooks, %d connections, an objective, people and a workspace; their %d tests pass.\n",
		kinds["source"], kinds["playbook"], kinds["connection"], tests)
	return nil
}

// replay posts the alerts of the story to the hooks, as their tools would.
func (d *demo) replay(ctx context.Context) (int, error) {
	story, err := catalog.DemoAlerts()
	if err != nil {
		return 0, err
	}
	products := map[string]bool{}
	total := 0
	d.say("\nReplaying %d real alerts:\n", len(story))
	for _, a := range story {
		n, outcome, err := d.hook(ctx, a)
		if err != nil {
			return total, fmt.Errorf("%s: %w", a.Event, err)
		}
		total += n
		products[a.Source] = true
		d.say("  %-22s %-60s %s\n", a.Source, clip(a.Note, 60), outcome)
	}
	d.say("%d alerts of %d products are durable in the ledger.\n", total, len(products))
	return total, nil
}

// hook sends one event with the proof that its source asks for.
func (d *demo) hook(ctx context.Context, a catalog.DemoAlert) (alerts int, outcome string, err error) {
	body, err := fs.ReadFile(catalog.Sources(), a.Event)
	if err != nil {
		return 0, "", err
	}
	var doc struct{ Text string }
	if err := d.call(ctx, http.MethodGet, "/documents/source/"+a.Source, nil, &doc); err != nil {
		return 0, "", err
	}
	parsed, err := document.FromText(a.Source, []byte(doc.Text))
	if err != nil {
		return 0, "", err
	}
	var spec alert.SourceSpec
	if err := parsed.Decode(&spec); err != nil {
		return 0, "", err
	}
	var nothing struct{}
	key := "simulated-" + a.Source
	if err := d.call(ctx, http.MethodPut, "/secrets/"+spec.Verify.Secret, map[string]string{"value": key}, &nothing); err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.api+"/hooks/"+a.Source, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	prove(req, spec.Verify, key, body)
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, "", err
	}
	if res.StatusCode != http.StatusAccepted {
		return 0, "", fmt.Errorf("the hook answered %s: %s", res.Status, clip(string(b), 300))
	}
	var ans struct {
		Alerts []struct{ Alert, Case, Outcome string }
	}
	if err := json.Unmarshal(b, &ans); err != nil {
		return 0, "", err
	}
	for _, t := range ans.Alerts {
		outcome = t.Outcome + " " + t.Case
	}
	return len(ans.Alerts), outcome, nil
}

// prove signs a call as the tool would.
func prove(req *http.Request, v alert.VerifySpec, key string, body []byte) {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	sum := mac.Sum(nil)
	switch v.Scheme {
	case alert.SchemeGitHub:
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum))
	case alert.SchemeHMAC:
		text := hex.EncodeToString(sum)
		if v.Encoding == "base64" {
			text = base64.StdEncoding.EncodeToString(sum)
		}
		req.Header.Set(v.Header, v.Prefix+text)
	case alert.SchemePagerDuty:
		req.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(sum))
	case alert.SchemeBearer:
		req.Header.Set("Authorization", "Bearer "+key)
	case alert.SchemeBasic:
		req.SetBasicAuth(v.User, key)
	case alert.SchemeOkta, alert.SchemeHeader:
		header := v.Header
		if header == "" {
			header = "Authorization"
		}
		req.Header.Set(header, key)
	}
}

// press answers the questions in the place of people: one is left until its
// reminder came, one is pressed by a guest first.
func (d *demo) press(ctx context.Context, data string, alerts int) error {
	d.say("\nPressing the buttons:\n")
	guest := false
	moved := false
	var quiet time.Time
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if err := ctx.Err(); err != nil {
			return err
		}
		open := d.unanswered()
		left, err := d.open(ctx)
		if err != nil {
			return err
		}
		switch {
		case len(open) == 0 && left == 0 && moved:
			if quiet.IsZero() {
				quiet = time.Now()
			}
			if time.Since(quiet) > 300*time.Millisecond {
				return d.summary(ctx, data, alerts)
			}
		case len(open) == 0:
			quiet = time.Time{}
		case len(open) == 1 && !moved && left <= 1:
			d.clock.forward(20 * time.Minute)
			moved = true
			d.say("  nobody answers the last question: the clock moves forward by 20 minutes\n")
			if err := d.await(ctx, func() bool { return d.reminders(ctx) > 0 }); err != nil {
				return err
			}
			d.say("  the channel was reminded\n")
		case len(open) > 1 || moved:
			if !guest {
				guest = true
				if err := d.pressOne(ctx, open[0], "U0MALLORY"); err != nil {
					return err
				}
				d.say("  a guest pressed first: refused, and recorded\n")
			}
			if err := d.pressOne(ctx, open[0], "U0ADA"); err != nil {
				return err
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errs.E(errs.Unavailable, "the demo did not end within two minutes: run it with -v")
}

// unanswered are the messages that have buttons.
func (d *demo) unanswered() []sim.Message {
	var out []sim.Message
	for _, m := range d.workspace.Messages("#soc") {
		if labels, _ := m.Buttons(); len(labels) > 0 && strings.HasPrefix(m.Key(), "ask/") && !strings.Contains(m.Key(), "/escalation/") {
			out = append(out, m)
		}
	}
	return out
}

func (d *demo) pressOne(ctx context.Context, m sim.Message, user string) error {
	labels, actions := m.Buttons()
	if len(actions) == 0 {
		return nil
	}
	// Ada decides now this, now that, so that each playbook shows its branches.
	choice := d.pressed % min(2, len(actions))
	if _, err := d.workspace.Click(ctx, sim.Press{User: user, Channel: m.Channel, TS: m.TS, ActionID: actions[choice]}); err != nil {
		return err
	}
	if user == "U0ADA" {
		d.pressed++
		d.say("  Ada answers %q: %s\n", labels[choice], clip(strings.SplitN(m.Text, "\n", 2)[0], 80))
		return d.await(ctx, func() bool {
			return !slices.ContainsFunc(d.unanswered(), func(x sim.Message) bool { return x.TS == m.TS })
		})
	}
	return nil
}

func (d *demo) await(ctx context.Context, f func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !f(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errs.E(errs.Unavailable, "what should have happened did not within 30 seconds: run the demo with -v")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// open counts the runs that go on.
func (d *demo) open(ctx context.Context) (int, error) {
	var out struct{ Items []struct{ ID uint64 } }
	err := d.call(ctx, http.MethodGet, "/runs?state=open&limit=500", nil, &out)
	return len(out.Items), err
}

func (d *demo) reminders(ctx context.Context) int { return d.count(ctx, "ask.reminded") }

func (d *demo) count(ctx context.Context, kind string) int {
	n := 0
	var from uint64
	for {
		var out struct {
			Items []ledger.Record
			Next  uint64
		}
		if err := d.call(ctx, http.MethodGet, fmt.Sprintf("/records?kind=%s&from=%d&limit=500", kind, from), nil, &out); err != nil || len(out.Items) == 0 {
			return n
		}
		n, from = n+len(out.Items), out.Next
	}
}

func (d *demo) summary(ctx context.Context, data string, alerts int) error {
	var cases struct{ Items []struct{ State string } }
	if err := d.call(ctx, http.MethodGet, "/cases?limit=500", nil, &cases); err != nil {
		return err
	}
	resolved := 0
	for _, c := range cases.Items {
		if c.State == string(alert.Resolved) {
			resolved++
		}
	}
	runs := d.count(ctx, "run.finished")
	d.say("\nSummary\n  alerts     %d\n  cases      %d (%d resolved)\n  runs       %d\n  questions  %d\n  answers    %d (%d refused)\n  reminders  %d\n  contained  %d hosts\n  tickets    %d\n",
		alerts, len(cases.Items), resolved, runs, d.count(ctx, "ask.asked"), d.count(ctx, "ask.answered"), d.count(ctx, "ask.refused"), d.reminders(ctx),
		d.tools.count("hosts contained"), d.tools.count("tickets opened"))
	r, err := app.VerifyLedger(ctx, data, "")
	if err != nil {
		return fmt.Errorf("verify the ledger: %w", err)
	}
	d.say("  ledger     %d records, %d bytes in %s\n  root       %s, recomputed from the stored bytes\n", r.Records, r.Bytes, filepath.Base(data), r.Root)
	return nil
}
