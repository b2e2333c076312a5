CREATE TABLE ask (
	id      INTEGER PRIMARY KEY, -- the ask.asked record
	run     TEXT NOT NULL,       -- run/1043, or empty
	action  TEXT NOT NULL,
	case_id TEXT NOT NULL,       -- case/1041, or empty
	status  TEXT NOT NULL,
	asked   INTEGER NOT NULL,    -- Unix microseconds
	ended   INTEGER NOT NULL,    -- 0 while it is open
	changed INTEGER NOT NULL,    -- the newest record about it
	next    INTEGER,             -- when something is due, Unix microseconds
	state   TEXT NOT NULL        -- ask.State as JSON
) STRICT;
CREATE INDEX ask_next ON ask (next) WHERE next IS NOT NULL;
CREATE INDEX ask_open ON ask (id) WHERE ended = 0;
CREATE INDEX ask_run ON ask (run, action) WHERE ended = 0;
CREATE INDEX ask_case ON ask (case_id, id) WHERE case_id <> '';
