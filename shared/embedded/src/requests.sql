-- Large requests, apart from the rows that change while jobs run: SQLite writes a row as a whole.
-- An earlier release that runs meanwhile may write its own version back, so this step may come twice.
CREATE TABLE IF NOT EXISTS requests (
    id      BLOB PRIMARY KEY NOT NULL,
    request BLOB NOT NULL               -- JSON
) STRICT;

CREATE TRIGGER IF NOT EXISTS requests_of_jobs AFTER DELETE ON jobs BEGIN
    DELETE FROM requests WHERE id = old.id;
END;
