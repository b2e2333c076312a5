package blob

import (
	"errors"
	"os"
)

// A Disk writes, and tests make it fail.
type Disk interface {
	Write(name string, b []byte) error // a new file, durable but for its name
	Rename(from, to string) error
	SyncDir(dir string) error // makes the names in dir durable
}

// disk is that of the operating system.
type disk struct{}

func (disk) Write(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }

func (disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
