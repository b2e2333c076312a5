package view

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"zombiezen.com/go/sqlite"
)

// format is the version of what this package itself writes (user_version).
const format = 2

// meta has one row: what made the view, how far it is, the hash of the last
// record applied, and whether it was closed in order.
const meta = `CREATE TABLE view_meta (
	one         INTEGER PRIMARY KEY CHECK (one = 1),
	fingerprint TEXT NOT NULL,
	applied     INTEGER NOT NULL,
	last        BLOB NOT NULL,
	clean       INTEGER NOT NULL
) STRICT;`

var (
	// errStale says that the stored view cannot be brought up to date.
	errStale = errors.New("the view is stale")
	// errNone says that there is no view yet.
	errNone = errors.New("there is no view")
)

// errUndone says that a transaction is in a state that nobody knows.
var errUndone = errors.New("what was applied could not be taken back")

// Failed reports whether err means that the file of the view or its disk
// failed: nothing can be applied until it is opened again. Any other error of a
// [Tx] concerns only what was asked of it.
func Failed(err error) bool {
	if errors.Is(err, errUndone) {
		return true
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultIOErr, sqlite.ResultFull, sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultNoMem,
		sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultProtocol:
		return true
	default:
		return false
	}
}

// rebuildable reports whether another view, made from the ledger, would not
// have the same failure.
func rebuildable(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultSchema, sqlite.ResultFormat:
		return true
	default:
		return errors.Is(err, errStale) || errors.Is(err, errNone)
	}
}

// stale makes of a failure to work with what is stored a reason to store it
// anew, unless it is the disk that failed.
func stale(err error) error {
	if err == nil || Failed(err) {
		return err // rebuildable knows a corrupt file by its code
	}
	return fmt.Errorf("%w: %w", errStale, err)
}

// readable refuses a file that SQLite would read but not write, because its
// head names a format to come (sqlite.org/fileformat.html, section 1.3.3).
func readable(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open view: %w", err)
	}
	head := make([]byte, 20)
	_, err = io.ReadFull(f, head)
	if e := f.Close(); e != nil {
		return fmt.Errorf("close view: %w", e)
	}
	if err == nil && (head[18] > 2 || head[19] > 2) {
		return fmt.Errorf("%w: the head of the file names format %d, %d", errStale, head[18], head[19])
	}
	return nil // what is shorter is for SQLite to judge
}

// A header is what view_meta and the file say of the view.
type header struct {
	tables, format int64
	fingerprint    string
	applied        uint64
	last           []byte
	clean          bool
}

// recognise refuses a view that was made by another version or for another
// ledger, and looks one over that was not closed in order.
func (v *View) recognise() error {
	tx := &Tx{v: v, conn: v.write}
	h, err := readHeader(tx)
	if err != nil {
		return fmt.Errorf("read the view's header: %w", stale(err))
	}
	if h.tables == 0 {
		return errNone
	}
	if err := h.fits(v.c.Stores, v.c.Source); err != nil {
		return err
	}
	if !h.clean {
		if err := integrity(tx, "quick_check"); err != nil {
			return stale(err)
		}
	}
	v.applied.Store(h.applied)
	return tx.Exec(`UPDATE view_meta SET clean = 0`)
}

func readHeader(tx *Tx) (h header, err error) {
	_, err = tx.One(`SELECT (SELECT count(*) FROM sqlite_schema), (SELECT user_version FROM pragma_user_version)`, func(r Row) error {
		h.tables, h.format = r.Int(0), r.Int(1)
		return nil
	})
	if err != nil || h.tables == 0 || h.format != format {
		return h, err
	}
	_, err = tx.One(`SELECT fingerprint, applied, last, clean FROM view_meta`, func(r Row) error {
		h.fingerprint, h.applied, h.last, h.clean = r.Text(0), r.Uint(1), r.Bytes(2), r.Bool(3)
		return nil
	})
	return h, err
}

// fits says whether the view was made by these stores from this ledger.
func (h header) fits(stores []Store, source Source) error {
	switch {
	case h.format != format || h.fingerprint != fingerprint(stores):
		return fmt.Errorf("%w: made by another version", errStale)
	case h.applied > source.Size():
		return fmt.Errorf("%w: %d records applied, the ledger has %d", errStale, h.applied, source.Size())
	case h.applied == 0:
		return nil
	}
	line, err := source.Read(h.applied - 1)
	if err != nil {
		return fmt.Errorf("read record %d: %w", h.applied-1, err)
	}
	if sum := sha256.Sum256(line); string(sum[:]) != string(h.last) {
		return fmt.Errorf("%w: record %d is another one in the ledger", errStale, h.applied-1)
	}
	return nil
}

// integrity runs quick_check, which reads every page, or integrity_check,
// which compares the indexes with the tables too.
func integrity(tx *Tx, pragma string) error {
	var found string
	_, err := tx.One("PRAGMA "+pragma+"(1)", func(r Row) error {
		found = r.Text(0)
		return nil
	})
	if err == nil && found != "ok" {
		err = errors.New(found)
	}
	if err != nil {
		return fmt.Errorf("the file is damaged: %w", err)
	}
	return nil
}
