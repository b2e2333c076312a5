package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"beffroi.dev/internal/ledger"
)

// record returns a record's line; the same number gives the same line.
func record(seq uint64) []byte {
	if few := fewRecords(); seq < uint64(len(few)) {
		return few[seq]
	}
	return makeRecord(seq)
}

var fewRecords = sync.OnceValue(func() (lines [][]byte) {
	for seq := range uint64(1000) {
		lines = append(lines, makeRecord(seq))
	}
	return lines
})

func makeRecord(seq uint64) []byte {
	r := ledger.Record{Seq: seq, Time: at("2026-11-22T08:15:30Z"), Kind: "test.happened", Subject: fmt.Sprintf("test/%d", seq), Actor: "beffroi"}
	r.Data = fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, seq, strings.Repeat("x", int(seq*7%200)))
	line, err := ledger.Encode(r)
	if err != nil {
		panic(err)
	}
	return line
}

// grow appends n records in blocks of the given size.
func grow(t testing.TB, l *ledger.Log, n, block int) {
	t.Helper()
	for n > 0 {
		var lines [][]byte
		for i := range min(n, block) {
			lines = append(lines, record(l.Size()+uint64(i)))
		}
		if err := l.Append(context.Background(), lines); err != nil {
			t.Fatal(err)
		}
		n -= len(lines)
	}
}

func open(t testing.TB, c ledger.Config) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ledger.ErrBroken) {
			t.Error(err)
		}
	})
	return l
}

// check reads every record in both ways.
func check(t testing.TB, l *ledger.Log, want uint64) {
	t.Helper()
	if l.Size() != want {
		t.Fatalf("size = %d, want %d", l.Size(), want)
	}
	var n uint64
	if err := l.Range(0, want, func(seq uint64, line []byte) error {
		if seq != n || string(line) != string(record(seq)) {
			return fmt.Errorf("record %d: got number %d, %s", n, seq, line)
		}
		n++
		return nil
	}); err != nil || n != want {
		t.Fatalf("range over %d gave %d: %v", want, n, err)
	}
	for seq := uint64(0); seq < want; seq += 1 + want/97 {
		if line, err := l.Read(seq); err != nil || string(line) != string(record(seq)) {
			t.Fatalf("read %d: %s, %v", seq, line, err)
		}
	}
}

func TestAppendReadReopen(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir})
	for _, n := range []int{0, 1, 254, 1, 1, 300, 5000, 70_000} {
		grow(t, l, n, 256)
		check(t, l, l.Size())
		root, size := l.Root()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, ledger.Config{Dir: dir})
		if r, s := l.Root(); r != root || s != size {
			t.Fatalf("root of %d is %v after opening again, was %v of %d", s, r, root, size)
		}
		if notes := l.Recovery().Notes; len(notes) > 0 {
			t.Errorf("after a clean stop: %v", notes)
		}
		check(t, l, size)
		ro := open(t, ledger.Config{Dir: dir, ReadOnly: true})
		check(t, ro, size)
	}
}

func verify(t testing.TB, dir string) ledger.Report {
	t.Helper()
	r, err := ledger.Verify(ledger.VerifyConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir, Origin: "example.com/log"})
	grow(t, l, 66_000, 200)
	verify(t, dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir)
	root, size := l.Root()
	if r.Records != size || r.Root != root || r.Checkpoint != size || r.Packs != 1 || r.Bundles != size/256 || r.Origin != "example.com/log" || r.Torn != 0 || r.Backwards != 0 {
		t.Errorf("report: %+v", r)
	}
	n := uint64(0)
	errEach := errors.New("payload is gone")
	_, err := ledger.Verify(ledger.VerifyConfig{Dir: dir, Key: l.Key(), Each: func(rec ledger.Record) error {
		if n++; n == 60_001 {
			return errEach
		}
		return nil
	}})
	var damage *ledger.DamageError
	if !errors.As(err, &damage) || !errors.Is(err, errEach) || damage.From != 60_000 || damage.To != 60_001 {
		t.Errorf("each: %v", err)
	}
}
