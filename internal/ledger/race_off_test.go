//go:build !race

package ledger_test

// sparse tests look at every sparse-th place only: the race detector is slow.
const sparse = 1
