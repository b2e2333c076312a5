package ledger_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"beffroi.dev/internal/ledger"
)

// bigLines are records of about 500 bytes that compress like alerts do.
func bigLines(from, n int) [][]byte {
	r := newDice(uint64(from))
	lines := make([][]byte, n)
	for i := range lines {
		rec := ledger.Record{Seq: uint64(from + i), Time: at("2026-11-22T08:15:30.123456Z"), Kind: "alert.received", Subject: fmt.Sprintf("alert/%d", from+i), Actor: "source/github"}
		rec.Data = fmt.Appendf(nil, `{"title":"Suspicious sign-in from a new country","severity_id":%d,"uid":"%016x%016x","src_endpoint":{"ip":"%d.%d.%d.%d","port":%d},"actor":{"user":{"name":"user-%d@example.com","uid":"%016x"}},"observables":[{"name":"src_endpoint.ip","type_id":2},{"name":"actor.user.name","type_id":4}],"message":"A sign-in that differs from the habits of this person was seen; session %016x"}`,
			r.Below(6), r.Uint64(), r.Uint64(), r.Below(256), r.Below(256), r.Below(256), r.Below(256), r.Below(65536), r.Below(5000), r.Uint64(), r.Uint64())
		lines[i] = rec.AppendLine(nil)
	}
	return lines
}

func BenchmarkAppend(b *testing.B) {
	for _, block := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(block), func(b *testing.B) {
			l := open(b, ledger.Config{Dir: b.TempDir()})
			var lines [][]byte
			bytes := 0
			for _, line := range bigLines(0, block) {
				bytes += len(line)
			}
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				lines = bigLines(i*block, block)
				b.StartTimer()
				if err := l.Append(context.Background(), lines); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*block)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// million is a ledger that the benchmarks share, made when first needed.
var million = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "ledger-bench")
	if err != nil {
		panic(err)
	}
	l, err := ledger.Open(ledger.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	for n := 0; n < 1_000_000; n += 250 {
		if err := l.Append(context.Background(), bigLines(n, 250)); err != nil {
			panic(err)
		}
	}
	if err := l.Close(); err != nil {
		panic(err)
	}
	return dir
})

func BenchmarkMillion(b *testing.B) {
	dir, d := million(), newDice(1)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			l, err := ledger.Open(ledger.Config{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	l := open(b, ledger.Config{Dir: dir, ReadOnly: true})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Read(d.Uint64() % 1_000_000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("prove", func(b *testing.B) {
		w := open(b, ledger.Config{Dir: dir})
		for b.Loop() {
			if _, err := w.Prove(d.Uint64() % 1_000_000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("range", func(b *testing.B) {
		n, bytes := 0, 0
		for b.Loop() {
			if err := l.Range(0, l.Size(), func(_ uint64, line []byte) error {
				n++
				bytes += len(line)
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(bytes / b.N))
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := ledger.Verify(ledger.VerifyConfig{Dir: dir}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "records/s")
	})
}

// BenchmarkSustained appends 300,000 records in blocks of 256 as fast as it
// can, and waits until all are sealed.
func BenchmarkSustained(b *testing.B) {
	const total, block = 300_000, 256
	lines := bigLines(0, total)
	for b.Loop() {
		l, err := ledger.Open(ledger.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; n < total; n += block {
			if err := l.Append(context.Background(), lines[n:min(n+block, total)]); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "records/s")
}
