// Package ledger is the append-only, tamper-evident log of a region.
package ledger
