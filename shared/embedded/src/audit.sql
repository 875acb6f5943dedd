CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the entry's; a number is given once, so that a missing end is noticed
    at     INTEGER NOT NULL,                   -- as in the entry
    tenant TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT,
    entry  TEXT NOT NULL                       -- JSON, as it was hashed
) STRICT;

CREATE INDEX audit_of_tenants ON audit (tenant, number);

CREATE INDEX audit_of_objects ON audit (object, number) WHERE object IS NOT NULL;
