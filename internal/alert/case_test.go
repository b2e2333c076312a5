package alert_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/errs"
)

func TestDecide(t *testing.T) {
	policy := alert.Policy{Window: 24 * time.Hour, Within: 4 * time.Hour}
	ago := func(d time.Duration) time.Time { return received.Add(-d) }
	finding := alert.Finding{Fingerprint: "f1", Entities: []string{"host:web-1", "ip:203.0.113.7"}}
	nameless := alert.Finding{Entities: finding.Entities}
	same := func(state alert.State, since time.Duration) *alert.Known {
		return &alert.Known{Case: "case/7", State: state, Last: ago(since), Alert: "alert/7"}
	}
	sharing := func(c string, state alert.State, since time.Duration, entity string) alert.Known {
		return alert.Known{Case: c, State: state, Last: ago(since), Entity: entity}
	}
	for _, tt := range []struct {
		name    string
		finding alert.Finding
		found   alert.Found
		want    alert.Decision
	}{
		{"nothing is known", finding, alert.Found{}, alert.Decision{Outcome: alert.Opens}},
		{
			"the same alert within the window", finding,
			alert.Found{Same: same(alert.Open, 23*time.Hour)},
			alert.Decision{Outcome: alert.Repeats, Case: "case/7", DuplicateOf: "alert/7"},
		},
		{
			"the same alert of a case that somebody works on", finding,
			alert.Found{Same: same(alert.Acknowledged, time.Hour)},
			alert.Decision{Outcome: alert.Repeats, Case: "case/7", DuplicateOf: "alert/7"},
		},
		{
			"the same alert of a resolved case", finding,
			alert.Found{Same: same(alert.Resolved, time.Hour)},
			alert.Decision{Outcome: alert.Reopens, Case: "case/7", DuplicateOf: "alert/7"},
		},
		{"the same alert after the window", finding, alert.Found{Same: same(alert.Open, 25*time.Hour)}, alert.Decision{Outcome: alert.Opens}},
		{
			"the clock went back", finding,
			alert.Found{Same: same(alert.Open, -time.Hour)},
			alert.Decision{Outcome: alert.Repeats, Case: "case/7", DuplicateOf: "alert/7"},
		},
		{"an empty fingerprint never merges", nameless, alert.Found{Same: same(alert.Open, time.Minute)}, alert.Decision{Outcome: alert.Opens}},
		{
			"the same fingerprint goes before shared entities", finding,
			alert.Found{Same: same(alert.Open, time.Hour), Sharing: []alert.Known{sharing("case/8", alert.Open, time.Minute, "host:web-1")}},
			alert.Decision{Outcome: alert.Repeats, Case: "case/7", DuplicateOf: "alert/7"},
		},
		{
			"a shared entity", finding,
			alert.Found{Sharing: []alert.Known{sharing("case/8", alert.Open, time.Hour, "host:web-1")}},
			alert.Decision{Outcome: alert.Joins, Case: "case/8", Entities: []string{"host:web-1"}},
		},
		{
			"an empty fingerprint still shares entities", nameless,
			alert.Found{Sharing: []alert.Known{sharing("case/8", alert.Open, time.Hour, "host:web-1")}},
			alert.Decision{Outcome: alert.Joins, Case: "case/8", Entities: []string{"host:web-1"}},
		},
		{
			"too long ago", finding,
			alert.Found{Sharing: []alert.Known{sharing("case/8", alert.Open, 5*time.Hour, "host:web-1")}},
			alert.Decision{Outcome: alert.Opens},
		},
		{
			"the case that shares most", finding,
			alert.Found{Sharing: []alert.Known{
				sharing("case/8", alert.Open, time.Minute, "host:web-1"),
				sharing("case/9", alert.Open, time.Hour, "ip:203.0.113.7"),
				sharing("case/9", alert.Open, 2*time.Hour, "host:web-1"),
			}},
			alert.Decision{Outcome: alert.Joins, Case: "case/9", Entities: []string{"host:web-1", "ip:203.0.113.7"}},
		},
		{
			"then the case that was active last", finding,
			alert.Found{Sharing: []alert.Known{
				sharing("case/8", alert.Open, 2*time.Hour, "host:web-1"),
				sharing("case/9", alert.Acknowledged, time.Hour, "host:web-1"),
			}},
			alert.Decision{Outcome: alert.Joins, Case: "case/9", Entities: []string{"host:web-1"}},
		},
		{
			"a resolved case that shares is named, never extended", finding,
			alert.Found{Sharing: []alert.Known{
				sharing("case/9", alert.Resolved, time.Hour, "host:web-1"),
				sharing("case/9", alert.Resolved, time.Hour, "ip:203.0.113.7"),
				sharing("case/8", alert.Resolved, time.Hour, "host:web-1"),
			}},
			alert.Decision{Outcome: alert.Opens, Related: []string{"case/8", "case/9"}},
		},
		{
			"an entity that the alert does not have", finding,
			alert.Found{Sharing: []alert.Known{sharing("case/8", alert.Open, time.Hour, "user:ada")}},
			alert.Decision{Outcome: alert.Opens},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, alert.Decide(policy, tt.finding, tt.found, received)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAfter(t *testing.T) {
	for _, tt := range []struct {
		from alert.State
		kind string
		want alert.State
		errs errs.Kind
	}{
		{alert.Open, alert.KindAcknowledged, alert.Acknowledged, ""},
		{alert.Acknowledged, alert.KindAcknowledged, alert.Acknowledged, errs.Conflict},
		{alert.Open, alert.KindAssigned, alert.Open, ""},
		{alert.Resolved, alert.KindAssigned, alert.Resolved, errs.Conflict},
		{alert.Resolved, alert.KindCommented, alert.Resolved, ""},
		{alert.Open, alert.KindResolved, alert.Resolved, ""},
		{alert.Acknowledged, alert.KindResolved, alert.Resolved, ""},
		{alert.Resolved, alert.KindResolved, alert.Resolved, errs.Conflict},
		{alert.Resolved, alert.KindReopened, alert.Open, ""},
		{alert.Open, alert.KindReopened, alert.Open, errs.Conflict},
		{alert.Open, alert.KindMerged, alert.Resolved, ""},
		{alert.Acknowledged, alert.KindOverdue, alert.Acknowledged, errs.Conflict},
		{alert.Open, "case.eaten", alert.Open, errs.Invalid},
	} {
		got, err := tt.from.After(tt.kind)
		if got != tt.want || errs.KindOf(err) != tt.errs {
			t.Errorf("%s after %s is %s, %v", tt.from, tt.kind, got, err)
		}
	}
}

func TestVerdicts(t *testing.T) {
	if err := alert.CheckVerdict("false_positive"); err != nil {
		t.Error(err)
	}
	if err := alert.CheckVerdict("false-positive"); errs.KindOf(err) != errs.Invalid {
		t.Error(err)
	}
}
