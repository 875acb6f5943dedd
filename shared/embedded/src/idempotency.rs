//! [`IdempotencyStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::submit::{IdempotencyKey, IdempotencyStore, KEY_LIFE, Reservation};
use rusqlite::Connection;

use crate::database::Database;
use crate::rows::{self, select};

/// Keeps keys in the `idempotency_keys` table.
#[derive(Clone)]
pub struct SqliteIdempotencyStore {
    database: Database,
}

impl SqliteIdempotencyStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Deletes up to `limit` expired keys.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn delete_over(&self, now: Timestamp, limit: u32) -> Result<(), StoreError> {
        let over = (now - KEY_LIFE).as_millis();
        self.database
            .write(move |connection| {
                let delete = "DELETE FROM idempotency_keys WHERE (tenant, key) IN
                    (SELECT tenant, key FROM idempotency_keys WHERE at <= ?1 LIMIT ?2)";
                rows::execute(connection, delete, (over, limit))
            })
            .await
    }
}

#[async_trait]
impl IdempotencyStore for SqliteIdempotencyStore {
    async fn reserve(
        &self,
        tenant: &Tenant,
        key: &IdempotencyKey,
        reservation: &Reservation,
    ) -> Result<Reservation, StoreError> {
        let (tenant, key, ours) = (tenant.clone(), key.clone(), reservation.clone());
        self.database
            .write(move |connection| match standing(connection, &tenant, &key)? {
                Some(standing) if !standing.is_over(ours.at) => Ok(standing),
                _ => put(connection, &tenant, &key, &ours).map(|()| ours),
            })
            .await
    }

    async fn settle(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        let (tenant, key) = (tenant.clone(), key.clone());
        self.database
            .write(move |connection| match standing(connection, &tenant, &key)? {
                Some(mut standing) if standing.job == job => {
                    standing.answered = true;
                    put(connection, &tenant, &key, &standing)
                }
                _ => Ok(()),
            })
            .await
    }

    async fn free(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        let (tenant, key) = (tenant.clone(), key.clone());
        self.database
            .write(move |connection| {
                let delete = "DELETE FROM idempotency_keys WHERE tenant = ?1 AND key = ?2 AND job_id = ?3";
                rows::execute(connection, delete, (tenant.as_str(), key.as_str(), job.as_bytes()))
            })
            .await
    }
}

fn standing(connection: &Connection, tenant: &Tenant, key: &IdempotencyKey) -> Result<Option<Reservation>, StoreError> {
    let query = "SELECT reservation FROM idempotency_keys WHERE tenant = ?1 AND key = ?2";
    let read = |row: &rusqlite::Row<'_>| rows::json(&rows::column::<String>(row, "reservation")?);
    Ok(select(connection, query, (tenant.as_str(), key.as_str()), read)?.pop())
}

fn put(
    connection: &Connection,
    tenant: &Tenant,
    key: &IdempotencyKey,
    reservation: &Reservation,
) -> Result<(), StoreError> {
    let put =
        "INSERT OR REPLACE INTO idempotency_keys (tenant, key, job_id, at, reservation) VALUES (?1, ?2, ?3, ?4, ?5)";
    let params = (
        tenant.as_str(),
        key.as_str(),
        reservation.job.as_bytes(),
        reservation.at.as_millis(),
        rows::to_json(reservation)?,
    );
    rows::execute(connection, put, params)
}
