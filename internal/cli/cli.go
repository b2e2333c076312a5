// Package cli is the command line. A command parses its flags, calls the API of
// a node (or, for what an auditor does offline, reads the ledger's files) and
// prints: lines for people, or JSON with --output json.
//
// It promises that an error says what to do next, that nothing is printed to
// standard output but the answer, and that a token is never taken from a flag,
// where other users of the machine would see it.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/web"
)

// A command is one word of the command line, or two.
type command struct {
	name    string // "ledger verify"
	args    string // what stands after it: "SEQ"
	summary string
	run     func(e *env, args []string) error
}

// env is what a command works with.
type env struct {
	ctx            context.Context //nolint:containedctx // of the one command that runs
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	flags          *flag.FlagSet
	output         *string
	cmd            command
}

// errUsage has been told to the user already.
var errUsage = errors.New("usage")

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitDenied   = 4
	exitConflict = 5
)

// Main runs one command and returns the exit status of the program.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		usage(stdout)
		return exitOK
	}
	cmd, rest, err := find(args)
	if err != nil {
		fmt.Fprintln(stderr, "beffroi:", err)
		return exitUsage
	}
	e := &env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv, cmd: cmd}
	e.flags = flag.NewFlagSet("beffroi "+cmd.name, flag.ContinueOnError)
	e.flags.SetOutput(stderr)
	e.flags.Usage = e.help
	e.output = e.flags.String("output", "text", "text or json")
	if err := cmd.run(e, rest); err != nil {
		return e.fail(err)
	}
	return exitOK
}

