//go:build race

package ledger_test

const sparse = 7
