package ask

import "time"

// Kinds of record in the life of a question. The subject is the question:
// ask/1050, after the number of its ask.asked record.
const (
	KindAsked     = "ask.asked"     // data: Asked
	KindAnswered  = "ask.answered"  // data: Answered; ends the question
	KindRefused   = "ask.refused"   // data: Refused
	KindReminded  = "ask.reminded"  // data: Reminded
	KindEscalated = "ask.escalated" // data: Escalated
	KindExpired   = "ask.expired"   // data: Expired; ends the question
	KindWithdrawn = "ask.withdrawn" // data: Withdrawn; ends the question
)

// Asked says that a question was put.
type Asked struct {
	Question Question `json:"question"`
	People   []string `json:"people,omitempty"` // whom it reached, where its channel names people
}

// Answered says which answer counts. It is the only one.
type Answered struct {
	Answer string `json:"answer"`
	Label  string `json:"label"` // what the button said
	Reason string `json:"reason,omitempty"`
	By     string `json:"by"`            // person/ada
	Via    string `json:"via,omitempty"` // slack, api
}

// Refused says who tried to answer and why it did not count.
type Refused struct {
	By     string `json:"by,omitempty"`   // empty when the person is not known
	From   string `json:"from,omitempty"` // who the channel says it was
	Via    string `json:"via,omitempty"`
	Answer string `json:"answer"`
	Why    Why    `json:"why"`
}

// Reminded says that people were reminded, for the nth time.
type Reminded struct {
	N   int       `json:"n"`
	Due time.Time `json:"due"`
}

// Escalated says that the nth escalation was made, and whom it reached.
type Escalated struct {
	N      int       `json:"n"`
	Due    time.Time `json:"due"`
	To     string    `json:"to"`               // as the question names it
	People []string  `json:"people,omitempty"` // whom that was at that moment
}

// Expired says that nobody answered in time, and what follows from it.
type Expired struct {
	Due    time.Time `json:"due"`
	Answer string    `json:"answer,omitempty"` // the default answer, taken
	Fail   bool      `json:"fail,omitempty"`   // or: it counts as a failure
}

// Withdrawn says that the question is no longer asked.
type Withdrawn struct {
	Why string `json:"why"` // for example: run/1043 was cancelled
}
