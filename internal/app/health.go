package app

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	alertstore "beffroi.dev/internal/alert/store"
	"beffroi.dev/internal/errs"
	playbookstore "beffroi.dev/internal/playbook/store"
	slackstore "beffroi.dev/internal/slack/store"
	"beffroi.dev/internal/view"
	"beffroi.dev/internal/web"
)

// privateHandler is what the private address serves: whether the node lives,
// whether it takes work, and its figures. Nothing there is personal.
func (n *Node) privateHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", web.Handle(n.c.Log, func(w http.ResponseWriter, _ *http.Request) error {
		if err := n.seq.Err(); err != nil {
			return errs.Hint(errs.Unavailable, "start the node again; it recovers by itself", "the ledger stopped")
		}
		return web.WriteJSON(w, http.StatusOK, map[string]any{"ok": true})
	}))
	mux.Handle("GET /readyz", web.Handle(n.c.Log, func(w http.ResponseWriter, _ *http.Request) error {
		if !n.ready.Load() || n.seq.Err() != nil {
			return errs.E(errs.Unavailable, "the node is not ready")
		}
		return web.WriteJSON(w, http.StatusOK, map[string]any{"ok": true, "records": n.ledger.Size()})
	}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.registry(), promhttp.HandlerOpts{}))
	return web.Routes(n.c.Log, mux)
}

// registry collects the node's figures when they are asked for.
func (n *Node) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "beffroi", Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() int64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "beffroi", Name: name, Help: help}, func() float64 { return float64(f()) }))
	}
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), totals{n})
	gauge("ledger_records", "Records in the ledger.", func() float64 { return float64(n.ledger.Size()) })
	gauge("ready", "1 while the node takes work.", func() float64 {
		if n.ready.Load() && n.seq.Err() == nil {
			return 1
		}
		return 0
	})
	counter("hook_calls_total", "Calls of tools since the start.", n.intake.Counts.Calls.Load)
	counter("hook_alerts_total", "Alerts taken since the start.", n.intake.Counts.Alerts.Load)
	counter("hook_ignored_total", "Events since the start that are no alerts.", n.intake.Counts.Ignored.Load)
	counter("hook_refused_total", "Calls refused since the start.", n.intake.Counts.Refused.Load)
	return r
}

// totals counts what is in the view.
type totals struct{ n *Node }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("beffroi_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (t totals) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(t, ch) }

// Collect implements prometheus.Collector.
func (t totals) Collect(ch chan<- prometheus.Metric) {
	err := t.n.view.Read(t.n.life, func(tx *view.Tx) error {
		runs, err := playbookstore.OpenTotals(tx)
		if err != nil {
			return err
		}
		for state, v := range runs {
			ch <- prometheus.MustNewConstMetric(describe("runs_open", "Runs that have not ended.", "state"), prometheus.GaugeValue, float64(v), state)
		}
		cases, err := alertstore.OpenTotals(tx)
		if err != nil {
			return err
		}
		for severity, v := range cases {
			ch <- prometheus.MustNewConstMetric(describe("cases_unresolved", "Cases that are not resolved.", "severity_id"), prometheus.GaugeValue, float64(v), strconv.FormatInt(severity, 10))
		}
		waiting, givenUp, err := slackstore.Pending(tx)
		if err != nil {
			return err
		}
		ch <- prometheus.MustNewConstMetric(describe("slack_messages_waiting", "Messages that are not on Slack yet."), prometheus.GaugeValue, float64(waiting))
		ch <- prometheus.MustNewConstMetric(describe("slack_messages_given_up", "Messages that cannot be posted."), prometheus.GaugeValue, float64(givenUp))
		return nil
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(describe("view", "The view."), err)
	}
}
