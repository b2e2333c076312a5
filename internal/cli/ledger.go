package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/console"
	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
)

// defaultData is where a node keeps everything unless told otherwise.
const defaultData = "beffroi-data"

func (e *env) dataFlag() *string {
	return e.flags.String("data", defaultData, "directory in which the node keeps everything")
}

func (e *env) openLedger(data string) (*ledger.Log, error) {
	dir := filepath.Join(data, "ledger")
	if _, err := os.Stat(dir); err != nil {
		return nil, errs.Hint(errs.NotFound, "say where it is with --data DIR", "there is no ledger in %s", data)
	}
	return ledger.Open(ledger.Config{Dir: dir, ReadOnly: true})
}

func runLedgerVerify(e *env, args []string) error {
	data := e.dataFlag()
	key := e.flags.String("key", "", "public key that you know, a text or a file; the ledger's own unless said")
	view := e.flags.Bool("view", false, "also rebuild the view and compare it; the node must not run")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	pub, err := keyText(*key)
	if err != nil {
		return err
	}
	started := time.Now()
	r, err := app.VerifyLedger(e.ctx, *data, pub)
	if err != nil {
		return err
	}
	if *view {
		if err := app.VerifyView(e.ctx, *data); err != nil {
			return err
		}
	}
	if e.json() {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	fmt.Fprintf(e.stdout, "%d records of %s are as they were written (%s)\nroot %s\n", r.Records, r.Origin, time.Since(started).Round(time.Millisecond), r.Root)
	if *view {
		fmt.Fprintln(e.stdout, "the view is what the ledger says")
	}
	if *key == "" {
		fmt.Fprintf(e.stdout, "checked with the ledger's own key; with --key the one that you know:\n%s\n", r.Key)
	}
	return nil
}

// keyText takes a verifier key, or the file that holds it.
func keyText(s string) (string, error) {
	if s == "" || strings.Contains(s, "+") {
		return s, nil
	}
	b, err := os.ReadFile(s)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func runLedgerShow(e *env, args []string) error {
	data := e.dataFlag()
	var f console.RecordFilter
	e.flags.StringVar(&f.Kind, "kind", "", "kind of record, or the part before its dot")
	e.flags.StringVar(&f.Subject, "subject", "", "such as case/1041")
	e.flags.StringVar(&f.Actor, "actor", "", "such as person/ada")
	since := e.flags.String("since", "", "a time (RFC 3339), or how long ago: 30d, 12h")
	until := e.flags.String("until", "", "the same")
	from := e.flags.Uint64("from", 0, "first record")
	limit := e.flags.Int("limit", 0, "how many at most; 0 for all")
	follow := e.flags.Bool("follow", false, "wait for those to come")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	var end time.Time
	var err error
	if f.Since, err = ago(*since); err != nil {
		return err
	}
	if end, err = ago(*until); err != nil {
		return err
	}
	l, err := e.openLedger(*data)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	shown := 0
	show := func(_ uint64, line []byte) error {
		rec, err := ledger.ParseRecord(line)
		if err != nil {
			return err
		}
		if !f.Match(rec) || !end.IsZero() && rec.Time.After(end) {
			return nil
		}
		if shown++; *limit > 0 && shown > *limit {
			return errEnough
		}
		if e.json() {
			_, err = fmt.Fprintf(w, "%s\n", line)
		} else {
			_, err = fmt.Fprintf(w, "%8d  %s  %-20s %-28s %-20s %s\n", rec.Seq, when(rec.Time), rec.Kind, rec.Subject, rec.Actor, clip(string(rec.Data), 160))
		}
		return err
	}
	next := *from
	for {
		size := l.Size()
		if next < size {
			err = l.Range(next, size, show)
			next = size
		}
		if err = errors.Join(err, w.Flush()); err != nil || !*follow {
			break
		}
		select {
		case <-e.ctx.Done():
			return l.Close()
		case <-time.After(200 * time.Millisecond):
		}
		if err = l.Refresh(); err != nil {
			break
		}
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, l.Close())
}

var errEnough = errors.New("enough")

func ago(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	d, err := document.ParseDuration(s)
	if err != nil {
		return time.Time{}, errs.Hint(errs.Invalid, "write 30d, 12h or 2026-11-22T08:00:00Z", "%q is no time", s)
	}
	return time.Now().Add(-d), nil
}

func runLedgerProve(e *env, args []string) error {
	data := e.dataFlag()
	out := e.flags.String("o", "", "file to write; standard output unless said")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	seq, err := strconv.ParseUint(pos[0], 10, 63)
	if err != nil {
		return errs.E(errs.Invalid, "%q is no number of a record", pos[0])
	}
	l, err := e.openLedger(*data)
	if err != nil {
		return err
	}
	b, err := l.Prove(seq)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	if *out == "" {
		_, err = e.stdout.Write(b)
		return err
	}
	if err := os.WriteFile(*out, b, 0o600); err != nil {
		return fmt.Errorf("write the proof: %w", err)
	}
	fmt.Fprintf(e.stderr, "check it anywhere with: beffroi ledger check %s --key '%s'\n", *out, l.Key())
	return nil
}

func runLedgerCheck(e *env, args []string) error {
	key := e.flags.String("key", "", "public key of the ledger, a text or a file; required")
	pos, err := e.parse(args, 1, 1)
	if err != nil {
		return err
	}
	pub, err := keyText(*key)
	if err != nil {
		return err
	}
	if pub == "" {
		return errs.Hint(errs.Invalid, "get it from the owner of the ledger by another way than the proof", "--key is required")
	}
	b, err := os.ReadFile(pos[0])
	if err != nil {
		return fmt.Errorf("read the proof: %w", err)
	}
	rec, err := ledger.CheckProof(b, pub)
	if err != nil {
		return err
	}
	line, err := ledger.Encode(rec)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "the proof holds: record %d stands in the ledger\n", rec.Seq)
	fmt.Fprintf(e.stdout, "%s\n", line)
	return nil
}

func runLedgerExport(e *env, args []string) error {
	data := e.dataFlag()
	from := e.flags.Uint64("from", 0, "first record")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	l, err := e.openLedger(*data)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(e.stdout, 1<<20)
	err = l.Range(min(*from, l.Size()), l.Size(), func(_ uint64, line []byte) error {
		if _, err := w.Write(line); err != nil {
			return err
		}
		return w.WriteByte('\n')
	})
	return errors.Join(err, w.Flush(), l.Close())
}
