CREATE TABLE alert (
	id       INTEGER PRIMARY KEY, -- the alert.received record
	source   TEXT NOT NULL,
	rule     TEXT NOT NULL,
	title    TEXT NOT NULL,
	severity INTEGER NOT NULL,
	case_id  INTEGER NOT NULL,
	outcome  TEXT NOT NULL,
	received INTEGER NOT NULL -- Unix microseconds
) STRICT;
CREATE INDEX alert_case ON alert (case_id, id);

-- The case that last took each fingerprint.
CREATE TABLE alert_same (
	fingerprint TEXT PRIMARY KEY,
	case_id     INTEGER NOT NULL,
	alert       INTEGER NOT NULL, -- the first alert with it in that case
	last        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The cases that each entity was seen in.
CREATE TABLE alert_entity (
	entity  TEXT NOT NULL,
	case_id INTEGER NOT NULL,
	last    INTEGER NOT NULL,
	PRIMARY KEY (entity, case_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_handling (
	id       INTEGER PRIMARY KEY, -- of the case: the record that opened it
	title    TEXT NOT NULL,
	source   TEXT NOT NULL,
	severity INTEGER NOT NULL,    -- the highest of its alerts
	state    TEXT NOT NULL,
	alerts   INTEGER NOT NULL,
	opened   INTEGER NOT NULL,    -- Unix microseconds
	last     INTEGER NOT NULL,    -- when it last took an alert
	assignee TEXT NOT NULL,
	verdict  TEXT NOT NULL,
	merged   INTEGER NOT NULL,    -- the case that it became part of, or 0
	changed  INTEGER NOT NULL,    -- the newest record about it
	-- how it is handled: see alert.Handling
	since     INTEGER NOT NULL,   -- when the clock began
	since_seq INTEGER NOT NULL,   -- the record that began it
	acted     INTEGER NOT NULL,   -- first act of a person after that, or 0
	acted_seq INTEGER NOT NULL,   -- the record of that act
	acted_by  TEXT NOT NULL,
	ended     INTEGER NOT NULL,   -- when it was resolved, or 0
	taken     TEXT NOT NULL       -- steps of the objective taken since, as a JSON list
) STRICT;
CREATE INDEX alert_handling_open ON alert_handling (id) WHERE state <> 'resolved';
CREATE INDEX alert_handling_waiting ON alert_handling (since) WHERE acted = 0 AND ended = 0;

-- What people and playbooks did to each case.
CREATE TABLE alert_story (
	case_id INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	PRIMARY KEY (case_id, seq)
) STRICT, WITHOUT ROWID;