// fail tells an error to the reader who must act.
func (e *env) fail(err error) int {
	if errors.Is(err, errUsage) || errors.Is(err, flag.ErrHelp) {
		return exitUsage
	}
	var p *web.Problem
	if errors.As(err, &p) {
		for _, i := range p.Issues {
			fmt.Fprintln(e.stderr, i)
		}
		text := p.Detail
		if text == "" {
			text = p.Title
		}
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		fmt.Fprintln(e.stderr, "beffroi:", text)
		return map[int]int{401: exitDenied, 403: exitDenied, 404: exitNotFound, 409: exitConflict, 400: exitUsage, 422: exitUsage}[p.Status] | exitFailed*b2i(p.Status >= 500)
	}
	fmt.Fprintln(e.stderr, "beffroi:", err)
	switch errs.KindOf(err) { //nolint:exhaustive // the others just failed
	case errs.Invalid:
		return exitUsage
	case errs.NotFound:
		return exitNotFound
	case errs.Denied, errs.Unauthenticated:
		return exitDenied
	case errs.Conflict:
		return exitConflict
	}
	return exitFailed
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (e *env) help() {
	fmt.Fprintf(e.stderr, "%s\n\nusage: beffroi %s [flags] %s\n\n", e.cmd.summary, e.cmd.name, e.cmd.args)
	e.flags.PrintDefaults()
}

// parse reads flags and checks how many arguments there are; flags may stand
// behind arguments too.
func (e *env) parse(args []string, least, most int) ([]string, error) {
	var pos []string
	for {
		if err := e.flags.Parse(args); err != nil {
			return nil, errUsage
		}
		args = e.flags.Args()
		if len(args) == 0 {
			break
		}
		pos, args = append(pos, args[0]), args[1:]
	}
	if *e.output != "text" && *e.output != "json" {
		return nil, errs.E(errs.Invalid, "--output %s: write text or json", *e.output)
	}
	if len(pos) < least || len(pos) > most {
		e.help()
		return nil, errUsage
	}
	return pos, nil
}

func (e *env) json() bool { return *e.output == "json" }

// find takes the longest name of a command from the front of args.
func find(args []string) (command, []string, error) {
	for n := min(2, len(args)); n > 0; n-- {
		name := strings.Join(args[:n], " ")
		for _, c := range commands() {
			if c.name == name {
				return c, args[n:], nil
			}
		}
	}
	var names, sub []string
	for _, c := range commands() {
		first, second, two := strings.Cut(c.name, " ")
		names = append(names, first)
		if two && first == args[0] {
			sub = append(sub, second)
		}
	}
	if len(sub) > 0 {
		return command{}, nil, errs.E(errs.Invalid, "beffroi %s needs one of: %s", args[0], strings.Join(sub, ", "))
	}
	hint := errs.Suggest(args[0], names)
	if hint == "" {
		hint = "beffroi help lists the commands"
	}
	return command{}, nil, errs.Hint(errs.Invalid, hint, "there is no command %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Beffroi handles alerts with playbooks and people, and proves it.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-34s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	fmt.Fprint(w, `
Commands that talk to a node find it by BEFFROI_URL (http://127.0.0.1:8420 unless set)
and are let in by BEFFROI_TOKEN, or by the file that BEFFROI_TOKEN_FILE names.
`)
}

// commands lists all commands, in the order of the help.
func commands() []command {
	return []command{
		{"demo", "", "Tell the story on this machine: real alerts, a simulated Slack, no network", runDemo},
		{"serve", "", "Run a node", runServe},
		{"plan", "-f DIR", "Say what applying documents would change; check them and run their tests", runPlan},
		{"apply", "-f DIR -m WHY", "Put documents in force, all or none", runApply},
		{"rollback", "KIND/NAME", "Bring an older version of a document back", runRollback},
		{"history", "[KIND/NAME]", "Versions of a document: who, when, why; or the documents in force", runHistory},
		{"diff", "KIND/NAME", "What two versions of a document differ in", runDiff},
		{"show", "KIND/NAME", "Print a document as it is in force", runShow},
		{"fmt", "FILE...", "Write documents in their canonical form", runFmt},
		{"schema", "[KIND]", "JSON Schema of a kind of document, for editors", runSchema},
		{"run", "PLAYBOOK", "Start a playbook, or with --dry show what it would do", runRun},
		{"run list", "", "Runs, newest first", runRunList},
		{"run show", "RUN", "One run: each step, what it waits for", runRunShow},
		{"run cancel", "RUN", "End a run", runRunCancel},
		{"run retry", "RUN", "Go on with a run that failed", runRunRetry},
		{"run replay", "RUN", "Run again what a run was started with", runRunReplay},
		{"run explain", "PLAYBOOK ALERT", "Why an alert starts a playbook, or does not", runExplain},
		{"case list", "", "Cases, newest first", runCaseList},
		{"case show", "CASE", "One case with all that happened in it", runCaseShow},
		{"case resolve", "CASE VERDICT", "Say what a case was", runCaseResolve},
		{"ask list", "", "Questions that wait for an answer", runAskList},
		{"ask answer", "ASK ANSWER", "Answer a question", runAskAnswer},
		{"secret set", "NAME", "Read a secret from standard input and seal it", runSecretSet},
		{"secret list", "", "Names of secrets; nobody reads their values", runSecretList},
		{"secret remove", "NAME", "Forget a secret", runSecretRemove},
		{"token create", "OWNER", "Make an API token; its text is shown once", runTokenCreate},
		{"token list", "", "API tokens, without their texts", runTokenList},
		{"token revoke", "ID", "Revoke an API token", runTokenRevoke},
		{"report handling", "", "What share of cases was handled in time, by whom", runReport},
		{"ledger verify", "", "Recompute everything from the stored bytes", runLedgerVerify},
		{"ledger show", "", "Records, filtered; --follow for those to come", runLedgerShow},
		{"ledger prove", "SEQ", "Write a proof that a record stands in the ledger", runLedgerProve},
		{"ledger check", "FILE --key PUB", "Verify a proof offline, on any machine", runLedgerCheck},
		{"ledger export", "", "All records as JSON lines", runLedgerExport},
		{"version", "", "Version of the program", runVersion},
	}
}
