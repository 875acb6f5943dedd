-- Large requests, apart from the rows that change while jobs run: SQLite writes a row as a whole.
CREATE TABLE requests (
    id      BLOB PRIMARY KEY NOT NULL,
    request BLOB NOT NULL               -- JSON
) STRICT;

CREATE TRIGGER requests_of_jobs AFTER DELETE ON jobs BEGIN
    DELETE FROM requests WHERE id = old.id;
END;
