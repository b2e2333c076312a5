CREATE TABLE secret (
	name   TEXT PRIMARY KEY,
	sealed TEXT NOT NULL,
	actor  TEXT NOT NULL,
	time   INTEGER NOT NULL -- Unix microseconds
) STRICT, WITHOUT ROWID;
