//! [`KeyStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::access::{ApiKey, Former, KeyId, KeyKind, KeyPage, KeyStore, SecretHash};
use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use rusqlite::{Connection, Row};

use crate::database::Database;
use crate::error::sqlite;
use crate::rows::{self, column, execute, select, sound};

/// Keeps API keys in the `api_keys` table.
#[derive(Clone)]
pub struct SqliteKeyStore {
    database: Database,
}

impl SqliteKeyStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Deletes up to `limit` sessions that are over.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn delete_over(&self, now: Timestamp, limit: u32) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let delete = "DELETE FROM api_keys WHERE id IN
                    (SELECT id FROM api_keys WHERE session_until <= ?1 LIMIT ?2)";
                execute(connection, delete, (now.as_millis(), limit))
            })
            .await
    }
}

#[async_trait]
impl KeyStore for SqliteKeyStore {
    async fn create(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.database.write(move |connection| insert(connection, &key)).await
    }

    async fn get(&self, id: &KeyId) -> Result<ApiKey, StoreError> {
        let id = id.clone();
        self.database.read(move |connection| load(connection, &id)).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        kind: KeyKind,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<KeyPage, StoreError> {
        let (tenant, after) = (tenant.clone(), after.cloned());
        let query = match kind {
            KeyKind::Key => {
                "SELECT id, key FROM api_keys WHERE tenant = ?1 AND id > ?2 AND session_until IS NULL ORDER BY id"
            }
            KeyKind::Session => {
                "SELECT id, key FROM api_keys WHERE tenant = ?1 AND id > ?2 AND session_until IS NOT NULL ORDER BY id"
            }
        };
        self.database
            .read(move |connection| {
                let params = (tenant.as_str(), after.as_ref().map_or("", KeyId::as_str));
                let read = |row: &Row<'_>| read(row).map_err(|error| tell(row, &error)).ok();
                let following = sound(connection, query, params, limit.saturating_add(1), read)?;
                Ok(KeyPage::new(following, limit))
            })
            .await
    }

    async fn rotate(
        &self,
        id: &KeyId,
        from: Option<SecretHash>,
        hash: SecretHash,
        former: Option<Former>,
    ) -> Result<ApiKey, StoreError> {
        let id = id.clone();
        let rotate = move |key: &mut ApiKey| {
            let may = key.revoked_at.is_none() && from.is_none_or(|from| key.hash == from);
            (key.hash, key.former) = (hash, former);
            may
        };
        self.database
            .write(move |connection| change(connection, &id, rotate))
            .await
    }

    async fn revoke(&self, id: &KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
        let id = id.clone();
        let revoke = move |key: &mut ApiKey| {
            key.revoked_at.get_or_insert(now);
            true
        };
        self.database
            .write(move |connection| change(connection, &id, revoke))
            .await
    }

    /// A use may be forgotten if the machine itself stops: the key is used again, or it does not matter.
    async fn used(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        let used = move |key: &mut ApiKey| {
            key.last_used_at = key.last_used_at.max(Some(at));
            true
        };
        let noted = self
            .database
            .write_soon(move |connection| change(connection, &id, used));
        noted.await.map(drop)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let look = |connection: &Connection| {
            let mut statement = connection
                .prepare_cached("SELECT 1 FROM api_keys WHERE session_until IS NULL LIMIT 1")
                .map_err(sqlite)?;
            statement.exists([]).map(|found| !found).map_err(sqlite)
        };
        self.database.read(look).await
    }
}

fn insert(connection: &Connection, key: &ApiKey) -> Result<(), StoreError> {
    let insert = "INSERT INTO api_keys (id, tenant, key, session_until) VALUES (?1, ?2, ?3, ?4)";
    let until = key.session_until().map(Timestamp::as_millis);
    let params = (key.id.as_str(), key.tenant.as_str(), rows::to_json(key)?, until);
    execute(connection, insert, params)
}

/// Changes a key, and returns it; `Conflict` if `change` returns that it may not be changed so.
fn change(connection: &Connection, id: &KeyId, change: impl FnOnce(&mut ApiKey) -> bool) -> Result<ApiKey, StoreError> {
    let before = load(connection, id)?;
    let mut key = before.clone();
    if !change(&mut key) {
        return Err(StoreError::Conflict);
    }
    if key != before {
        let update = "UPDATE api_keys SET key = ?2 WHERE id = ?1";
        execute(connection, update, (id.as_str(), rows::to_json(&key)?))?;
    }
    Ok(key)
}

fn load(connection: &Connection, id: &KeyId) -> Result<ApiKey, StoreError> {
    let found = select(
        connection,
        "SELECT key FROM api_keys WHERE id = ?1",
        [id.as_str()],
        read,
    )?;
    found.into_iter().next().ok_or(StoreError::NotFound)
}

fn read(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    rows::json(column::<String>(row, "key")?)
}

fn tell(row: &Row<'_>, error: &StoreError) {
    let (id, error) = (column::<String>(row, "id").unwrap_or_default(), causes(error));
    tracing::error!(key.id = id, %error, "a stored API key is damaged; lists leave it out");
}
