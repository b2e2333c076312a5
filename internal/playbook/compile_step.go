package playbook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// step compiles the expressions of one step and makes its body.
func (c *compiler) step(s *step) {
	sp := s.spec
	if sp.If != nil && s.kind != kindIf {
		s.guard = c.condition(s.path+".if", *sp.If, from(s))
	}
	s.timeout = sp.Timeout
	if sp.Retry != nil {
		s.retry = c.retry(s.path+".retry", sp.Retry)
	}
	s.unreached, s.skipped = s.blank(nil), s.blank(outcomeSkipped)
	switch s.kind {
	case kindCall:
		s.body = c.call(s)
	case kindAsk:
		s.body = c.ask(s)
	case kindSet:
		for _, name := range sortedKeys(sp.Set) {
			c.checkName(pathKey(s.path+".set", name), "a variable", name)
		}
		s.body = &setBody{values: c.tree(s.path+".set", sp.Set, from(s))}
	case kindIf:
		s.body = &ifBody{when: c.condition(s.path+".if", *sp.If, from(s))}
	case kindSwitch:
		s.body = c.switchOn(s)
	case kindEach:
		s.body = c.each(s)
	case kindParallel:
		c.parallel(s)
		s.body = parallelBody{}
	case kindWait:
		s.body = c.wait(s)
	case kindPlay:
		s.body = c.play(s)
	case kindStop:
		s.body = &stopBody{status: Status(sp.Stop.Status), message: c.text(s.path+".stop.message", sp.Stop.Message, from(s))}
	}
}

func (c *compiler) call(s *step) body {
	name, path := *s.spec.Call, s.path+".call"
	op, known := c.cat.Operation(name)
	if !known {
		c.hinted(path, errs.Suggest(name, c.cat.Names()), "there is no operation %q", clip(name))
	}
	conn := s.spec.Connection
	switch {
	case conn != "":
		c.exists(s.path+".connection", document.ID{Kind: "connection", Name: conn})
		if known && !op.Connection {
			c.issue(s.path+".connection", "%s needs no connection", name)
		}
	case known && op.Connection:
		c.hinted(s.path, "add connection: NAME", "%s needs a connection", name)
	}
	if known && op.Args != nil {
		c.args(s, name, op.Args)
	}
	b := &callBody{op: name, connection: conn}
	if len(s.spec.With) > 0 {
		b.with = c.tree(s.path+".with", s.spec.With, from(s))
	}
	return b
}

func (c *compiler) args(s *step, op string, args map[string]Arg) {
	for _, name := range sortedKeys(s.spec.With) {
		if _, ok := args[name]; !ok {
			c.hinted(pathKey(s.path+".with", name), suggestOrList(name, sortedKeys(args)), "%s has no argument %q", op, clip(name))
		}
	}
	for _, name := range sortedKeys(args) {
		if _, given := s.spec.With[name]; args[name].Required && !given {
			c.issue(s.path+".with", "%s needs the argument %q", op, name)
		}
	}
}

