-- A job is kept for `retention` after its end. Until then, expires_at is the last instant that RFC 3339 can write.
ALTER TABLE jobs ADD COLUMN retention INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN due INTEGER;    -- set while the job waits and the queue is not known to have it

UPDATE jobs SET retention = expires_at - created_at;
UPDATE jobs SET expires_at = 253402300799999 WHERE status IN ('pending', 'running');
UPDATE jobs SET due = created_at + 10000 WHERE status = 'pending' AND dispatched = 0;
UPDATE jobs SET state = json_set(state, '$.due', strftime('%Y-%m-%dT%H:%M:%fZ', due / 1000.0, 'unixepoch'))
    WHERE due IS NOT NULL;
UPDATE jobs SET state = json_set(json_remove(state, '$.lease.until'), '$.lease.beat', 0) WHERE status = 'running';

DROP INDEX leases;
DROP INDEX undispatched;
ALTER TABLE jobs DROP COLUMN lease_until;
ALTER TABLE jobs DROP COLUMN dispatched;
CREATE INDEX due ON jobs (due) WHERE due IS NOT NULL;
CREATE INDEX pending ON jobs (created_at) WHERE status = 'pending';
CREATE INDEX running ON jobs (id) WHERE status = 'running';

CREATE TABLE idempotency_keys (
    tenant      TEXT NOT NULL,
    key         TEXT NOT NULL,
    job_id      BLOB NOT NULL,
    at          INTEGER NOT NULL,
    reservation TEXT NOT NULL,              -- JSON
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_age ON idempotency_keys (at);
