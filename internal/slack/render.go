package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answerAction begins the action id of every button of an answer.
const answerAction = "beffroi_answer_"

// A rendered message is what Slack is given: blocks, and the plain text that
// notifications and screen readers use instead.
type rendered struct {
	text   string
	blocks []block
}

// render is pure. mentions are Slack user ids.
func render(m Message, mentions []string) rendered {
	c := m.Content
	c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(f Field) bool { return f == Field{} })
	m.Content = c
	var bs []block
	if strings.TrimSpace(c.Title) != "" || c.Text == "" {
		bs = append(bs, titleBlock(m))
	}
	if line := strings.Join(c.Context, " · "); line != "" {
		bs = append(bs, contextLine(shown(line, maxContext)))
	}
	texts, left := split(c.Text, maxSection, maxTextParts)
	for _, t := range texts {
		bs = append(bs, section(markup(t)))
	}
	if left > 0 {
		bs = append(bs, contextLine(fmt.Sprintf("%d more characters are not shown here.", left)))
	}
	bs = append(bs, fieldBlocks(c.Fields)...)
	if line := linkLine(c.Links); line != "" {
		bs = append(bs, contextLine(line))
	}
	bs = append(bs, endBlocks(c, mentions)...)
	return rendered{text: fallback(m), blocks: bs}
}

// titleBlock is large for what is new, and of normal size for what follows.
func titleBlock(m Message) block {
	if m.Kind == Question || m.Kind == Notice {
		return header(m.Content.Title)
	}
	return section(nameText(m.Content.Title, maxSection))
}

// fieldBlocks puts names left and literal values right. A section holds ten
// texts, so five rows.
func fieldBlocks(fs []Field) []block {
	more := max(0, len(fs)-maxFields)
	fs = fs[:len(fs)-more]
	var bs []block
	for len(fs) > 0 {
		n := min(fieldRows, len(fs))
		b := block{Type: "section"}
		for _, f := range fs[:n] {
			b.Fields = append(b.Fields, nameText(f.Name, maxLabel), plain(f.Value, maxField))
		}
		bs, fs = append(bs, b), fs[n:]
	}
	if more > 0 {
		bs = append(bs, contextLine(fmt.Sprintf("%d more fields are not shown here.", more)))
	}
	return bs
}

// nameText is bold, whatever the name is.
func nameText(name string, maxUnits int) textObj {
	if t := bold(name, maxUnits); t != "" {
		return markup(t)
	}
	return plain("", 1)
}

func linkLine(ls []Link) string {
	var parts []string
	n := 0
	for _, l := range ls {
		p := link(l)
		if n += units(p) + 3; n > maxContext {
			break
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, " · ")
}

// endBlocks is the lower end of a message: who is called, and the answers or
// what became of them.
func endBlocks(c Content, mentions []string) []block {
	var bs []block
	var called []string
	for _, id := range mentions {
		if m := mention(id); m != "" && len(called) < 20 {
			called = append(called, m)
		}
	}
	if len(called) > 0 {
		bs = append(bs, section(markup(strings.Join(called, " "))))
	}
	if c.Result != nil {
		return append(bs, resultBlocks(*c.Result)...)
	}
	bs = append(bs, answerBlocks(c.Answers)...)
	var status []string
	if c.Status != "" {
		status = append(status, shown(c.Status, 1000))
	}
	if !c.Deadline.IsZero() {
		status = append(status, "answer by "+when(c.Deadline))
	}
	if len(status) > 0 {
		bs = append(bs, contextLine(strings.Join(status, " · ")))
	}
	return bs
}

func answerBlocks(as []Answer) []block {
	var bs []block
	for i, a := range as[:min(len(as), maxAnswers)] {
		if i%maxButtons == 0 {
			bs = append(bs, block{Type: "actions", BlockID: "beffroi_answers_" + strconv.Itoa(i/maxButtons)})
		}
		if a.Style != Primary && a.Style != Danger {
			a.Style = Plain // Slack refuses the whole message for a style that it does not know
		}
		b := button{
			Type: "button", ActionID: answerAction + strconv.Itoa(i),
			Text: plain(a.Label, maxLabel), Value: a.Token, Style: a.Style,
		}
		if a.Confirm != "" {
			b.Confirm = &confirm{
				Title: plain("Are you sure?", maxLabel), Text: plain(a.Confirm, maxConfirm),
				Confirm: plain(a.Label, 30), Deny: plain("Cancel", 30), Style: a.Style,
			}
		}
		last := &bs[len(bs)-1]
		last.Elements = append(last.Elements, b)
	}
	return bs
}

// resultBlocks says who, what, when and why, where the buttons were.
func resultBlocks(r Result) []block {
	line := resultLine(r, bold)
	if !r.At.IsZero() {
		line += " · " + when(r.At)
	}
	if r.Via != "" {
		line += " · by " + shown(r.Via, 100)
	}
	bs := []block{section(markup(line))}
	if r.Reason != "" {
		bs = append(bs, section(plain("Reason: "+r.Reason, maxSection)))
	}
	return bs
}

func resultLine(r Result, show func(string, int) string) string {
	switch r.Ending {
	case Answered:
		return fmt.Sprintf("✓ %s, answered by %s", show(r.Answer, 200), show(r.By, 200))
	case Expired:
		if r.Answer == "" {
			return "Nobody answered in time"
		}
		return fmt.Sprintf("Nobody answered in time: %s counts", show(r.Answer, 200))
	case Withdrawn:
		return "Withdrawn: no answer is needed any more"
	}
	return "Closed"
}

// when is a time in the reader's own time zone, and in UTC where that fails.
func when(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} at {time}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}

// fallback is the message in one plain text.
func fallback(m Message) string {
	c := m.Content
	var b strings.Builder
	switch m.Kind {
	case Question:
		b.WriteString("Question: ")
	case Reminder:
		b.WriteString("Reminder: ")
	case Escalation:
		b.WriteString("Escalation: ")
	case Notice:
	}
	b.WriteString(shown(cmp.Or(c.Title, c.Text), 300))
	if c.Result != nil {
		b.WriteString(" — " + resultLine(*c.Result, shown))
		return b.String()
	}
	if c.Text != "" && c.Title != "" {
		b.WriteString("\n" + shown(c.Text, 1200))
	}
	for _, f := range c.Fields[:min(len(c.Fields), 5)] {
		b.WriteString("\n" + shown(f.Name, 80) + ": " + shown(f.Value, 150))
	}
	if len(c.Answers) > 0 {
		var labels []string
		for _, a := range c.Answers[:min(len(c.Answers), 8)] {
			labels = append(labels, shown(a.Label, 40))
		}
		b.WriteString("\nAnswers: " + strings.Join(labels, ", "))
	}
	return b.String()
}

// digest says what waits behind a burst.
func digest(waiting, folded int, more Link) rendered {
	var text string
	switch {
	case waiting > 0 && folded > 0:
		text = fmt.Sprintf("%d more messages: %s, and %s here in short.", waiting+folded,
			count(waiting, "follows one by one", "follow one by one"), count(folded, "stands", "stand"))
	case waiting > 0:
		text = count(waiting, "more message is waiting and follows.", "more messages are waiting and follow one by one.")
	case folded > 0:
		text = count(folded, "more message stands here in short.", "more messages stand here in short.")
	default:
		text = "The messages that waited here have been posted."
	}
	r := rendered{text: text, blocks: []block{section(markup("*" + text + "*"))}}
	if more.URL != "" {
		r.blocks = append(r.blocks, contextLine(link(more)))
	}
	return r
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
