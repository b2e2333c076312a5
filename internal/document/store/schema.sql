-- The documents in force.
CREATE TABLE document_active (
	kind    TEXT NOT NULL,
	name    TEXT NOT NULL,
	version TEXT NOT NULL,
	seq     INTEGER NOT NULL, -- the document.applied record that holds the text
	PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Every change of every document, one row a record.
CREATE TABLE document_history (
	seq      INTEGER PRIMARY KEY,
	kind     TEXT NOT NULL,
	name     TEXT NOT NULL,
	version  TEXT NOT NULL, -- empty: removed
	previous TEXT NOT NULL,
	actor    TEXT NOT NULL,
	message  TEXT NOT NULL,
	rollback INTEGER NOT NULL,
	through  INTEGER NOT NULL, -- the last record of the same apply
	time     INTEGER NOT NULL -- Unix microseconds
) STRICT;
CREATE INDEX document_history_name ON document_history (kind, name, seq);
