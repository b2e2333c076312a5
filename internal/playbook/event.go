package playbook

import "time"

// An EventKind says what happened to a run.
type EventKind string

// Kinds of event, and the fields that each fills beside Kind and At.
const (
	Finished  EventKind = "finished"  // an action succeeded: Action, Result
	Errored   EventKind = "failed"    // an action failed: Action, Error
	Fired     EventKind = "fired"     // the time of a Wait or an Await has come: Action
	Answered  EventKind = "answered"  // a person answered: Action, Answer, By, Reason
	Expired   EventKind = "expired"   // nobody answered in time: Action
	Ended     EventKind = "ended"     // a played run ended: Action, Run, Status, Result (its output), Error
	Arrived   EventKind = "arrived"   // the awaited event came: Action, Result (its data)
	Cancelled EventKind = "cancelled" // a person ends the run: By, Reason
	Retried   EventKind = "retried"   // a person starts an ended run again: By, Step
)

// An Event is one thing that happened to a run. A run is the fold of its
// events: the same events in the same order give the same run. So Result is
// the value that is read back from where it was recorded, with int64 for
// integral numbers (see expr.FromJSON).
type Event struct {
	Kind   EventKind `json:"kind"`
	At     time.Time `json:"at"`
	Action string    `json:"action,omitempty"` // id of the open action that it concerns
	Result any       `json:"result,omitempty"` // JSON value; of a call {status, headers, body}
	Error  *Error    `json:"error,omitempty"`
	Answer string    `json:"answer,omitempty"`
	By     string    `json:"by,omitempty"` // person/ada
	Reason string    `json:"reason,omitempty"`
	Run    string    `json:"run,omitempty"`    // of Ended: the run that was played
	Status Status    `json:"status,omitempty"` // of Ended: how it ended
	Step   string    `json:"step,omitempty"`   // of Retried: where to begin; empty for the step that failed
}

// A Status says how a run stands.
type Status string

// A run is running until it ends in one of four ways.
const (
	Running      Status = "running"
	OK           Status = "ok"        // all steps were done
	RunFailed    Status = "failed"    // a step failed and nothing handled it
	Stopped      Status = "stopped"   // a stop step ended it early
	WasCancelled Status = "cancelled" // a person ended it
)
