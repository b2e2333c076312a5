package console

import (
	"net/http"

	"beffroi.dev/internal/person"
)

var (
	paramLimit  = param{"limit", "how many items, at most 500"}
	paramCursor = param{"cursor", "next of the page before"}
	paramSince  = param{"since", "a time (RFC 3339) or how long ago: 30d, 12h"}
)

// table lists all routes.
func (a *API) table() []route {
	routes := []route{
		get("/me", "", "Who the token belongs to and what it may do", a.me),

		get("/alerts", person.AlertsRead, "Alerts, newest first", a.alerts, param{"case", "number of a case"}, paramLimit, paramCursor),
		get("/alerts/{id}", person.AlertsRead, "One alert with its OCSF finding and the raw event", a.alert),
		get("/cases", person.CasesRead, "Cases, newest first", a.cases, param{"state", "open, acknowledged, resolved or unresolved"}, param{"source", "name of a source"},
			param{"severity", "severity_id, at least"}, param{"q", "words in the title"}, paramSince, paramLimit, paramCursor),
		get("/cases/{id}", person.CasesRead, "One case with all that happened in it", a.oneCase),
		post("/cases", person.CasesAct, "Open a case by hand", a.openCase),
		post("/cases/{id}/acknowledge", person.CasesAct, "Take a case", a.acknowledge),
		post("/cases/{id}/assign", person.CasesAct, "Hand a case to a person or a team", a.assign),
		post("/cases/{id}/comment", person.CasesAct, "Comment on a case", a.comment),
		post("/cases/{id}/resolve", person.CasesAct, "Say what a case was", a.resolve),
		post("/cases/{id}/reopen", person.CasesAct, "Open a resolved case again", a.reopen),
		post("/cases/{id}/merge", person.CasesAct, "Make a case part of another", a.merge),

		get("/asks", person.AskRead, "Questions, newest first", a.asks, param{"open", "true for those that wait for an answer"}, param{"case", "number of a case"}, paramLimit, paramCursor),
		get("/asks/{id}", person.AskRead, "One question and where it stands", a.ask),
		post("/asks/{id}/answer", person.AskAnswer, "Answer a question", a.answer),

		get("/runs", person.RunsRead, "Runs, newest first", a.runs, param{"playbook", "name"}, param{"state", "queued, running, ok, failed, cancelled, stopped or open"},
			param{"case", "number of a case"}, paramSince, paramLimit, paramCursor),
		get("/runs/{id}", person.RunsRead, "One run with each step, what it waits for and what it was given", a.run),
		post("/runs", person.RunsAct, "Start a playbook by hand", a.startRun),
		post("/runs/{id}/cancel", person.RunsAct, "End a run", a.cancelRun),
		post("/runs/{id}/retry", person.RunsAct, "Go on with a run that failed", a.retryRun),
		post("/runs/{id}/replay", person.RunsAct, "Run again what a run was started with", a.replayRun),
		post("/dry-runs", person.PlaybooksPlan, "Show what a playbook would call and ask", a.dryRun),
		get("/playbooks/{name}/explain/{alert}", person.RunsRead, "Why an alert starts a playbook, or does not", a.explain),

		get("/documents", person.DocumentsRead, "Documents in force", a.documents, param{"kind", "only of this kind"}),
		get("/documents/{kind}/{name}", person.DocumentsRead, "One document as it is in force, or as it was", a.document, param{"version", "first digits of an older version"}),
		get("/documents/{kind}/{name}/history", person.DocumentsRead, "All versions of a document: who, when, why", a.history),
		get("/documents/{kind}/{name}/diff", person.DocumentsRead, "What two versions differ in", a.diff, param{"from", "version; the one before unless said"}, param{"to", "version; the one in force unless said"}),
		post("/documents/plan", person.PlaybooksPlan, "Say what an apply would change, check it and run its tests", a.plan),
		post("/documents/apply", person.DocumentsApply, "Put documents in force, all or none", a.apply),
		post("/documents/{kind}/{name}/rollback", person.DocumentsApply, "Bring an older version back", a.rollback),
		get("/schemas/{kind}", "", "JSON Schema of a kind of document", a.schema),

		get("/secrets", person.SecretsWrite, "Names of secrets; nobody reads their values", a.secrets),
		change(http.MethodPut, "/secrets/{name}", person.SecretsWrite, "Set a secret", a.setSecret),
		change(http.MethodDelete, "/secrets/{name}", person.SecretsWrite, "Forget a secret", a.removeSecret),
		get("/tokens", person.TokensManage, "API tokens, without their texts", a.tokens),
		post("/tokens", person.TokensManage, "Make an API token; its text is shown this once", a.createToken),
		change(http.MethodDelete, "/tokens/{id}", person.TokensManage, "Revoke an API token", a.revokeToken),
		get("/people", person.PeopleRead, "People", a.people),
		get("/teams", person.PeopleRead, "Teams, with who is on call now", a.teams),

		get("/reports/handling", person.ReportsRead, "What share of cases was handled in time, by whom, with the records as evidence", a.handling, paramSince, param{"team", "only of this team"}),

		get("/records", person.LedgerRead, "Records of the ledger, oldest first", a.records, param{"from", "first record"}, param{"kind", "kind, or the part before its dot"}, param{"subject", "subject"},
			param{"actor", "actor"}, paramSince, paramLimit),
		get("/records/{seq}", person.LedgerRead, "One record", a.record),
	}
	raw := func(path string, may person.Permission, media, summary string, f func(*call) error, query ...param) {
		routes = append(routes, route{method: http.MethodGet, path: path, may: may, summary: summary, media: media, raw: f, query: query})
	}
	raw("/records/{seq}/proof", person.LedgerProof, "text/plain", "Proof that a record stands in the ledger (C2SP tlog-proof)", a.proof)
	raw("/records/stream", person.LedgerRead, "text/event-stream", "Records as they come", a.stream, param{"kind", "kind, or the part before its dot"}, param{"last_event_id", "go on after this record"})
	raw("/ledger/{path...}", person.LedgerProof, "application/octet-stream", "Checkpoint, tiles and entries (C2SP tlog-tiles)", a.tiles)
	raw("/openapi.json", public, "application/json", "This description", a.openapi)
	return routes
}
