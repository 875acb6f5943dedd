-- Workers take the tenants' messages in turn. Messages of earlier releases are those of the tenant that there was.
ALTER TABLE messages ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
DROP INDEX visible;
CREATE INDEX visible ON messages (lane, tenant, visible_at, id);

-- Who has the places of slots, and who waits for one, by their ids the oldest first.
CREATE TABLE slots (
    tenant          TEXT NOT NULL,
    concurrency_key TEXT NOT NULL,      -- empty for the tenant's quota of running jobs
    job_id          BLOB NOT NULL,
    has_place       INTEGER NOT NULL,
    PRIMARY KEY (tenant, concurrency_key, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX places ON slots (tenant, concurrency_key, has_place, job_id);

CREATE TABLE counters (
    tenant     TEXT NOT NULL,
    counter    TEXT NOT NULL,
    period     INTEGER NOT NULL,
    amount     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, counter, period)
) STRICT, WITHOUT ROWID;

CREATE INDEX counter_expiry ON counters (expires_at);
