package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"beffroi.dev/internal/ledger"
)

// fakeConfig opens on f, with nothing done in the background.
func fakeConfig(f *fakeFS) ledger.Config {
	return ledger.Config{Dir: "/l", FS: f, CheckpointEvery: time.Hour}.SmallLimits()
}

// story is what happens to a ledger: appends, seals, checkpoints, a clean stop
// and a new start. It returns how many records were acknowledged, and how many
// more may be there.
func story(f *fakeFS, blocks ...int) (acked, unknown uint64, err error) {
	l, err := ledger.Open(fakeConfig(f))
	if err != nil {
		return 0, 0, err
	}
	acked = l.Size()
	for _, n := range blocks {
		switch n {
		case 0:
			err = l.Settle()
		case -1:
			if err = l.Close(); err == nil {
				l, err = ledger.Open(fakeConfig(f))
			}
			if err != nil {
				return acked, 0, err
			}
		default:
			var lines [][]byte
			for i := range n {
				lines = append(lines, record(acked+uint64(i)))
			}
			if err = l.Append(context.Background(), lines); err != nil {
				// Broken for ever, and what it had stands.
				if again := l.Append(context.Background(), lines); !errors.Is(again, ledger.ErrBroken) || !errors.Is(err, ledger.ErrBroken) {
					return acked, 0, fmt.Errorf("after a failure append says %w", again)
				}
				unknown = uint64(n)
			} else {
				acked += uint64(n)
			}
		}
		if err != nil {
			break
		}
	}
	return acked, unknown, errors.Join(err, l.Close())
}

var busy = []int{1, 30, 0, 100, 120, 10, 0, 300, 0, -1, 5, 260, 0, 3, -1, 7}

// recovered opens what is left, and holds it against what was promised.
func recovered(t *testing.T, f *fakeFS, acked, unknown uint64) {
	t.Helper()
	l, err := ledger.Open(fakeConfig(f))
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	if l.Size() != acked && l.Size() != acked+unknown {
		t.Fatalf("%d records, acknowledged were %d, and unknown is the fate of %d more", l.Size(), acked, unknown)
	}
	check(t, l, l.Size())
	grow(t, l, 3, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.Verify(ledger.VerifyConfig{Dir: "/l", FS: f})
	if err != nil || r.Records != l.Size() || r.Checkpoint != l.Size() {
		t.Fatalf("verify: %+v, %v", r, err)
	}
}

// Every operation on the disk fails once: not done, half done, and done but
// reported as failed. Afterwards the process starts again, with and without a
// power cut in between.
func TestEveryOperationFails(t *testing.T) {
	for failAt := 1; ; failAt += sparse {
		reached := false
		for applied := range 3 {
			for _, dies := range []bool{false, true} {
				f := newFakeFS()
				f.failAt, f.applied, f.dies = failAt, applied, dies
				acked, unknown, err := story(f, busy...)
				if f.count < failAt {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					break
				}
				reached = true
				if err == nil {
					t.Fatalf("operation %d failed and nobody was told", failAt)
				}
				f.failAt, f.dead = 0, false
				t.Run(fmt.Sprintf("%d applied %d dies %v", failAt, applied, dies), func(t *testing.T) {
					for seed := range uint64(2) {
						recovered(t, f.powerCut(newDice(seed, uint64(failAt))), acked, unknown)
					}
					if !dies {
						recovered(t, f, acked, unknown)
					}
				})
			}
		}
		if !reached {
			t.Logf("%d operations", failAt-1)
			return
		}
	}
}

// Recovery itself fails, and is done again.
func TestRecoveryFails(t *testing.T) {
	base := newFakeFS()
	base.failAt, base.applied, base.dies = 60, 1, true
	acked, unknown, err := story(base, busy...)
	if err == nil {
		t.Fatal("the story went well")
	}
	base.failAt, base.dead = 0, false
	base = base.powerCut(newDice(1))
	for failAt := 1; ; failAt += sparse {
		for applied := range 3 {
			f := base.clone()
			f.failAt, f.applied, f.dies = failAt, applied, true
			l, err := ledger.Open(fakeConfig(f))
			if err == nil && f.count < failAt {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatalf("operation %d failed and nobody was told", failAt)
			}
			f.failAt, f.dead = 0, false
			recovered(t, f.powerCut(newDice(uint64(failAt))), acked, unknown)
			recovered(t, f, acked, unknown)
		}
	}
}

// The bundle that ends a pack and the one that begins the next are written by
// one seal; every operation of it fails.
func TestPackBoundaryFails(t *testing.T) {
	if testing.Short() || sparse > 1 {
		t.Skip("appends 65,000 records, and again for each operation")
	}
	base := newFakeFS()
	l, err := ledger.Open(fakeConfig(base))
	if err != nil {
		t.Fatal(err)
	}
	for range 65 {
		grow(t, l, 1000, 1000)
		if err := l.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	grow(t, l, 200, 200)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := l.Size()
	// What stands behind the last bundle was never finished.
	pack := base.names["/l/pack/00000000000000000000"]
	pack.data = append(pack.data, make([]byte, 1<<20)...)
	for failAt := 1; ; failAt += sparse {
		for applied := range 3 {
			f := base.clone()
			f.failAt, f.applied, f.dies = failAt, applied, applied != 1
			acked, unknown, err := story(f, 200, 0, 100, 300, 0, 10)
			if f.count < failAt {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				t.Logf("%d operations", f.count)
				return
			}
			if err == nil {
				t.Fatalf("operation %d failed and nobody was told", failAt)
			}
			f.failAt, f.dead = 0, false
			acked = max(acked, before)
			boundary(t, f.powerCut(newDice(uint64(failAt))), acked, unknown)
			boundary(t, f, acked, unknown)
		}
	}
}

// boundary is recovered without a look at each of 65,000 records.
func boundary(t *testing.T, f *fakeFS, acked, unknown uint64) {
	t.Helper()
	l, err := ledger.Open(fakeConfig(f))
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	if l.Size() != acked && l.Size() != acked+unknown {
		t.Fatalf("%d records, acknowledged were %d, and unknown is the fate of %d more", l.Size(), acked, unknown)
	}
	for seq := uint64(65_000); seq < l.Size(); seq++ {
		if line, err := l.Read(seq); err != nil || string(line) != string(record(seq)) {
			t.Fatalf("read %d: %s, %v", seq, line, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
