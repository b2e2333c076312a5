package ask_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/ask"
)

func good() ask.Question {
	return ask.Question{
		Channel: "#soc", Title: "Isolate lap-042?", Text: "It talks to 203.0.113.7.",
		Fields:  []ask.Field{{Label: "Host", Value: "lap-042"}},
		Answers: []ask.Answer{{ID: "contain", Style: ask.Danger, Confirm: "Sure?", Reason: ask.ReasonRequired}, {ID: "false_positive"}},
		Reason:  ask.ReasonOptional, Who: []string{"team/blue", "person/ada", "@bob"}, NotRequester: true, Requester: "person/eve",
		Remind: []ask.Duration{ask.Duration(15 * time.Minute)}, RemindEvery: true,
		Escalate: []ask.Escalation{{After: ask.Duration(time.Hour), To: "team/blue/on_call"}},
		Expire:   &ask.Expiry{After: ask.Duration(2 * time.Hour), Answer: "contain"},
		Case:     "case/1041", Run: "run/1043", Action: "triage",
	}
}

func TestValidate(t *testing.T) {
	if is := ask.Validate(good()); is != nil {
		t.Fatalf("a good question is refused: %v", is)
	}
	hour := ask.Duration(time.Hour)
	for _, tt := range []struct {
		name   string
		change func(*ask.Question)
		want   []string // the start of each issue
	}{
		{"nothing", func(q *ask.Question) { *q = ask.Question{} }, []string{
			"channel: is empty; write #channel", "title: a question needs a title", "answers: a question needs at least one answer",
		}},
		{"channel", func(q *ask.Question) { q.Channel = "soc" }, []string{`channel: "soc" is no target; write #channel`}},
		{"channel with a mention in it", func(q *ask.Question) { q.Channel = "#soc <!channel>" }, []string{`channel: "#soc <!channel>" is no target`}},
		{"channel by id", func(q *ask.Question) { q.Channel = "C0123ABCD" }, nil},
		{"channel is a person", func(q *ask.Question) { q.Channel = "person/ada" }, nil},
		{"channel is a role", func(q *ask.Question) { q.Channel = "team/blue/lead" }, nil},
		{"channel is an unknown role", func(q *ask.Question) { q.Channel = "team/blue/boss" }, []string{`channel: "team/blue/boss" is no target`}},
		{"long title", func(q *ask.Question) { q.Title = strings.Repeat("é", 151) }, []string{"title: is 151 characters long, more than 150"}},
		{"title of the longest length", func(q *ask.Question) { q.Title = strings.Repeat("é", 150) }, nil},
		{"not text", func(q *ask.Question) { q.Text = "\xff" }, []string{"text: is not valid UTF-8"}},
		{"fields", func(q *ask.Question) {
			q.Fields = append(make([]ask.Field, 20), ask.Field{Label: "x", Value: strings.Repeat("x", 1901)})
			for i := range 20 {
				q.Fields[i].Label = "y"
			}
			q.Fields[3].Label = " "
		}, []string{"fields: has 21 fields", "fields[3].label: a field needs a label", "fields[20].value: is 1901 characters long"}},
		{"answers", func(q *ask.Question) {
			q.Expire = nil
			q.Answers = []ask.Answer{{ID: "oui, oui"}, {ID: "no"}, {ID: "no"}, {ID: "n-o"}, {ID: "n_o"}, {ID: "--"}, {ID: "x", Style: "dangr", Label: strings.Repeat("x", 76)}}
		}, []string{
			`answers[0].id: "oui, oui" is not an answer's id; use letters`, `answers[2].id: the answer "no" is there twice`,
			`answers[4].label: two answers say "N o"`, `answers[5].id: "--" is not`,
			"answers[6].label: is 76 characters long", `answers[6].style: unknown style "dangr"; did you mean "danger"?`,
		}},
		{"too many answers", func(q *ask.Question) {
			for i := range 9 {
				q.Answers = append(q.Answers, ask.Answer{ID: string(rune('a' + i))})
			}
		}, []string{"answers: has 11 answers, more than 10"}},
		{"reason", func(q *ask.Question) { q.Reason = "always" }, []string{`reason: unknown rule "always"; write none, optional or required`}},
		{"reason of an answer", func(q *ask.Question) { q.Answers[1].Reason = "yes" }, []string{`answers[1].reason: unknown rule "yes"`}},
		{"who", func(q *ask.Question) {
			q.Who = []string{"ada", "#soc", "team/blue/lead", "person/", "person/Ada", "team/blue"}
		}, []string{
			`who[0]: "ada" is no target; write person/NAME`, `who[1]: "#soc" cannot stand here`, `who[2]: "team/blue/lead" cannot`,
			`who[3]: "person/" is no`, `who[4]: "person/Ada" is no`,
		}},
		{"too many", func(q *ask.Question) {
			q.Who = slices.Repeat([]string{"@a"}, 51)
			q.Remind = slices.Repeat([]ask.Duration{hour}, 21)
			q.Expire = nil
			q.Escalate = nil
			for i := range 11 {
				q.Escalate = append(q.Escalate, ask.Escalation{After: hour * ask.Duration(i+1), To: "@a"})
			}
		}, []string{"who: has 51", "remind: has 21", "escalate: has 11"}},
		{"requester", func(q *ask.Question) { q.Requester = "ada" }, []string{`requester: "ada" is nobody; write person/NAME`}},
		{"requester of a bad name", func(q *ask.Question) { q.Requester = "person/Ada" }, []string{`requester: "person/Ada" is nobody`}},
		{"requester is a machine", func(q *ask.Question) { q.Requester = "source/github" }, nil},
		{"no person wanted it", func(q *ask.Question) { q.Requester = "" }, nil},
		{"waits", func(q *ask.Question) { q.Remind = []ask.Duration{0, -5, hour * 24 * 367} }, []string{
			"remind[0]: 0s is not between", "remind[1]: -5ns is not", "remind[2]: 367d is not",
		}},
		{"nothing repeats", func(q *ask.Question) { q.Remind = nil }, []string{"remind_every: there is no wait"}},
		{"escalations out of order", func(q *ask.Question) {
			q.Escalate = []ask.Escalation{{After: hour, To: "@a"}, {After: hour, To: "nobody"}}
		}, []string{"escalate[1].after: 1h is not after the escalation before it (1h)", `escalate[1].to: "nobody" is no target`}},
		{"deadline before an escalation", func(q *ask.Question) { q.Expire.After = hour }, []string{"expire.after: the question ends after 1h, before"}},
		{"deadline that does nothing", func(q *ask.Question) { q.Expire.Answer = "" }, []string{"expire: it is not said what happens"}},
		{"deadline that does both", func(q *ask.Question) { q.Expire.Fail = true }, []string{"expire: a deadline either answers or fails"}},
		{"deadline with an unknown answer", func(q *ask.Question) { q.Expire.Answer = "contani" }, []string{`expire.answer: there is no answer "contani"; did you mean "contain"?`}},
		{"deadline that fails", func(q *ask.Question) { q.Expire = &ask.Expiry{After: 5 * hour, Fail: true} }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := good()
			tt.change(&q)
			got := ask.Validate(q)
			for i := range max(len(got), len(tt.want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing issue: %s", tt.want[i])
				case i >= len(tt.want) || !strings.HasPrefix(got[i].String(), tt.want[i]):
					t.Errorf("issue %d: %s", i, got[i])
				}
			}
		})
	}
}

