CREATE TABLE IF NOT EXISTS credentials (
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    key_id     TEXT NOT NULL,               -- which key of callboard.key
    nonce      BLOB NOT NULL,
    sealed     BLOB NOT NULL,               -- JSON of the value; tenant, name and kind are authenticated with it
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
