-- Lists show labels, which stand before the request, so that lists need not read past it. What has no name is NULL.
CREATE TABLE jobs_now (
    id          BLOB PRIMARY KEY NOT NULL,
    tenant      TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    retention   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    due         INTEGER,                    -- set while the job waits and the queue is not known to have it
    playbook    TEXT,
    labels      TEXT,                       -- JSON
    state       TEXT NOT NULL,              -- JSON of what changes
    request     TEXT NOT NULL               -- JSON of what never does; last
) STRICT;

INSERT INTO jobs_now
    SELECT id, tenant, status, created_at, retention, expires_at, due,
        CASE WHEN playbook NOT IN ('', '(inline)') THEN playbook END, request ->> '$.options.labels', state, request
    FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_now RENAME TO jobs;

CREATE INDEX history ON jobs (tenant, id DESC, expires_at);
CREATE INDEX outcome ON jobs (tenant, status, id DESC, expires_at);
CREATE INDEX expiry ON jobs (expires_at);
CREATE INDEX due ON jobs (due) WHERE due IS NOT NULL;
CREATE INDEX pending ON jobs (created_at) WHERE status = 'pending';
CREATE INDEX running ON jobs (id) WHERE status = 'running';
