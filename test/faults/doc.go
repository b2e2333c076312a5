// Package faults breaks real nodes and looks at what they make of it: they are
// killed, their disks run full or turn read-only, bits of their files flip,
// their clock jumps and Slack goes away.
//
// What has to hold each time: what was acknowledged is in the ledger, every run
// ends, no effect is doubled where the API honours the idempotency key, and
// damage is named or repaired, never accepted in silence.
//
// go test ./test/faults runs a short campaign. With BEFFROI_FAULTS=long it runs
// the long one; BEFFROI_FAULTS_SEED repeats the dice of an earlier one.
package faults
