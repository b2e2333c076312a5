package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"beffroi.dev/internal/expr"
)

// A Finding is one alert: an OCSF Detection Finding and what we need to decide
// where it belongs.
type Finding struct {
	Source      string
	Rule        string // that fired; "" for products that send alerts
	Title       string
	SeverityID  int64
	Time        time.Time // when it happened, by the product's clock
	Fingerprint string    // hex; "" is like no other
	Entities    []string  // "ip:203.0.113.7", "user:ada@example.org": what links it to others
	OCSF        map[string]any
	Raw         any      // the one event
	Problems    []string // what could not be mapped
}

// Stats says what became of the events of one call.
type Stats struct {
	Events   int      // that the call held
	Ignored  int      // that are no alert
	Alerts   int      // that are
	Problems []string // of conditions and rules, the first few
}

// Map makes findings of the body of one call, which must come from
// [expr.FromJSON]. An event that is no alert is counted and left. To
// expressions a field that is null is not there. The error is for a body of
// which no events can be taken.
func (s *Source) Map(body any, received time.Time) ([]Finding, Stats, error) {
	var stats Stats
	body = s.unwrap(body)
	_, isList := body.([]any)
	events, err := s.events(body, received)
	if err != nil {
		return nil, stats, err
	}
	var out []Finding
	whole := withoutNull(body)
	for _, event := range events {
		stats.Events++
		clean := whole
		if s.batch != nil || isList {
			clean = withoutNull(event)
		}
		e := s.evaluation(clean, whole, received)
		f, ok := s.finding(&e, event, received)
		if !ok {
			stats.Ignored++
			stats.note(e.problems)
			continue
		}
		stats.Alerts++
		stats.note(e.problems)
		out = append(out, f)
	}
	return out, stats, nil
}

func (s *Stats) note(problems []string) {
	room := max(0, maxProblems-len(s.Problems))
	s.Problems = append(s.Problems, problems[:min(len(problems), room)]...)
}

func (s *Source) evaluation(event, body any, received time.Time) evaluation {
	vars := make(map[string]any, 3+len(s.let))
	vars["event"], vars["body"], vars["now"] = event, body, received
	return evaluation{vars: vars, lets: s.let}
}

// events returns what one call holds. Of a list of bodies, as NDJSON is given
// to us, each is taken apart.
func (s *Source) events(body any, received time.Time) ([]any, error) {
	list, isList := body.([]any)
	switch {
	case body == nil:
		return nil, nil
	case !isList:
		list = []any{body}
	}
	if s.batch == nil {
		return list, nil
	}
	var out []any
	for _, one := range list {
		e := s.evaluation(one, one, received)
		v := s.batch.eval(&e)
		if len(e.problems) > 0 {
			return nil, invalidBatch(s.Name, e.problems[0])
		}
		switch v := v.(type) {
		case nil:
			out = append(out, one)
		case []any:
			out = append(out, v...)
		default:
			out = append(out, v)
		}
	}
	return out, nil
}

// unwrap takes the message out of the envelope of Amazon SNS.
func (s *Source) unwrap(body any) any {
	m, ok := body.(map[string]any)
	text, isText := m["Message"].(string)
	if !ok || !isText || s.Verify.Scheme != SchemeSNS {
		return body
	}
	inner, err := expr.FromJSON([]byte(text))
	if err != nil {
		return body
	}
	return inner
}

// finding maps one event, unless it is no alert.
func (s *Source) finding(e *evaluation, event any, received time.Time) (Finding, bool) {
	if !s.accepts(e) {
		return Finding{}, false
	}
	fired := s.fired(e)
	if len(s.rules) > 0 && len(fired) == 0 {
		return Finding{}, false
	}
	f := Finding{Source: s.Name, Raw: event, Time: received, SeverityID: -1}
	o := make(map[string]any, 32)
	for _, fl := range s.fields {
		if v := fl.node.eval(e); !empty(v) {
			put(o, fl.path, v)
		}
	}
	s.applyRules(e, &f, o, fired)
	if f.SeverityID < 0 {
		f.SeverityID = s.severity.eval(e)
	}
	s.fill(e, &f, o)
	f.Fingerprint = s.identity(e, &f, o)
	f.OCSF, f.Problems = o, e.problems
	return f, true
}

// accepts lets an event through when a condition fails: better an alert too
// many than one that nobody sees.
func (s *Source) accepts(e *evaluation) bool {
	for _, c := range s.accept {
		ok, err := c.holds(e)
		if err != nil {
			e.failed(c.at, err)
			continue
		}
		if !ok {
			return false
		}
	}
	return true
}

// fired returns the rules that fire, the most severe first. A rule that fails
// does not fire.
func (s *Source) fired(e *evaluation) []*rule {
	var out []*rule
	for i := range s.rules {
		r := &s.rules[i]
		ok, err := r.when.holds(e)
		if err != nil {
			e.failed(r.when.at, err)
		}
		if !ok {
			continue
		}
		out = append(out, r)
		if r.severity > out[0].severity {
			out[0], out[len(out)-1] = r, out[0]
		}
	}
	return out
}

