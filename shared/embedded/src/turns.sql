-- Workers take the tenants' messages in turn. Messages of earlier releases are those of the tenant that there was.
ALTER TABLE messages ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
DROP INDEX visible;
CREATE INDEX visible ON messages (lane, tenant, visible_at, id);
