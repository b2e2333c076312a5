package store

import (
	"encoding/json"
	"time"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/playbook"
)

// Kinds of record that this package owns. Those marked (event) are what the
// run machine is fed: a run is the fold of them. The others say what the
// machine wanted, so that it is known, and done, whatever happens to the node.
const (
	KindQueued    = "run.queued"     // waits for others of its concurrency key
	KindStarted   = "run.started"    // (event)
	KindCancelled = "run.cancelled"  // (event) somebody wants it to end
	KindRetried   = "run.retried"    // (event) somebody wants it to go on after a failure
	KindFinished  = "run.finished"   // it ended
	KindDropped   = "run.dropped"    // a trigger that started no run, and why
	KindCall      = "step.started"   // a call is to be made
	KindWaiting   = "step.waiting"   // until a time, an event, a child run or an answer
	KindDone      = "step.finished"  // (event) the outcome of what was open
	KindWoken     = "step.woken"     // (event) the time has come
	KindWithdrawn = "step.withdrawn" // no longer wanted
	KindScheduled = "schedule.fired" // the time of a schedule has come
	KindWebhook   = "webhook.received"
)

// Kinds of trigger.
const (
	TriggerAlert    = "alert"
	TriggerWebhook  = "webhook"
	TriggerSchedule = "schedule"
	TriggerManual   = "manual"
	TriggerRecord   = "record"
	TriggerPlay     = "play"
)

// A Trigger says what started a run.
type Trigger struct {
	Kind     string     `json:"kind"`
	Alert    uint64     `json:"alert,omitempty"`
	Case     uint64     `json:"case,omitempty"`
	Record   uint64     `json:"record,omitempty"`    // the record that set it off
	Name     string     `json:"name,omitempty"`      // of the webhook
	Due      *time.Time `json:"due,omitempty"`       // of a schedule
	Run      uint64     `json:"run,omitempty"`       // the parent, of play
	Action   string     `json:"action,omitempty"`    // the parent's step, of play
	Depth    int        `json:"depth,omitempty"`     // how deep, of play; how long the chain, of the end of a run
	ReplayOf uint64     `json:"replay_of,omitempty"` // the run that is played again
}

// Started is the data of run.started and run.queued.
type Started struct {
	Run         uint64         `json:"run"` // its number: that of the record that first named it
	Playbook    string         `json:"playbook"`
	Version     string         `json:"version"`
	Trigger     Trigger        `json:"trigger"`
	Inputs      map[string]any `json:"inputs,omitempty"`
	Case        map[string]any `json:"case,omitempty"` // the case as it stood then
	Requester   string         `json:"requester,omitempty"`
	Concurrency string         `json:"concurrency,omitempty"` // key that it shares with others
}

// Dropped is the data of run.dropped.
type Dropped struct {
	Playbook string  `json:"playbook"`
	Version  string  `json:"version"`
	Trigger  Trigger `json:"trigger"`
	Reason   string  `json:"reason"`
}

// Asked is the data of run.cancelled and run.retried: what a person wants.
type Asked struct {
	Run    uint64 `json:"run"`
	Reason string `json:"reason,omitempty"`
	Step   string `json:"step,omitempty"` // of run.retried: where to begin; empty: the step that failed
}

// Finished is the data of run.finished.
type Finished struct {
	Run     uint64          `json:"run"`
	Status  playbook.Status `json:"status"`
	Output  *Payload        `json:"output,omitempty"`
	Error   *playbook.Error `json:"error,omitempty"`
	Message string          `json:"message,omitempty"`
}

// Call is the data of step.started: an outside call that must be made at least
// once, always with the same key.
type Call struct {
	Run        uint64       `json:"run"`
	Playbook   string       `json:"playbook"`
	Action     string       `json:"action"`
	Op         string       `json:"op"`
	Connection string       `json:"connection,omitempty"`
	With       *Payload     `json:"with,omitempty"`
	Timeout    ask.Duration `json:"timeout,omitempty"`
	Attempt    int          `json:"attempt"`
	Key        string       `json:"key"`
	Case       uint64       `json:"case,omitempty"`
}

// What is open besides calls.
const (
	OpenCall  = "call"
	OpenWait  = "wait"
	OpenAwait = "await"
	OpenPlay  = "play"
	OpenAsk   = "ask"
)

// Waiting is the data of step.waiting.
type Waiting struct {
	Run    uint64         `json:"run"`
	Action string         `json:"action"`
	For    string         `json:"for"` // wait, await, play, ask
	Until  *time.Time     `json:"until,omitempty"`
	Event  string         `json:"event,omitempty"` // kind of record that is awaited
	Match  map[string]any `json:"match,omitempty"` // what must stand in its data
	Child  uint64         `json:"child,omitempty"` // run that is played
	Ask    uint64         `json:"ask,omitempty"`   // question that is asked
}

// Done is the data of step.finished: an event for the machine. Its result
// stands apart, because it may be in the blob store.
type Done struct {
	Run    uint64         `json:"run"`
	Event  playbook.Event `json:"event"` // without At, which is the record's time, and Result
	Result *Payload       `json:"result,omitempty"`
	Took   ask.Duration   `json:"took,omitempty"`
	// Request is what was sent, secrets redacted.
	Request json.RawMessage `json:"request,omitempty"`
}

// Action is the data of step.woken and step.withdrawn.
type Action struct {
	Run    uint64 `json:"run"`
	Action string `json:"action"`
}

// Scheduled is the data of schedule.fired.
type Scheduled struct {
	Playbook string    `json:"playbook"`
	Due      time.Time `json:"due"`
	Missed   int       `json:"missed,omitempty"`  // times that passed while no node was there
	Skipped  bool      `json:"skipped,omitempty"` // missed, and the playbook says to skip those
}

// A Payload is a JSON value that stands in the record, or in the blob store
// when it is long.
type Payload struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Blob string          `json:"blob,omitempty"`
	Size int             `json:"size,omitempty"` // bytes, of a blob
}

// Webhook is the data of webhook.received: somebody called a playbook's hook.
type Webhook struct {
	Name string   `json:"name"`
	Data *Payload `json:"data"`
}