// applyRules says of the finding what the rules say of it. One event is one
// alert: the most severe rule names it and the others are listed.
func (s *Source) applyRules(e *evaluation, f *Finding, o map[string]any, fired []*rule) {
	if len(fired) == 0 {
		return
	}
	r := fired[0]
	f.Rule, f.SeverityID = r.ID, r.severity
	info := child(o, "finding_info")
	if r.title != nil {
		title := jsonText(r.title.eval(e))
		if title == "" {
			title = bare(r.Title)
		}
		info["title"] = title
	}
	fill(info, "desc", r.Desc)
	fill(info, "analytic", r.analytic)
	var others []any
	for _, r := range fired[1:] {
		others = append(others, r.analytic)
	}
	if len(others) > 0 {
		info["related_analytics"] = others
	}
	if r.Confidence != "" {
		o["confidence_id"] = ocsf().Class.Attributes["confidence_id"].ids[strings.ToLower(r.Confidence)]
	}
	if len(r.attacks) > 0 {
		info["attacks"] = r.attacks
	}
}

// bare is a title without its expressions, for an event that lacks what they
// name.
func bare(title string) string {
	for {
		before, rest, found := strings.Cut(title, "${{")
		_, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			return title
		}
		title = before + "…" + after
	}
}

// identity hashes what makes two alerts the same. With a part missing there is
// none.
func (s *Source) identity(e *evaluation, f *Finding, o map[string]any) string {
	h := sha256.New()
	var size [8]byte
	write := func(part string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	write(s.Name)
	write(f.Rule)
	if len(s.fingerprint) == 0 {
		write(jsonText(child(o, "finding_info")["uid"]))
	}
	for _, n := range s.fingerprint {
		v := n.eval(e)
		if empty(v) {
			return ""
		}
		write(jsonText(v))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// fill adds what every finding has.
func (s *Source) fill(e *evaluation, f *Finding, o map[string]any) {
	info := child(o, "finding_info")
	if _, ok := info["uid"]; !ok {
		info["uid"] = contentID(f.Raw)
	}
	fill(info, "title", s.Title)
	f.Title, _ = info["title"].(string)
	if ms, ok := o["time"].(int64); ok {
		f.Time = time.UnixMilli(ms).UTC()
	}
	o["time"] = f.Time.UnixMilli()
	fill(info, "created_time", f.Time.UnixMilli())
	fill(o, "message", f.Title)
	o["class_uid"], o["class_name"] = int64(2004), "Detection Finding"
	o["category_uid"], o["category_name"] = int64(2), "Findings"
	o["activity_id"], o["type_uid"] = int64(1), int64(200401)
	o["severity_id"], o["status_id"], o["is_alert"] = f.SeverityID, int64(1), true
	moveEvidence(o)
	o["metadata"] = s.metadata(o, f, e)
	e.complete(ocsf().Class, o)
	if s.extra != nil {
		list, _ := s.extra.eval(e).([]any)
		for _, v := range list {
			m, _ := v.(map[string]any)
			name, _ := m["name"].(string)
			kind, _ := m["type_id"].(int64)
			value, _ := m["value"].(string)
			e.observed.add(name, kind, value)
		}
	}
	if list := e.observed.ocsf(); list != nil {
		o["observables"] = list
	}
	f.Entities = e.observed.entities(s.by)
}

func (s *Source) metadata(o map[string]any, f *Finding, e *evaluation) map[string]any {
	m := map[string]any{
		"version":     ocsf().Version,
		"product":     map[string]any{"name": s.Product.Name, "vendor_name": s.Product.VendorName},
		"log_name":    s.Name,
		"logged_time": e.received().UnixMilli(),
	}
	if p := profiles(o); p != nil {
		m["profiles"] = p
	}
	if f.Rule != "" {
		m["event_code"] = f.Rule
	}
	return m
}

// profiles returns the OCSF profiles whose attributes a finding has.
func profiles(o map[string]any) []any {
	var out []any
	for _, p := range []struct {
		name string
		keys []string
	}{
		{"cloud", []string{"cloud", "api"}},
		{"host", []string{"actor"}},
		{"security_control", []string{"action_id", "disposition_id", "policy", "firewall_rule"}},
	} {
		if anyOf(o, p.keys) {
			out = append(out, p.name)
		}
	}
	return out
}

// moveEvidence puts the first evidence before the others.
func moveEvidence(o map[string]any) {
	first, ok := o["evidence"].(map[string]any)
	delete(o, "evidence")
	if !ok {
		return
	}
	rest, _ := o["evidences"].([]any)
	o["evidences"] = append([]any{first}, rest...)
}

func (e *evaluation) received() time.Time {
	t, _ := e.vars["now"].(time.Time)
	return t
}

// put sets a value at a path of the finding.
func put(o map[string]any, path []string, v any) {
	for _, key := range path[:len(path)-1] {
		o = child(o, key)
	}
	o[path[len(path)-1]] = v
}

func child(o map[string]any, key string) map[string]any {
	m, ok := o[key].(map[string]any)
	if !ok {
		m = map[string]any{}
		o[key] = m
	}
	return m
}

// contentID names an event by what it holds: the same event has the same id.
func contentID(event any) string {
	b, err := json.Marshal(event)
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
