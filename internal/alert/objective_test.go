package alert_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/alert"
	"beffroi.dev/internal/document"
)

const soc = `kind: objective
name: soc
if: alert.severity_id >= 2
team: blue
acknowledge:
  critical: 15m
  high: 30m
  low: { within: 4h, hours: business }
hours: { zone: Europe/Paris, from: "09:00", to: "18:00" }
notify:
  - { after: 30m, to: [on_call] }
  - { to: [team, '#soc'] }
  - { after: 15m, to: [lead, person/ada] }
  - { before: 10m, to: [assignee], message: Ten minutes left }
`

// set holds the documents that an objective may name.
func set(t *testing.T) document.Set {
	t.Helper()
	docs, err := document.Parse("people.yaml", []byte("kind: team\nname: blue\n---\nkind: person\nname: ada\n"))
	if err != nil {
		t.Fatal(err)
	}
	in := document.Set{}
	for _, d := range docs {
		in[d.ID] = d
	}
	return in
}

func compileObjective(t *testing.T, src string) (*alert.Objective, error) {
	t.Helper()
	docs, err := document.Parse("soc.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return alert.CompileObjective(docs[0], set(t))
}

func objective(t *testing.T, src string) *alert.Objective {
	t.Helper()
	o, err := compileObjective(t, src)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func clock(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestTheChainGoesOnUntilAPersonActs(t *testing.T) {
	o := objective(t, soc)
	since := clock(t, "2026-11-20T22:00:00Z")
	high := alert.Handling{Severity: 4, Since: since}
	for _, tt := range []struct {
		name     string
		handling alert.Handling
		now      string
		due      string // indices of steps
		next     string
	}{
		{"it begins", high, "22:00:00", "", "22:20:00"},
		{"a reminder before the deadline", high, "22:20:00", "0", "22:20:00"},
		{"at the deadline", taken(high, 0), "22:30:00", "1", "22:30:00"},
		{"then the lead", taken(high, 0, 1), "22:45:00", "2", "22:45:00"},
		{"between the steps", taken(high, 0, 1), "22:44:59", "", "22:45:00"},
		{"then on call", taken(high, 0, 1, 2), "23:00:00", "3", "23:00:00"},
		{"then there is nothing left", taken(high, 0, 1, 2, 3), "23:59:00", "", ""},
		{"a node that was down takes all at once", high, "23:30:00", "0 1 2 3", "22:20:00"},
		{"a person acted", acted(high, since.Add(time.Minute)), "23:30:00", "", ""},
		{"the case ended", ended(high, since.Add(time.Minute)), "23:30:00", "", ""},
		{"a shorter limit", alert.Handling{Severity: 5, Since: since}, "22:05:00", "0", "22:05:00"},
		{"no limit for the severity", alert.Handling{Severity: 3, Since: since}, "23:30:00", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var due []string
			for _, s := range alert.Due(o, tt.handling, clock(t, "2026-11-20T"+tt.now+"Z")) {
				due = append(due, string(rune('0'+s.Index)))
			}
			if got := strings.Join(due, " "); got != tt.due {
				t.Errorf("due %q, want %q", got, tt.due)
			}
			next := ""
			if at := alert.Next(o, tt.handling); !at.IsZero() {
				next = at.Format("15:04:05")
			}
			if next != tt.next {
				t.Errorf("next %q, want %q", next, tt.next)
			}
		})
	}
}

func taken(h alert.Handling, steps ...int) alert.Handling { h.Taken = steps; return h }

func acted(h alert.Handling, at time.Time) alert.Handling {
	h.Acted, h.By = at, "person/ada"
	return h
}

func ended(h alert.Handling, at time.Time) alert.Handling { h.Ended = at; return h }

func TestHandled(t *testing.T) {
	o := objective(t, soc)
	since := clock(t, "2026-11-20T22:00:00Z")
	high := alert.Handling{Severity: 4, Since: since}
	deadline := since.Add(30 * time.Minute)
	now := since.Add(time.Hour)
	for _, tt := range []struct {
		name     string
		handling alert.Handling
		now      time.Time
		want     alert.Result
	}{
		{"in time", acted(high, since.Add(10*time.Minute)), now, alert.Result{Deadline: deadline, InTime: true, Took: 10 * time.Minute, By: "person/ada"}},
		{"at the last moment", acted(high, deadline), now, alert.Result{Deadline: deadline, InTime: true, Took: 30 * time.Minute, By: "person/ada"}},
		{"too late", acted(high, deadline.Add(time.Second)), now, alert.Result{Deadline: deadline, Took: 30*time.Minute + time.Second, By: "person/ada"}},
		{"there is still time", high, since.Add(time.Minute), alert.Result{Deadline: deadline, Pending: true}},
		{"nobody came", high, now, alert.Result{Deadline: deadline}},
		{"it ended without a person", ended(high, since.Add(time.Minute)), now, alert.Result{Deadline: deadline}},
	} {
		got, ok := alert.Handled(o, tt.handling, tt.now)
		if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
			t.Errorf("%s: %v\n%s", tt.name, ok, diff)
		}
	}
	if _, ok := alert.Handled(o, alert.Handling{Severity: 3, Since: since}, now); ok {
		t.Error("a severity without a limit has no result")
	}
}

func TestOverdue(t *testing.T) {
	o := objective(t, soc)
	h := alert.Handling{Severity: 4, Since: clock(t, "2026-11-20T22:00:00Z")}
	want := alert.CaseOverdue{
		Objective: "soc", Step: 0, Deadline: clock(t, "2026-11-20T22:30:00Z"), Since: h.Since, Severity: 4,
		Notified: []string{"person/ada"}, Early: true,
	}
	if diff := cmp.Diff(want, o.Overdue(h, o.Steps[0], []string{"person/ada"})); diff != "" {
		t.Error(diff)
	}
}

func TestBusinessHours(t *testing.T) {
	o := objective(t, soc)
	for _, tt := range []struct{ name, since, want string }{
		{"within a day", "2026-11-23T09:00:00Z", "2026-11-23T13:00:00Z"},
		{"over an evening", "2026-11-23T15:00:00Z", "2026-11-24T10:00:00Z"},
		{"from the night", "2026-11-24T02:00:00Z", "2026-11-24T12:00:00Z"},
		{"over a weekend", "2026-11-20T16:30:00Z", "2026-11-23T11:30:00Z"},
		{"from a Saturday", "2026-11-21T12:00:00Z", "2026-11-23T12:00:00Z"},
		{"to the end of a day", "2026-11-23T13:00:00Z", "2026-11-23T17:00:00Z"},
		{"when the clocks go forward", "2026-03-27T16:00:00Z", "2026-03-30T10:00:00Z"},
		{"when the clocks go back", "2026-10-23T15:00:00Z", "2026-10-26T11:00:00Z"},
	} {
		got, _ := o.Deadline(alert.Handling{Severity: 2, Since: clock(t, tt.since)})
		if want := clock(t, tt.want); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", tt.name, got.Format(time.RFC3339), tt.want)
		}
	}
}

