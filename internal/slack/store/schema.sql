-- What must be on Slack, and what is.
CREATE TABLE slack_message (
	key     TEXT PRIMARY KEY,
	kind    TEXT NOT NULL,
	about   TEXT NOT NULL,    -- ask/1050, case/1041 or the key of a notice
	source  INTEGER NOT NULL, -- the record that first wanted it
	target  TEXT NOT NULL,    -- where it goes, as documents name it
	thread  TEXT NOT NULL,    -- case/1041, or empty
	due     INTEGER NOT NULL, -- Unix microseconds
	rev     INTEGER NOT NULL, -- the newest record that changed what it says
	posted  INTEGER NOT NULL, -- the revision that is on Slack, 0 for none
	given_up INTEGER NOT NULL, -- the revision that cannot be posted, 0 for none
	channel TEXT NOT NULL,    -- where it is
	ts      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX slack_message_due ON slack_message (rev, key) WHERE posted < rev AND given_up < rev;
CREATE INDEX slack_message_about ON slack_message (about);

-- The first message of each thread, by where it was wanted.
CREATE TABLE slack_thread (
	thread TEXT NOT NULL,
	target TEXT NOT NULL,
	ts     TEXT NOT NULL,
	PRIMARY KEY (thread, target)
) STRICT, WITHOUT ROWID;
