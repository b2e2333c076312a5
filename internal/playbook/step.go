package playbook

import "time"

// kind is what a step does.
type kind string

const (
	kindCall     kind = "call"
	kindAsk      kind = "ask"
	kindSet      kind = "set"
	kindIf       kind = "if"
	kindSwitch   kind = "switch"
	kindEach     kind = "each"
	kindParallel kind = "parallel"
	kindWait     kind = "wait"
	kindPlay     kind = "play"
	kindStop     kind = "stop"
)

// A step is one compiled step. It never changes, so many runs share it.
type step struct {
	name  string // id, or kind-n: unique in the playbook
	id    string // "" when the author gave none: then nothing can refer to it
	kind  kind
	path  string // in the document: steps[1].then[0]
	index int    // in order of the document

	// Where it stands: in a block of parent. parent is nil for the blocks
	// steps (0) and finally (1).
	parent *step
	branch int

	// Where its result goes: a slot of the frame of its region, the each
	// around it or nil. The slots of the steps inside it follow its own.
	region    *step
	slot, end int
	slots     int    // of an each: size of the frames of its iterations
	as        string // of an each: name of the item

	guard   *program // nil: always
	retry   *retry
	timeout time.Duration
	onError onError
	handler []*step // branch -1

	body   body
	blocks [][]*step // that the body runs
	labels []string  // of the blocks: then, the name of a case

	// What expressions read while there is no result, and after a skip.
	unreached, skipped map[string]any

	spec *stepSpec // while compiling
}

// onError says what happens when the last attempt has failed.
type onError int

const (
	onErrorStop onError = iota
	onErrorContinue
	onErrorSteps
)

// A body does what its kind of step is for.
type body interface {
	// begin starts an attempt.
	begin(x *exec, t *task) outcome
	// resume goes on with an event for an action that the body opened.
	resume(x *exec, t *task, e *Event) outcome
	// next goes on when a block that the body runs has ended.
	next(x *exec, t *task, b *block, o outcome) outcome
}

// leaf is embedded by bodies that run no block.
type leaf struct{}

func (leaf) next(*exec, *task, *block, outcome) outcome {
	panic("internal error: a step without blocks had one")
}

// composite is embedded by bodies that open no action.
type composite struct{}

func (composite) resume(*exec, *task, *Event) outcome {
	panic("internal error: a step without actions had one")
}

// progress is how far a step or a block has come.
type progress int

const (
	done    progress = iota
	waiting          // an action is open
	failed
	halted // a stop step: the whole run ends
)

// An outcome is what came of a step, an attempt of it, or a block.
type outcome struct {
	progress
	result map[string]any // of done: the fields of the step's result
	err    *Error         // of failed
}

func ok(result map[string]any) outcome { return outcome{result: result} }
func fail(err *Error) outcome          { return outcome{progress: failed, err: err} }

// resultFields lists what each kind of step gives, beside outcome and error.
func (s *step) resultFields() []string {
	switch s.kind {
	case kindCall:
		return []string{"status", "headers", "body"}
	case kindAsk:
		return []string{"answer", "by", "reason", "at", "expired"}
	case kindWait:
		return []string{"at", "event", "timed_out"}
	case kindPlay:
		return []string{"run", "status", "output"}
	case kindEach:
		return []string{"count", "results"}
	case kindSet:
		return sortedKeys(s.spec.Set)
	case kindIf, kindSwitch, kindParallel, kindStop:
	}
	return nil
}

// The outcomes that expressions read as steps.X.outcome.
const (
	outcomeOK      = "ok"
	outcomeFailed  = "failed"
	outcomeSkipped = "skipped"
)

// blank returns the result of a step that gave none.
func (s *step) blank(outcome any) map[string]any {
	m := map[string]any{"outcome": outcome, "error": nil}
	for _, f := range s.resultFields() {
		m[f] = nil
	}
	return m
}
