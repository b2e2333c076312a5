// Package playbook is the language of playbooks and the machine that runs
// them. docs/playbooks.md explains the language to its authors.
//
// [Compile] checks all that a playbook document says and gives a [Playbook].
// [Start] begins a [Run] of it; [Step] goes on with an [Event]. Both return
// [Command] values: what is to be done outside. Whoever does it records the
// event and steps the run with it. A run is the fold of its events, so it can
// be thrown away and rebuilt at any time.
//
// It promises, whatever happens and in whatever order, that
//
//   - the same events give the same run and the same commands;
//   - after each event a run has ended or waits for at least one open action,
//     and when it has ended nothing is open;
//   - no action id is used twice, and the idempotency key of a step is the
//     same for each of its attempts;
//   - a run does not end well while a question is open; a failure that is
//     handled does not take back a question beside it; a skipped question
//     parks nothing;
//   - finally runs once at each end of a run;
//   - results are data: nothing that comes from outside is ever evaluated;
//   - work is bounded, see limits.go.
//
// It never reads a clock, never waits, never does anything itself. Chance, for
// the jitter of retries, is a hash of what is retried. [Simulate] plays the
// world around the same machine, for tests inside playbooks and for dry runs.
//
// Inside, a step that is being run is a task, and a list of steps a block: the
// tasks and blocks of a run form a tree whose leaves wait for open actions. An
// outcome goes up the tree (exec.climb) until something waits again; what
// begins goes down by ordinary calls (exec.run, exec.enter).
package playbook
