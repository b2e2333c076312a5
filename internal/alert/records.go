package alert

import (
	"encoding/json"
	"time"
)

// Kinds of record that belong to alerts and cases. The subject of KindReceived
// is its source, "source/github"; that of all others the case.
const (
	KindReceived     = "alert.received"
	KindOpened       = "case.opened"
	KindReopened     = "case.reopened"
	KindAcknowledged = "case.acknowledged"
	KindAssigned     = "case.assigned"
	KindCommented    = "case.commented"
	KindResolved     = "case.resolved"
	KindMerged       = "case.merged"
	KindOverdue      = "case.overdue"
)

// Received is the data of alert.received. The alert is alert/SEQ of the record.
// When it opens a case, that case is case/SEQ of the same record, so that the
// most frequent thing costs one record.
type Received struct {
	Source      string          `json:"source"`
	Rule        string          `json:"rule,omitempty"`
	Outcome     Outcome         `json:"outcome"`
	Case        string          `json:"case,omitempty"`         // "" when it opens one: case/SEQ
	DuplicateOf string          `json:"duplicate_of,omitempty"` // the first alert with the same fingerprint
	Shares      []string        `json:"shares,omitempty"`       // the entities for which it joins
	Related     []string        `json:"related,omitempty"`      // resolved cases that share an entity
	Fingerprint string          `json:"fingerprint,omitempty"`
	Entities    []string        `json:"entities,omitempty"`
	Finding     map[string]any  `json:"finding"`            // OCSF, without the raw event
	Raw         json.RawMessage `json:"raw,omitempty"`      // the event, when it is small
	RawBlob     string          `json:"raw_blob,omitempty"` // its name in the blob store, when it is not
	RawSize     int             `json:"raw_size"`           // bytes
	Problems    []string        `json:"problems,omitempty"` // what could not be mapped
}

// Record returns the record data of a finding and where it belongs; the caller
// adds the raw event.
func (f Finding) Record(d Decision) Received {
	return Received{
		Source: f.Source, Rule: f.Rule, Outcome: d.Outcome, Case: d.Case, DuplicateOf: d.DuplicateOf,
		Shares: d.Entities, Related: d.Related, Fingerprint: f.Fingerprint, Entities: f.Entities,
		Finding: f.OCSF, Problems: f.Problems,
	}
}

// CaseOpened is the data of case.opened, for a case that a person opens.
type CaseOpened struct {
	Title    string   `json:"title"`
	Severity int64    `json:"severity_id"`
	Entities []string `json:"entities,omitempty"`
	Note     string   `json:"note,omitempty"`
}

// CaseReopened is the data of case.reopened.
type CaseReopened struct {
	Reason string `json:"reason"`
	Alert  string `json:"alert,omitempty"` // that came again; "" when a person reopens
}

// CaseAcknowledged is the data of case.acknowledged: the actor takes the case.
type CaseAcknowledged struct {
	Note string `json:"note,omitempty"`
}

// CaseAssigned is the data of case.assigned.
type CaseAssigned struct {
	To   string `json:"to"` // "person/ada" or "team/blue"
	Note string `json:"note,omitempty"`
}

// CaseCommented is the data of case.commented.
type CaseCommented struct {
	Text string `json:"text"`
}

// CaseResolved is the data of case.resolved.
type CaseResolved struct {
	Verdict string `json:"verdict"` // one of Verdicts
	Reason  string `json:"reason"`
}

// CaseMerged is the data of case.merged: the subject is the case that ends.
type CaseMerged struct {
	Into   string `json:"into"`
	Reason string `json:"reason,omitempty"`
}

// CaseOverdue is the data of case.overdue: one step of an objective was taken.
type CaseOverdue struct {
	Objective string    `json:"objective"` // name of the document
	Step      int       `json:"step"`      // from 0
	Deadline  time.Time `json:"deadline"`
	Since     time.Time `json:"since"` // when the clock began
	Severity  int64     `json:"severity_id"`
	Notified  []string  `json:"notified"` // who and where: "team/blue", "#soc"
	Early     bool      `json:"early,omitempty"`
}
