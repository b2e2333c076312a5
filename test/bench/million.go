package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func sortDurations(d []time.Duration) { slices.Sort(d) }

// benchMillion fills a ledger with a million records of alerts and their runs,
// rebuilds the view, and looks things up.
func benchMillion(ctx context.Context, b *lab) error {
	n, err := b.ready(ctx, `---
kind: playbook
name: note
on: { alert: alert.severity_id >= 1 }
steps:
  - set: { seen: true }
`)
	if err != nil {
		return err
	}
	s, err := dial(n.addr)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	const alerts = 333_500 // of three records each
	for i := 0; i < alerts; i += 500 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var batch []string
		for j := range 500 {
			batch = append(batch, string(event(i, j)))
		}
		if status, err := s.post("/hooks/siem", key, []byte("["+strings.Join(batch, ",")+"]")); err != nil || status != http.StatusAccepted {
			return fmt.Errorf("status %d: %w", status, err)
		}
	}
	if err := n.stop(); err != nil {
		return err
	}
	again, err := b.start(ctx, n.data, n.token)
	if err != nil {
		return err
	}
	b.report(figure{"million/start", again.took.Seconds(), "s"})
	if err := again.lookups(b); err != nil {
		return err
	}
	if err := again.stop(); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(n.data, "view"))); err != nil {
		return err
	}
	anew, err := b.start(ctx, n.data, n.token)
	if err != nil {
		return err
	}
	b.report(figure{"million/replay", anew.took.Seconds(), "s"})
	return anew.stop()
}

// lookups asks for cases, runs and records by id all over the ledger.
func (n *node) lookups(b *lab) error {
	var page struct{ Items []struct{ ID, Case uint64 } }
	body, err := n.get("/runs?limit=1")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return err
	}
	newest := page.Items[0].ID
	b.report(figure{"million/records", float64(newest), "records"})
	for _, kind := range []string{"cases", "runs", "records"} {
		var took []time.Duration
		for i := range 400 {
			// Run numbers are those of their records: alert, run.started, run.finished.
			id := newest - 3*(uint64(i)*(newest/3)/400)
			if kind == "cases" {
				id--
			}
			t := time.Now()
			if _, err := n.get(fmt.Sprintf("/%s/%d", kind, id)); err != nil {
				return err
			}
			took = append(took, time.Since(t))
		}
		sortDurations(took)
		b.report(figure{"million/" + kind + "_by_id_p50", percentile(took, 0.5), "ms"})
		b.report(figure{"million/" + kind + "_by_id_p99", percentile(took, 0.99), "ms"})
	}
	var took []time.Duration
	for range 50 {
		t := time.Now()
		if _, err := n.get("/runs?playbook=note&state=ok&limit=50"); err != nil {
			return err
		}
		took = append(took, time.Since(t))
	}
	sortDurations(took)
	b.report(figure{"million/run_search_p95", percentile(took, 0.95), "ms"})
	return nil
}