func TestSelectTakesTheShortestLimit(t *testing.T) {
	slow := objective(t, strings.Replace(strings.Replace(soc, "name: soc", "name: slow", 1), "high: 30m", "high: 2h", 1))
	fast := objective(t, soc)
	twin := objective(t, strings.Replace(soc, "name: soc", "name: a-soc", 1))
	other := objective(t, strings.Replace(strings.Replace(soc, "name: soc", "name: other", 1), "if: alert.severity_id >= 2", `if: source == "github"`, 1))
	finding := map[string]any{"severity_id": int64(4)}
	for _, tt := range []struct {
		name   string
		all    []*alert.Objective
		source string
		level  int64
		want   string
	}{
		{"the shortest", []*alert.Objective{slow, fast}, "okta", 4, "soc"},
		{"the first by name", []*alert.Objective{fast, twin}, "okta", 4, "a-soc"},
		{"one that applies", []*alert.Objective{other}, "github", 4, "other"},
		{"none that applies", []*alert.Objective{other}, "okta", 4, ""},
		{"none for the severity", []*alert.Objective{slow, fast}, "okta", 1, ""},
	} {
		got := ""
		if o := alert.Select(tt.all, finding, tt.source, tt.level); o != nil {
			got = o.Name
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if !fast.Applies(map[string]any{}, "okta", 4) {
		t.Error("a condition that fails applies")
	}
}

func TestCompileObjectiveNamesWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"team: blue", "team: bleu", `team: there is no team/bleu; did you mean "blue"?`},
		{"high: 30m", "hihg: 30m", `acknowledge.hihg: there is no severity "hihg"; did you mean "high"?`},
		{"high: 30m", "high: soon", `acknowledge.high: "soon" is not a length of time`},
		{"high: 30m", "high: { within: 30m, hours: nights }", "acknowledge.high.hours: unknown key or value"},
		{`hours: { zone: Europe/Paris, from: "09:00", to: "18:00" }`, "", "acknowledge.low: business hours are not defined"},
		{"Europe/Paris", "Europe/Pariss", `hours: there is no time zone "Europe/Pariss"`},
		{`"18:00"`, `"08:00"`, "hours: the day ends at 08:00"},
		{`zone: Europe/Paris`, "zone: Europe/Paris, days: [mo]", `hours: there is no day "mo"`},
		{`"09:00"`, `"9h"`, `hours: "9h" is no time of day`},
		{`"18:00"`, `"25:00"`, `hours: "25:00" is no time of day`},
		{"team: blue", "team: blue\nteams: red", `unknown key "teams"`},
		{"team: blue", "team: blue\ntests: [{ name: t, severity: hihg, opened: today, now: 2026-11-20T22:00:00Z }]", `tests[0].opened: "today" is no time`},
		{"team: blue", "team: blue\ntests: [{ name: t, severity: hihg, opened: 2026-11-20T22:00:00Z, now: 2026-11-20T22:00:00Z }]", `tests[0].severity: there is no severity "hihg"`},
		{"on_call", "oncall", `"oncall" can not be told; did you mean "on_call"?`},
		{"person/ada", "person/bob", "there is no person/bob"},
		{"before: 10m", "before: 10m, after: 1m", "notify[3]: a step is either before or after the deadline"},
		{"alert.severity_id >= 2", "alert.severty_id >= 2", `if: no field severty_id in alert; did you mean "severity_id"?`},
	} {
		_, err := compileObjective(t, strings.Replace(soc, tt.from, tt.to, 1))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.to, err, tt.want)
		}
	}
}

func TestTheTestsOfAnObjectiveSayWhatDiffers(t *testing.T) {
	for _, tt := range []struct{ expect, want string }{
		{"{ due: 2 }", "1 steps are due, want 2"},
		{"{ due: 1 }", ""},
		{"{ applies: false, due: 0 }", "applies is true"},
		{"{ deadline: 2026-11-20T23:00:00Z, due: 1 }", "the deadline is 2026-11-20T22:30:00Z, want 2026-11-20T23:00:00Z"},
	} {
		o, err := compileObjective(t, "kind: objective\nname: o\nteam: blue\nacknowledge: { high: 30m }\nnotify: [{ to: [team] }]\n"+
			"tests: [{ name: t, severity: high, opened: 2026-11-20T22:00:00Z, now: 2026-11-20T22:30:00Z, expect: "+tt.expect+" }]\n")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range alert.ObjectiveKind().Test(o, nil) {
			if r.Message != tt.want || r.Passed != (tt.want == "") {
				t.Errorf("%s: %v %q, want %q", tt.expect, r.Passed, r.Message, tt.want)
			}
		}
	}
}