func suggestOrList(word string, names []string) string {
	if hint := errs.Suggest(word, names); hint != "" {
		return hint
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}

// exists reports a document that is referred to and not there.
func (c *compiler) exists(path string, id document.ID) bool {
	if _, ok := c.in[id]; ok {
		return true
	}
	var names []string
	for other := range c.in {
		if other.Kind == id.Kind {
			names = append(names, other.Name)
		}
	}
	c.hinted(path, errs.Suggest(id.Name, names), "there is no %s %q", id.Kind, clip(id.Name))
	return false
}

var statusWord = regexp.MustCompile(`^([1-5]xx|[1-5][0-9][0-9])$`)

func (c *compiler) retry(path string, sp *retrySpec) *retry {
	r := &retry{
		times: sp.Times, backoff: sp.Backoff, max: sp.Max, constant: sp.Growth == "constant",
		jitter: 0.2, on: sp.On,
	}
	if r.backoff == 0 {
		r.backoff = time.Second
	}
	if r.max == 0 {
		r.max = max(5*time.Minute, r.backoff)
	}
	if r.max < r.backoff {
		c.issue(path+".max", "the longest wait is shorter than the first one")
	}
	if sp.Jitter != nil {
		r.jitter = *sp.Jitter
	}
	if sp.On == nil {
		r.on = []string{"network", "timeout", "unavailable", "429", "5xx"}
	}
	for _, word := range sp.On {
		if !statusWord.MatchString(word) && !slices.Contains(retryable, word) {
			hint := errs.Suggest(word, retryable)
			if hint == "" {
				hint = "write a status such as 429 or 5xx, or " + strings.Join(retryable, ", ")
			}
			c.hinted(path+".on", hint, "%q cannot be retried", clip(word))
		}
	}
	return r
}

func (c *compiler) switchOn(s *step) body {
	b := &switchBody{on: c.value(s.path+".switch", *s.spec.Switch, from(s)), cases: map[string]int{}}
	for i, label := range s.labels[:len(s.labels)-1] {
		b.cases[label] = i
	}
	if len(b.cases) == 0 {
		c.hinted(s.path, "add cases:", "a switch has cases")
	}
	if b.on == nil {
		return b
	}
	// A switch over an answer can only meet the answers.
	for _, ref := range b.on.Refs() {
		if len(ref) == 3 && ref[0] == "steps" && ref[2] == "answer" && b.on.src == strings.Join(ref, ".") {
			c.checkAnswers(s, c.byID[ref[1]])
		}
	}
	return b
}

// checkAnswers reports cases of a switch that no answer of a question meets.
func (c *compiler) checkAnswers(s, asked *step) {
	if asked == nil || asked.kind != kindAsk {
		return
	}
	values := asked.answers()
	for _, label := range s.labels[:len(s.labels)-1] {
		if !slices.Contains(values, label) {
			c.hinted(s.path+".cases"+pathKeyIn(label), suggestOrList(label, values), "%s has no answer %q", asked.name, clip(label))
		}
	}
}

// answers returns the answers of a question, while compiling.
func (s *step) answers() []string {
	values := make([]string, len(s.spec.Ask.Answers))
	for i, a := range s.spec.Ask.Answers {
		values[i] = a.Value
	}
	return values
}

func (c *compiler) each(s *step) body {
	sp := s.spec
	b := &eachBody{parallel: 1}
	if sp.As != "" {
		c.checkName(s.path+".as", "an item", sp.As)
		if slices.Contains(roots, sp.As) || slices.Contains(reserved, sp.As) {
			c.issue(s.path+".as", "%q cannot be the name of an item: expressions use the word for something else", sp.As)
		}
	}
	if sp.Parallel != nil {
		if b.parallel = sp.Parallel.number; b.parallel == 0 {
			c.issue(s.path+".parallel", "with each, parallel is the number of items at a time")
		}
	}
	if len(sp.Do) == 0 {
		c.hinted(s.path, "add do:", "each has steps to do")
	}
	if src, isText := sp.Each.(string); isText {
		b.list = c.value(s.path+".each", src, from(s))
	} else {
		if _, isList := sp.Each.([]any); !isList {
			c.issue(s.path+".each", "each takes a list, or an expression for one")
		}
		b.items = c.tree(s.path+".each", sp.Each, from(s))
	}
	if sp.Collect != nil {
		b.collect = c.value(s.path+".collect", *sp.Collect, inside(s, 0))
	}
	return b
}

func (c *compiler) parallel(s *step) {
	switch n := len(s.blocks); {
	case s.spec.Parallel.number != 0:
		c.hinted(s.path+".parallel", "write a map of branches", "without each, parallel has branches")
	case n == 0:
		c.issue(s.path+".parallel", "parallel has no branch")
	case n > maxBranches:
		c.issue(s.path+".parallel", "parallel has %d branches, %d are allowed", n, maxBranches)
	}
}

func (c *compiler) wait(s *step) body {
	sp, path := s.spec.Wait, s.path+".wait"
	set := 0
	for _, x := range []string{sp.For, sp.Until, sp.Event} {
		if x != "" {
			set++
		}
	}
	if set != 1 {
		c.hinted(path, "10m, {for: 10m}, {until: ...} or {event: ...}", "wait has one of for, until and event")
	}
	if sp.Event == "" && (sp.Match != nil || sp.Timeout != "") {
		c.issue(path, "match and timeout belong to the wait for an event")
	}
	b := &waitBody{
		length: c.span(path+".for", sp.For, from(s)),
		until:  c.moment(path+".until", sp.Until, from(s)),
		event:  sp.Event,
		limit:  c.span(path+".timeout", sp.Timeout, from(s)),
	}
	if len(sp.Match) > 0 {
		b.match = c.tree(path+".match", sp.Match, from(s))
	}
	return b
}

// span compiles a length of time that may be an expression.
func (c *compiler) span(path, src string, v view) *text {
	t := c.text(path, src, v)
	if t != nil && t.needs == nil {
		if d, err := document.ParseDuration(src); err != nil || d <= 0 || d > maxWait {
			c.hinted(path, "write 90s, 15m, 2h30m, 7d or 2w", "%q is not a length of time that one can wait", clip(src))
		}
	}
	return t
}

func (c *compiler) moment(path, src string, v view) *text {
	t := c.text(path, src, v)
	if t != nil && t.needs == nil {
		if _, err := time.Parse(time.RFC3339, src); err != nil {
			c.hinted(path, "write 2026-11-22T08:00:00Z or ${{ an expression }}", "%q is not a time", clip(src))
		}
	}
	return t
}

func pathIndex(path string, i int) string { return fmt.Sprintf("%s[%s]", path, strconv.Itoa(i)) }
