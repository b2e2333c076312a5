//go:build !unix

package ledger

import (
	"errors"
	"io"
)

func lockFile(string) (io.Closer, error) {
	return nil, errors.New("a ledger is written on Unix systems only")
}
