package alert

import "time"

// SourceSpec is what a document of kind source says.
type SourceSpec struct {
	Product     ProductSpec    `yaml:"product" required:"true" doc:"the product whose alerts these are, as OCSF metadata.product"`
	Verify      VerifySpec     `yaml:"verify" required:"true" doc:"how a call to /hooks/NAME proves where it comes from"`
	MaxSize     any            `yaml:"max_size,omitempty" doc:"largest body that is read: bytes, or text such as 256KiB; 1MiB unless said"`
	Batch       any            `yaml:"batch,omitempty" doc:"CEL over body: the list of events in one call, or several of which the first that is there holds; unless said, or when it is not there, the body, or its elements when it is a list"`
	Let         map[string]any `yaml:"let,omitempty" doc:"names for CEL expressions, for use in all others and in each other; a list is the first that is there"`
	Accept      []string       `yaml:"accept,omitempty" doc:"CEL conditions that all must hold for an event to be an alert; other events are acknowledged and counted"`
	Rules       []RuleSpec     `yaml:"rules,omitempty" doc:"for products that send plain events: an event is an alert when a rule fires"`
	Map         Mapping        `yaml:"map" required:"true" doc:"the fields of the OCSF Detection Finding; a text is a CEL expression, or text with ${{ expressions }} inside"`
	Fingerprint []string       `yaml:"fingerprint,omitempty" doc:"CEL: what makes two alerts the same; unless said the uid, or the whole event when it has none. With a part missing an alert is like no other"`
	Window      time.Duration  `yaml:"window,omitempty" doc:"for how long after the last one the same alert joins its case; 24h unless said"`
	Correlate   *CorrelateSpec `yaml:"correlate,omitempty" doc:"which entities bring different alerts into one case"`
	Tests       []TestSpec     `yaml:"tests,omitempty" doc:"events and what must come of them"`
}

// ProductSpec names a product as OCSF does.
type ProductSpec struct {
	VendorName string `yaml:"vendor_name" required:"true" doc:"who makes it"`
	Name       string `yaml:"name" required:"true" doc:"what it is called"`
}

// CorrelateSpec says what links cases.
type CorrelateSpec struct {
	By     []string      `yaml:"by" doc:"kinds of entity: ip, host, user, hash, domain, url, resource; an empty list for none"`
	Within time.Duration `yaml:"within,omitempty" doc:"for how long after the last alert that names the entity; 4h unless said"`
}

// RuleSpec is one detection rule.
type RuleSpec struct {
	ID         string   `yaml:"id" required:"true" pattern:"^[a-z0-9][a-z0-9-]{0,62}$" doc:"slug of the rule, unique in the source"`
	Title      string   `yaml:"title,omitempty" doc:"title of the alert; ${{ expressions }} may stand inside; unless said that of map"`
	Desc       string   `yaml:"desc,omitempty" doc:"what happened, why it matters, what to look at"`
	When       string   `yaml:"when" required:"true" doc:"CEL condition over the event"`
	Severity   string   `yaml:"severity,omitempty" doc:"informational, low, medium, high, critical or fatal; unless said that of map"`
	Confidence string   `yaml:"confidence,omitempty" doc:"low, medium or high"`
	Attack     []string `yaml:"attack,omitempty" doc:"MITRE ATT&CK: TA0006:T1110, TA0006 or T1110"`
}

