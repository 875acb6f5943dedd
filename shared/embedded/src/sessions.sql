ALTER TABLE api_keys ADD COLUMN session_until INTEGER;  -- when it ends and is forgotten, if it is a session

DROP INDEX keys_of_tenants;
CREATE INDEX keys_of_tenants ON api_keys (tenant, id) WHERE session_until IS NULL;
CREATE INDEX sessions_of_tenants ON api_keys (tenant, id) WHERE session_until IS NOT NULL;
CREATE INDEX sessions_over ON api_keys (session_until) WHERE session_until IS NOT NULL;
