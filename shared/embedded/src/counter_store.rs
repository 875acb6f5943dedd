//! [`CounterStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{Counter, CounterStore};

use crate::database::Database;
use crate::error::sqlite;
use crate::rows::execute;

/// Keeps counts in the `counters` table.
#[derive(Clone)]
pub struct SqliteCounterStore {
    database: Database,
}

impl SqliteCounterStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Deletes up to `limit` counts of which the time is over.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn forget(&self, now: Timestamp, limit: u32) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let delete = "DELETE FROM counters WHERE (tenant, counter, period) IN
                    (SELECT tenant, counter, period FROM counters WHERE expires_at <= ?1 LIMIT ?2)";
                execute(connection, delete, (now.as_millis(), limit))
            })
            .await
    }
}

#[async_trait]
impl CounterStore for SqliteCounterStore {
    async fn add(
        &self,
        tenant: &Tenant,
        counter: Counter,
        period: i64,
        amount: u64,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, amount) = (tenant.as_str().to_owned(), i64::try_from(amount).unwrap_or(i64::MAX));
        self.database
            .write_soon(move |connection| {
                let add =
                    "INSERT INTO counters (tenant, counter, period, amount, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
                    ON CONFLICT DO UPDATE SET amount = amount + excluded.amount RETURNING amount";
                let mut statement = connection.prepare_cached(add).map_err(sqlite)?;
                let params = (tenant, counter.as_str(), period, amount, until.as_millis());
                let count: i64 = statement.query_row(params, |row| row.get(0)).map_err(sqlite)?;
                Ok(count.unsigned_abs())
            })
            .await
    }

    async fn sum(&self, tenant: &Tenant, counter: Counter, from: i64) -> Result<u64, StoreError> {
        let tenant = tenant.as_str().to_owned();
        self.database
            .read(move |connection| {
                let sum =
                    "SELECT coalesce(sum(amount), 0) FROM counters WHERE tenant = ?1 AND counter = ?2 AND period >= ?3";
                let mut statement = connection.prepare_cached(sum).map_err(sqlite)?;
                let params = (tenant, counter.as_str(), from);
                let sum: i64 = statement.query_row(params, |row| row.get(0)).map_err(sqlite)?;
                Ok(sum.unsigned_abs())
            })
            .await
    }
}