func TestFit(t *testing.T) {
	q := good()
	q.Title = " Alert\u202e txt.exe\n" + strings.Repeat("y", 200)
	q.Text = "line\n\x1b[31mred\x00 " + strings.Repeat("z", 4000)
	q.Fields = []ask.Field{{Label: "Empty", Value: " "}, {Label: "Long", Value: strings.Repeat("é", 5000)}}
	for len(q.Fields) < 30 {
		q.Fields = append(q.Fields, ask.Field{Label: "n", Value: "\xff"})
	}
	q.Answers[1].Label = strings.Repeat("l", 100)
	before, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	fit := q.Fit()
	if is := ask.Validate(fit); is != nil {
		t.Errorf("does not fit: %v", is)
	}
	if !strings.HasPrefix(fit.Title, "Alert txt.exe yyy") || !strings.HasSuffix(fit.Title, "y…") {
		t.Errorf("title: %q", fit.Title)
	}
	if !strings.HasPrefix(fit.Text, "line\n[31mred zzz") {
		t.Errorf("text: %.30q", fit.Text)
	}
	if len(fit.Fields) != ask.MaxFields || fit.Fields[0].Value != "–" || fit.Fields[19] != (ask.Field{Label: "…", Value: "and 11 more"}) {
		t.Errorf("fields: %v", fit.Fields)
	}
	if after, err := json.Marshal(q); err != nil || string(after) != string(before) {
		t.Error("the question itself was changed")
	}
	if diff := cmp.Diff(good(), good().Fit()); diff != "" {
		t.Errorf("what fits is changed: %s", diff)
	}
}

