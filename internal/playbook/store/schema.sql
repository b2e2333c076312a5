-- One row a run. state: queued, running, or the status that it ended with.
CREATE TABLE run (
	id          INTEGER PRIMARY KEY,
	playbook    TEXT NOT NULL,
	version     TEXT NOT NULL,
	state       TEXT NOT NULL,
	trigger     TEXT NOT NULL,
	alert       INTEGER NOT NULL,
	case_id     INTEGER NOT NULL,
	parent      INTEGER NOT NULL,
	concurrency TEXT NOT NULL,
	started     INTEGER NOT NULL, -- Unix microseconds
	ended       INTEGER NOT NULL, -- 0 while it goes on
	error       TEXT NOT NULL
) STRICT;
CREATE INDEX run_playbook ON run (playbook, id);
CREATE INDEX run_case ON run (case_id) WHERE case_id > 0;
CREATE INDEX run_open ON run (id) WHERE ended = 0;
CREATE INDEX run_parent ON run (parent) WHERE parent > 0;
CREATE INDEX run_not_ok ON run (state, id) WHERE ended > 0 AND state <> 'ok';
CREATE INDEX run_concurrency ON run (playbook, concurrency, id) WHERE ended = 0 AND concurrency <> '';

-- The records that a run is rebuilt from.
CREATE TABLE run_event (
	run INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- What runs wait for. kind: call, wait, await, play, ask.
CREATE TABLE run_open_step (
	run    INTEGER NOT NULL,
	action TEXT NOT NULL,
	kind   TEXT NOT NULL,
	seq    INTEGER NOT NULL, -- the record that says what is waited for
	due    INTEGER,          -- Unix microseconds
	event  TEXT,             -- kind of record that is awaited
	PRIMARY KEY (run, action)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_open_due ON run_open_step (due) WHERE due IS NOT NULL;
CREATE INDEX run_open_event ON run_open_step (event) WHERE event IS NOT NULL;
CREATE INDEX run_open_call ON run_open_step (seq) WHERE kind = 'call';

-- When each schedule fired last, so that missed times are known.
CREATE TABLE run_schedule (
	playbook TEXT PRIMARY KEY,
	last     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
