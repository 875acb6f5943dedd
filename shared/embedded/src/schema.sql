CREATE TABLE jobs (
    id          BLOB PRIMARY KEY NOT NULL,  -- 16 bytes of a UUIDv7: sorts by time of submission
    tenant      TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,           -- milliseconds since the Unix epoch, like every time here
    expires_at  INTEGER NOT NULL,
    lease_until INTEGER,                    -- set while the job runs
    dispatched  INTEGER NOT NULL DEFAULT 0,
    playbook    TEXT NOT NULL,
    state       TEXT NOT NULL,              -- JSON of what changes
    request     TEXT NOT NULL               -- JSON of what never does; last, so that lists need not read past it
) STRICT;

CREATE INDEX history ON jobs (tenant, id DESC, expires_at);
CREATE INDEX outcome ON jobs (tenant, status, id DESC, expires_at);
CREATE INDEX leases ON jobs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX undispatched ON jobs (created_at) WHERE status = 'pending' AND dispatched = 0;
CREATE INDEX expiry ON jobs (expires_at);

CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,
    job_id     BLOB NOT NULL,
    visible_at INTEGER NOT NULL,
    receives   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX visible ON messages (visible_at, id);
