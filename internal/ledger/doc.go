// Package ledger is the append-only, tamper-evident log of a region: the one
// place where what happened is written down, from which everything else is
// derived.
//
// It promises:
//
//   - An [Log.Append] that returned nil is durable: one write and one fsync for
//     the whole block. After any failure of the disk the log is broken for ever
//     ([ErrBroken]); opening it again recovers by the path that every start takes.
//   - [Open] loses nothing that was acknowledged. What a crash left half done
//     is finished or dropped, and [Log.Recovery] says which. Damage is another
//     matter: a flipped bit or a missing file is a [DamageError] that names the
//     file and the records, never a shorter log.
//   - Readers see durable records only, and need no lock that a writer holds
//     while it waits for the disk.
//   - One writer: the lock dies with the process that holds it.
//
// It never changes or removes a record, never reads the clock for a record's
// time, and does not know what records mean.
//
// Records are leaves of the tree of RFC 6962 section 2.1: the leaf hash is over
// exactly the bytes of the record's line. The tree is served as C2SP tlog-tiles
// ("Merkle Tree", "Partial Tiles", "Log entries"), its head is a C2SP
// tlog-checkpoint signed as a C2SP signed-note with Ed25519, and a proof for one
// record is a C2SP tlog-proof ("Format"). How all that stands on disk is in
// docs/format/ledger.md.
package ledger
