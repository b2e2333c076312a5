CREATE TABLE person_token (
	id    TEXT PRIMARY KEY,
	token TEXT NOT NULL, -- person.Token as JSON; it holds a hash, never the text
	seq   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
