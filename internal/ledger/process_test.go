package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_TEST_APPEND_TO"); dir != "" {
		appendUntilKilled(dir)
		return
	}
	os.Exit(m.Run())
}

// appendUntilKilled says after each append how many records are acknowledged.
func appendUntilKilled(dir string) {
	l, err := ledger.Open(ledger.Config{Dir: dir, CheckpointEvery: 5 * time.Millisecond}.SmallLimits())
	d := newDice(uint64(os.Getpid()))
	for err == nil {
		var lines [][]byte
		for i := range uint64(1 + d.Below(200)) {
			lines = append(lines, record(l.Size()+i))
		}
		if err = l.Append(context.Background(), lines); err == nil {
			fmt.Println(l.Size())
		}
	}
	fmt.Println(err)
}

// A process that is killed at any time loses nothing that it acknowledged, and
// does not keep the lock.
func TestKill(t *testing.T) {
	dir, acked := t.TempDir(), uint64(0)
	d := newDice(1)
	for round := range 1 + 14/sparse {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "LEDGER_TEST_APPEND_TO="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(out)
		for n := d.Below(60); s.Scan(); n-- {
			size, err := strconv.ParseUint(s.Text(), 10, 64)
			if err != nil {
				t.Fatalf("round %d: the process says %s", round, s.Text())
			}
			acked = max(acked, size)
			if n == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process ended by itself")
		}
		if r := verify(t, dir); r.Records < acked {
			t.Fatalf("round %d: %d records of %d", round, r.Records, acked)
		}
		l, err := ledger.Open(ledger.Config{Dir: dir})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if l.Size() < acked {
			t.Fatalf("round %d: %d records of %d", round, l.Size(), acked)
		}
		if round%5 == 4 {
			check(t, l, l.Size())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// One writes, many read: in the same process, and beside it.
func TestReadersBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir, CheckpointEvery: 2 * time.Millisecond}.SmallLimits())
	beside := open(t, ledger.Config{Dir: dir, ReadOnly: true})
	done := make(chan struct{})
	var wg sync.WaitGroup
	seeds := uint64(0)
	loop := func(f func(d *dice) error) {
		seeds++
		d := newDice(seeds)
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(d); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	read := func(d *dice, l *ledger.Log, size uint64) error {
		seq := size - min(size, 1+d.Uint64()%1000)
		return l.Range(seq, size, func(seq uint64, line []byte) error {
			if string(line) != string(record(seq)) {
				return fmt.Errorf("record %d is %s", seq, line)
			}
			return nil
		})
	}
	loop(func(d *dice) error { return read(d, l, l.Size()) })
	loop(func(d *dice) error {
		if size := l.Size(); size > 0 {
			seq := d.Uint64() % size
			p, err := l.Prove(seq)
			if err != nil {
				return err
			}
			_, err = ledger.CheckProof(p, l.Key())
			return err
		}
		return nil
	})
	loop(func(d *dice) error {
		if err := beside.Refresh(); err != nil {
			return err
		}
		if size := beside.Size(); size > 0 {
			if _, err := beside.Prove(d.Uint64() % size); err != nil && errs.KindOf(err) != errs.Busy {
				return err
			}
		}
		return read(d, beside, beside.Size())
	})
	loop(func(*dice) error {
		_, err := ledger.Verify(ledger.VerifyConfig{Dir: dir})
		return err
	})
	for d := newDice(9); l.Size() < 20_000/sparse; {
		grow(t, l, 1+d.Below(300), 300)
	}
	close(done)
	wg.Wait()
	if err := beside.Append(t.Context(), [][]byte{record(beside.Size())}); err == nil {
		t.Error("appended to a ledger that is open for reading")
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir, Origin: "example.com/log"})
	if _, err := ledger.Open(ledger.Config{Dir: dir}); !errors.Is(err, ledger.ErrLocked) || errs.KindOf(err) != errs.Conflict {
		t.Errorf("a second writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), [][]byte{record(0)}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if _, err := ledger.Open(ledger.Config{Dir: dir, Origin: "example.com/other"}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("another origin: %v", err)
	}
	if _, err := ledger.Open(ledger.Config{Dir: t.TempDir(), Origin: "not an origin"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("an origin with spaces: %v", err)
	}
	if _, err := ledger.Open(ledger.Config{Dir: t.TempDir(), ReadOnly: true}); errs.KindOf(err) != errs.NotFound {
		t.Errorf("read nothing: %v", err)
	}
	if l := open(t, ledger.Config{Dir: t.TempDir()}); l.Recovery().String() != "a new ledger" || !strings.HasPrefix(l.Origin(), "beffroi/") {
		t.Errorf("made %s: %s", l.Origin(), l.Recovery())
	}
}

// What is refused for its form leaves the log as it was.
func TestAppendRefuses(t *testing.T) {
	l := open(t, ledger.Config{Dir: t.TempDir()})
	grow(t, l, 5, 5)
	long := ledger.Record{Seq: 5, Kind: "k"}
	fits := func(n int) []byte {
		long.Data = fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", n))
		return long.AppendLine(nil)
	}
	over := ledger.MaxLine + 1 - len(fits(0))
	for _, tt := range []struct {
		name  string
		lines [][]byte
		want  error
	}{
		{"a line that is too long", [][]byte{fits(over)}, ledger.ErrTooLarge},
		{"another number", [][]byte{record(6)}, nil},
		{"the same number twice", [][]byte{record(5), record(5)}, nil},
		{"an empty line", [][]byte{{}}, nil},
		{"a newline", [][]byte{[]byte(`{"seq":5,"a":"` + "\n" + `"}`)}, nil},
		{"bytes that are not UTF-8", [][]byte{[]byte(`{"seq":5,"a":"` + "\xfbblk" + `"}`)}, nil},
	} {
		if err := l.Append(t.Context(), tt.lines); err == nil || tt.want != nil && !errors.Is(err, tt.want) || errors.Is(err, ledger.ErrBroken) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ended, [][]byte{record(5)}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	check(t, l, 5)
	if err := l.Append(t.Context(), [][]byte{fits(over - 1)}); err != nil {
		t.Errorf("the longest line: %v", err)
	}
	if err := l.Range(2, 7, func(uint64, []byte) error { return nil }); errs.KindOf(err) != errs.NotFound {
		t.Errorf("range beyond the end: %v", err)
	}
	if _, err := l.Read(6); errs.KindOf(err) != errs.NotFound {
		t.Errorf("read beyond the end: %v", err)
	}
	errStop := errors.New("stop")
	if err := l.Range(0, 5, func(uint64, []byte) error { return errStop }); !errors.Is(err, errStop) {
		t.Errorf("range that is stopped: %v", err)
	}
}

// Bundles of the longest records are sealed and read like any other, and a
// writer that is faster than the seals waits for them.
func TestLongestRecords(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Config{Dir: dir, CheckpointEvery: time.Hour}.SmallLimits())
	d := newDice(1)
	line := func(seq uint64) []byte {
		raw := d.noise(32_000)
		r := ledger.Record{Seq: seq, Kind: "k", Data: fmt.Appendf(nil, `{"a":"%x"}`, raw)}
		b := r.AppendLine(nil)
		pad := strings.Repeat("y", ledger.MaxLine-len(b))
		r.Data = fmt.Appendf(nil, `{"a":"%x%s"}`, raw, pad)
		return r.AppendLine(nil)
	}
	var all [][]byte
	for seq := range uint64(300) {
		all = append(all, line(seq))
		if err := l.Append(t.Context(), all[seq:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir); r.Records != 300 || r.Bundles != 1 {
		t.Errorf("report: %+v", r)
	}
	l = open(t, ledger.Config{Dir: dir})
	if err := l.Range(0, 300, func(seq uint64, line []byte) error {
		if string(line) != string(all[seq]) {
			return fmt.Errorf("record %d is another", seq)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	for _, seq := range []uint64{0, 255, 256, 299} {
		if b, err := l.Read(seq); err != nil || string(b) != string(all[seq]) {
			t.Errorf("read %d: %v", seq, err)
		}
	}
}

// FuzzTail: whatever a tail file holds, the records that are taken from it are
// those that were appended, from the first on, or it is refused.
func FuzzTail(f *testing.F) {
	b := ledger.EncodeTailHead(7)
	for seq := uint64(7); seq < 16; seq += 3 {
		block, _ := ledger.EncodeBlock(seq, [][]byte{record(seq), record(seq + 1), record(seq + 2)})
		b = append(b, block...)
	}
	for _, cut := range []int{0, 1, 19, 20, 21, 40, 44, 60, len(b) - 1, len(b)} {
		f.Add(uint(cut), []byte{}, uint(0))
		f.Add(uint(cut), []byte("\x00\xff"), uint(2))
		f.Add(uint(cut), []byte("\xfbblk"), uint(4))
	}
	f.Fuzz(func(t *testing.T, at uint, insert []byte, skip uint) {
		at = min(at, uint(len(b)))
		skip = min(skip, uint(len(b))-at)
		data := append(append(append([]byte(nil), b[:at]...), insert...), b[at+skip:]...)
		lines, torn, damaged := ledger.ScanTail(7, data)
		for i, line := range lines {
			if seq := 7 + uint64(i); seq >= 16 || string(line) != string(record(seq)) {
				t.Fatalf("record %d is %s", seq, line)
			}
		}
		if len(lines) < 9 && torn == 0 && !damaged && len(data) >= len(b) {
			t.Fatalf("%d records, and nothing is said of the rest", len(lines))
		}
	})
}