// TestFitMakesAnyTextPresentable: what an alert lacks must not keep a question
// from being asked.
func TestFitMakesAnyTextPresentable(t *testing.T) {
	q := good()
	long := strings.Repeat("l", 80)
	q.Title, q.Fields = " \x00\n", []ask.Field{{}}
	q.Answers = []ask.Answer{{ID: "contain", Label: "Do it"}, {ID: "b", Label: "Do it"}, {ID: "c", Label: long}, {ID: "d", Label: long}}
	fit := q.Fit()
	if is := ask.Validate(fit); is != nil {
		t.Errorf("does not fit: %v", is)
	}
	if fit.Title != "–" || fit.Fields[0] != (ask.Field{Label: "–", Value: "–"}) || fit.Answers[1].Label != "Do it (b)" || !strings.HasSuffix(fit.Answers[3].Label, "l… (d)") {
		t.Errorf("got %+v", fit)
	}
}

func TestAnswerText(t *testing.T) {
	for _, tt := range []struct {
		answer ask.Answer
		want   string
	}{
		{ask.Answer{ID: "false_positive"}, "False positive"},
		{ask.Answer{ID: "x", Label: "Do it"}, "Do it"},
		{ask.Answer{ID: "re-open"}, "Re open"},
		{ask.Answer{ID: "__"}, "__"},
	} {
		if got := tt.answer.Text(); got != tt.want {
			t.Errorf("%v says %q, want %q", tt.answer, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, tt := range []struct {
		in, out string
	}{
		{"0s", "0s"},
		{"90s", "1m30s"},
		{"15m", "15m"},
		{"60m", "1h"},
		{"90m", "1h30m"},
		{"24h", "1d"},
		{"2w", "14d"},
		{"1w1d1h1m1s", "8d1h1m1s"},
		{"1500ms", "1.5s"},
		{"1d10m", "1d10m"},
		{"", ""},
		{"-5m", ""},
		{"1d-5m", ""},
		{"5", ""},
		{"1.5d", ""},
		{"d", ""},
		{"1d1w", ""},
		{"9999999h", ""},
		{"5000w", ""},
		{"4095w4095d", "32760d"},
		{"36500d", ""},
		{"tomorrow", ""},
	} {
		var d ask.Duration
		err := d.UnmarshalText([]byte(tt.in))
		if (err == nil) != (tt.out != "") {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if err == nil && d.String() != tt.out {
			t.Errorf("%q becomes %q, want %q", tt.in, d, tt.out)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("1d12h30m5s")
	f.Fuzz(func(t *testing.T, s string) {
		var d, again ask.Duration
		if d.UnmarshalText([]byte(s)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d || d < 0 {
			t.Errorf("%q becomes %s becomes %s, %v", s, d, again, err)
		}
	})
}

// TestDocumentedForm reads the question that docs/questions.md shows.
func TestDocumentedForm(t *testing.T) {
	doc, err := os.ReadFile("../../docs/questions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	dec := json.NewDecoder(strings.NewReader(example))
	dec.DisallowUnknownFields()
	var q ask.Question
	if err := dec.Decode(&q); err != nil {
		t.Fatal(err)
	}
	if is := ask.Validate(q); is != nil {
		t.Error(is)
	}
}

// TestStableForm holds the JSON of a question and of a state still: the ledger
// is full of them.
func TestStableForm(t *testing.T) {
	b, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"channel":"#soc","title":"Isolate lap-042?","text":"It talks to 203.0.113.7.",` +
		`"fields":[{"label":"Host","value":"lap-042"}],` +
		`"answers":[{"id":"contain","style":"danger","confirm":"Sure?","reason":"required"},{"id":"false_positive"}],` +
		`"reason":"optional","who":["team/blue","person/ada","@bob"],"not_requester":true,"requester":"person/eve",` +
		`"remind":["15m"],"remind_every":true,"escalate":[{"after":"1h","to":"team/blue/on_call"}],"expire":{"after":"2h","answer":"contain"},` +
		`"case":"case/1041","run":"run/1043","action":"triage"}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	var back ask.Question
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(good(), back); diff != "" {
		t.Error(diff)
	}
}
