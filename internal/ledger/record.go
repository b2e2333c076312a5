package ledger

import (
	"encoding/json"
	"time"
)

// A Draft is a record that was decided but has no place in the ledger yet. The
// sequencer gives it its sequence number and time.
type Draft struct {
	Kind    string // what happened: "alert.received"
	Subject string // to whom or what: "case/1041"
	Actor   string // who did it: "person/ada", "source/github", "playbook/triage", "beffroi"
	Data    any    // marshals to a JSON object; its type belongs to the core that owns the kind
}

// A Record is a fact that stands in the ledger for ever.
type Record struct {
	Seq     uint64          `json:"seq"`
	Time    time.Time       `json:"time"` // UTC, microseconds
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Actor   string          `json:"actor"`
	Data    json.RawMessage `json:"data"`
}