// Mapping says where the fields of the finding come from. Each value is a CEL
// expression, text with expressions inside, or a tree of these. A list where
// one value belongs stands for the first that is there.
type Mapping struct {
	UID             any `yaml:"uid,omitempty" doc:"id of the finding in the product"`
	Title           any `yaml:"title,omitempty" doc:"one line for people; a rule's title goes first"`
	Desc            any `yaml:"desc,omitempty" doc:"description of the finding"`
	Message         any `yaml:"message,omitempty" doc:"what happened, in a sentence; the title unless said"`
	URL             any `yaml:"url,omitempty" doc:"where the product shows the finding"`
	Types           any `yaml:"types,omitempty" doc:"the product's own kinds of finding"`
	Time            any `yaml:"time,omitempty" doc:"when it happened: text, or a number since 1970 in s, ms, us or ns"`
	FirstSeen       any `yaml:"first_seen,omitempty" doc:"first time that it was seen"`
	LastSeen        any `yaml:"last_seen,omitempty" doc:"last time that it was seen"`
	Severity        any `yaml:"severity,omitempty" doc:"a name, an OCSF severity_id, CEL that gives one of them, or {from, map or at_least, else}"`
	Confidence      any `yaml:"confidence,omitempty" doc:"low, medium or high, as name or OCSF confidence_id"`
	RiskScore       any `yaml:"risk_score,omitempty" doc:"the product's own score"`
	StatusDetail    any `yaml:"status_detail,omitempty" doc:"state of the finding in the product's words"`
	Attacks         any `yaml:"attacks,omitempty" doc:"MITRE ATT&CK: list of TA0006:T1110 or {tactic, technique}"`
	Analytic        any `yaml:"analytic,omitempty" doc:"the product's rule that fired"`
	Tags            any `yaml:"tags,omitempty" doc:"list of {name, value}"`
	RelatedEvents   any `yaml:"related_events_count,omitempty" doc:"how many events the product counted"`
	Actor           any `yaml:"actor,omitempty" doc:"who did it: {user, process, session, app_name, ...}"`
	Device          any `yaml:"device,omitempty" doc:"the host concerned; text is an address or a name"`
	Cloud           any `yaml:"cloud,omitempty" doc:"{provider, account, region}"`
	API             any `yaml:"api,omitempty" doc:"{operation, service}"`
	SrcEndpoint     any `yaml:"src_endpoint,omitempty" doc:"where it came from; text is an address or a name"`
	DstEndpoint     any `yaml:"dst_endpoint,omitempty" doc:"where it went"`
	Evidence        any `yaml:"evidence,omitempty" doc:"more of the first OCSF evidence: {process, file, user, url, email, query, container, ...}"`
	Evidences       any `yaml:"evidences,omitempty" doc:"list of further evidences"`
	Resources       any `yaml:"resources,omitempty" doc:"list of what is affected; text is an id"`
	Vulnerabilities any `yaml:"vulnerabilities,omitempty" doc:"list of {cve, title, ...}; text is a CVE id"`
	Malware         any `yaml:"malware,omitempty" doc:"list of {name, ...}; text is a name"`
	Remediation     any `yaml:"remediation,omitempty" doc:"what the product proposes to do"`
	Action          any `yaml:"action,omitempty" doc:"what a control did: Allowed, Denied, Observed, Modified"`
	Disposition     any `yaml:"disposition,omitempty" doc:"the outcome: Blocked, Quarantined, Detected, ..."`
	Policy          any `yaml:"policy,omitempty" doc:"the policy of the control"`
	FirewallRule    any `yaml:"firewall_rule,omitempty" doc:"the firewall rule of the control"`
	Observables     any `yaml:"observables,omitempty" doc:"further list of {name, type_id, value}; addresses, hosts, users, hashes and links are found by themselves"`
	Unmapped        any `yaml:"unmapped,omitempty" doc:"object with what OCSF has no place for"`
}

// TestSpec is one test of a source.
type TestSpec struct {
	Name   string   `yaml:"name" required:"true" doc:"what the test shows"`
	Event  any      `yaml:"event,omitempty" doc:"the body of a call: a .json file beside the document, or the value itself"`
	Events []string `yaml:"events,omitempty" doc:"many .json files, for each of which the expectation holds"`
	Expect Expect   `yaml:"expect" required:"true" doc:"what must come of it"`
}

// Expect says what must come of an event. What is not named is not compared.
type Expect struct {
	Alerts   int            `yaml:"alerts" required:"true" doc:"how many alerts"`
	Rule     string         `yaml:"rule,omitempty" doc:"the rule that gave the title of the first alert"`
	Title    string         `yaml:"title,omitempty" doc:"title of the first alert"`
	Severity string         `yaml:"severity,omitempty" doc:"severity of the first alert"`
	Entities []string       `yaml:"entities,omitempty" doc:"entities that the first alert must have, such as user:ada@example.org"`
	Finding  map[string]any `yaml:"finding,omitempty" doc:"a part of the first alert: OCSF, with src_endpoint and the other evidence at the top as playbooks see it"`
}
