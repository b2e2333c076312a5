// Command bench measures a node as its users meet it: a real process, real
// HTTP, everything durable. It prints a line for each figure: name, value, unit.
//
//	go run ./test/bench [--only NAME] [--output json]
//
// Load generator, stub and node share the machine. Nothing leaves it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// A figure is one measured value.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// A bench measures one thing.
type bench struct {
	name, doc string
	run       func(ctx context.Context, b *lab) error
}

func benches() []bench {
	return []bench{
		{"idle", "resident memory of a node that idles", benchIdle},
		{"runs", "webhook, condition, HTTP call, finished: 64 senders", benchRuns},
		{"steps", "three steps without effect, one run at a time", benchSteps},
		{"alerts", "alerts alone, durable: 256 senders", benchAlerts},
		{"parked", "10,000 runs parked on a question: memory, and time to start again", benchParked},
		{"million", "a million records: replay, and access to a case, a run and a record", benchMillion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	only := flag.String("only", "", "one of them")
	output := flag.String("output", "text", "text or json")
	seconds := flag.Int("seconds", 10, "how long each load lasts")
	flag.Parse()
	dir, err := os.MkdirTemp("", "beffroi-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &lab{dir: dir, seconds: *seconds, report: func(f figure) {
		if *output == "json" {
			_ = json.NewEncoder(os.Stdout).Encode(f)
			return
		}
		fmt.Printf("%-34s %12.2f %s\n", f.Name, f.Value, f.Unit)
	}}
	if err := b.build(ctx); err != nil {
		return err
	}
	found := false
	for _, x := range benches() {
		if *only != "" && *only != x.name {
			continue
		}
		found = true
		if err := x.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	if !found {
		return fmt.Errorf("there is no bench %q", *only)
	}
	return nil
}
