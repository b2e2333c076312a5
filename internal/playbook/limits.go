package playbook

import "time"

// What one playbook, and one run of it, may do. A run that meets a limit
// fails with an error of kind "limit" that says which.
const (
	maxActions  = 10_000  // actions that a run begins: calls, questions, waits, plays
	maxVisits   = 100_000 // steps that a run evaluates
	maxFinally  = 1_000   // actions, and steps, that finally has beyond these two
	maxItems    = 10_000  // items of one each
	maxDepth    = 32      // how deep steps nest
	maxSteps    = 1_000   // steps of a playbook
	maxBranches = 100     // branches of a parallel, and items of an each at a time
	maxTrace    = 10_000  // entries of a trace; what is over is counted
	maxRetries  = 100
	maxWait     = 10 * 366 * 24 * time.Hour
	maxDelay    = 24 * time.Hour // between two attempts, whatever a server asks for
	maxText     = 16 << 10       // bytes of the text of a question; each other part has less
	maxFields   = 20
	maxAnswers  = 10
	maxChain    = 10 // of escalations, and of reminders
	maxWho      = 50
	minRemind   = time.Minute
	maxAsk      = 366 * 24 * time.Hour // that a question lives, or waits for anything
)
