// Package alert turns what security tools send into alerts, and alerts into
// cases that somebody has to handle.
//
// A [Source] maps one event of one product to an OCSF Detection Finding
// (github.com/ocsf/ocsf-schema, class 2004, the version in ocsf.json). [Decide]
// says which case an alert belongs to. An [Objective] says by when a person
// must have acted, and who is told when nobody has.
//
// It promises that
//
//   - no alert is lost because a vendor changed a field: a field that cannot
//     be mapped is left out and named in Finding.Problems, and a filter that
//     fails lets the event through;
//   - a fingerprint with a missing part is empty, and an empty fingerprint
//     never merges two alerts;
//   - a resolved case is reopened, never silently extended;
//   - what a product sends is data: it is never evaluated.
//
// It never reads files, the network or the clock: time comes in as a value,
// and the events that documents are tested with come from an fs.FS.
package alert
