-- Jobs of several kinds, which different workers take. NULL is the first kind, and the first lane.
ALTER TABLE jobs ADD COLUMN kind TEXT;
ALTER TABLE jobs ADD COLUMN lane TEXT;
-- for lists of one kind, of one operation, and of one service: what stands before the slash of a title
CREATE INDEX kinds ON jobs (tenant, kind, id DESC) WHERE kind IS NOT NULL;
CREATE INDEX operations ON jobs (tenant, playbook, id DESC) WHERE kind IS NOT NULL;
CREATE INDEX services ON jobs (tenant, substr(playbook, 1, instr(playbook, '/') - 1), id DESC) WHERE kind IS NOT NULL;

ALTER TABLE messages ADD COLUMN lane TEXT;
DROP INDEX visible;
CREATE INDEX visible ON messages (lane, visible_at, id);

CREATE TABLE breakers (
    tenant TEXT NOT NULL,
    name   TEXT NOT NULL,
    state  TEXT NOT NULL,               -- JSON
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
