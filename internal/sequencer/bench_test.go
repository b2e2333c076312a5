package sequencer_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// BenchmarkDo has commands of one record of about 500 bytes decided, made
// durable by fsync and visible, by callers who wait for each.
func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			w := newWorld(b)
			w.config.Now = time.Now
			w.run()
			defer w.end()
			text := string(slices.Repeat([]byte("x"), 400))
			var cmd sequencer.Command = func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
				return []ledger.Draft{{Kind: "item.added", Subject: "item", Actor: "source/bench", Data: struct {
					Name string `json:"name"`
					Text string `json:"text"`
				}{fmt.Sprint(tx.Next()), text}}}, nil
			}
			took := make([]time.Duration, b.N)
			next := make(chan int)
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := range next {
						began := time.Now()
						if _, err := w.seq.Do(b.Context(), cmd); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(began)
					}
				})
			}
			for i := range b.N {
				next <- i
			}
			close(next)
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(took[b.N/2].Microseconds()), "µs-median")
			b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "µs-p99")
			b.ReportMetric(float64(b.N)/float64(w.disk.count.Load()), "records/block")
		})
	}
}
