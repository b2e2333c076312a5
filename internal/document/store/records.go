package store

// Kinds of record that this package owns.
const (
	KindApplied = "document.applied"
	KindRemoved = "document.removed"
)

// Applied says that a version of a document became the one in force.
type Applied struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version"`           // hex SHA-256 of the canonical text
	From    string `json:"from,omitempty"`    // the version before; empty for a new document
	Text    string `json:"text,omitempty"`    // canonical text, unless it stands in the blob store
	Blob    string `json:"blob,omitempty"`    // name in the blob store, for a long text
	Message string `json:"message,omitempty"` // why, in the words of who applied it
	// Rollback says that the version was in force before and was brought back.
	Rollback bool `json:"rollback,omitempty"`
	More     int  `json:"more,omitempty"` // records of the same apply that follow this one
}

// Removed says that a document is in force no more.
type Removed struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	From    string `json:"from"` // the version that was in force
	Message string `json:"message,omitempty"`
	More    int    `json:"more,omitempty"` // records of the same apply that follow this one
}
