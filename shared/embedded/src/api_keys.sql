CREATE TABLE api_keys (
    id     TEXT PRIMARY KEY NOT NULL,
    tenant TEXT NOT NULL,
    key    TEXT NOT NULL                -- JSON; of secrets, only hashes
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_of_tenants ON api_keys (tenant, id);
