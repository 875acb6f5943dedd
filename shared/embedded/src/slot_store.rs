//! [`SlotStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Slot, SlotInUse, SlotStore};
use rusqlite::{Connection, OptionalExtension};

use crate::database::Database;
use crate::error::sqlite;
use crate::rows::{column, execute, select};

/// Keeps places in the `slots` table.
#[derive(Clone)]
pub struct SqliteSlotStore {
    database: Database,
}

/// The columns of a slot.
struct Key {
    tenant: String,
    concurrency_key: String,
}

impl SqliteSlotStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Key {
    fn of(slot: &Slot) -> Self {
        Self {
            tenant: slot.tenant.as_str().to_owned(),
            concurrency_key: slot.concurrency_key.clone().unwrap_or_default(),
        }
    }

    fn slot(self) -> Slot {
        Slot {
            tenant: Tenant::from(self.tenant),
            concurrency_key: Some(self.concurrency_key).filter(|key| !key.is_empty()),
        }
    }

    /// Returns up to `limit` jobs that have a place or have none, the oldest first.
    fn jobs(&self, connection: &Connection, has_place: bool, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let query = "SELECT job_id FROM slots WHERE tenant = ?1 AND concurrency_key = ?2 AND has_place = ?3
            ORDER BY job_id LIMIT ?4";
        let params = (&self.tenant, &self.concurrency_key, has_place, limit);
        select(connection, query, params, |row| {
            column(row, "job_id").map(JobId::from_bytes)
        })
    }

    /// Returns how many places are taken.
    fn taken(&self, connection: &Connection) -> Result<u32, StoreError> {
        let query = "SELECT count(*) FROM slots WHERE tenant = ?1 AND concurrency_key = ?2 AND has_place = 1";
        let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
        let taken = statement.query_row((&self.tenant, &self.concurrency_key), |row| row.get(0));
        taken.map_err(sqlite)
    }

    /// Returns how many places are free.
    fn free(&self, connection: &Connection, places: u32) -> Result<u32, StoreError> {
        Ok(places.saturating_sub(self.taken(connection)?))
    }

    fn has_place(&self, connection: &Connection, job: JobId) -> Result<Option<bool>, StoreError> {
        let query = "SELECT has_place FROM slots WHERE tenant = ?1 AND concurrency_key = ?2 AND job_id = ?3";
        let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
        let params = (&self.tenant, &self.concurrency_key, job.as_bytes());
        statement.query_row(params, |row| row.get(0)).optional().map_err(sqlite)
    }

    fn put(&self, connection: &Connection, job: JobId, has_place: bool) -> Result<(), StoreError> {
        let put = "INSERT OR REPLACE INTO slots (tenant, concurrency_key, job_id, has_place) VALUES (?1, ?2, ?3, ?4)";
        let params = (&self.tenant, &self.concurrency_key, job.as_bytes(), has_place);
        execute(connection, put, params)
    }

    fn take(&self, connection: &Connection, places: u32, job: JobId) -> Result<Option<JobId>, StoreError> {
        let had = self.has_place(connection, job)?;
        if had == Some(true) {
            return Ok(None);
        }
        let free = self.free(connection, places)?;
        // those that wait go first
        let ahead = self.jobs(connection, false, free)?;
        if ahead.iter().filter(|waiting| had.is_none() || **waiting < job).count() < free as usize {
            self.put(connection, job, true)?;
            return Ok(None);
        }
        if had.is_none() {
            self.put(connection, job, false)?;
        }
        let holder = self.jobs(connection, true, 1)?.pop();
        Ok(holder.or_else(|| ahead.first().copied()))
    }
}

#[async_trait]
impl SlotStore for SqliteSlotStore {
    async fn take(&self, slot: &Slot, places: u32, job: JobId) -> Result<Option<JobId>, StoreError> {
        let key = Key::of(slot);
        self.database
            .write(move |connection| key.take(connection, places, job))
            .await
    }

    async fn give_back(&self, slot: &Slot, job: JobId) -> Result<(), StoreError> {
        let key = Key::of(slot);
        self.database
            .write_soon(move |connection| {
                let delete = "DELETE FROM slots WHERE tenant = ?1 AND concurrency_key = ?2 AND job_id = ?3";
                execute(connection, delete, (&key.tenant, &key.concurrency_key, job.as_bytes()))
            })
            .await
    }

    async fn promote(&self, slot: &Slot, places: u32) -> Result<Option<JobId>, StoreError> {
        let key = Key::of(slot);
        self.database
            .write(move |connection| {
                if key.free(connection, places)? == 0 {
                    return Ok(None);
                }
                let next = key.jobs(connection, false, 1)?.pop();
                if let Some(next) = next {
                    key.put(connection, next, true)?;
                }
                Ok(next)
            })
            .await
    }

    async fn taken(&self, slot: &Slot) -> Result<u32, StoreError> {
        let key = Key::of(slot);
        self.database.read(move |connection| key.taken(connection)).await
    }

    async fn jobs(&self, slot: &Slot, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let key = Key::of(slot);
        self.database
            .read(move |connection| {
                let mut jobs = key.jobs(connection, true, limit)?;
                jobs.extend(key.jobs(connection, false, limit)?);
                jobs.truncate(limit as usize);
                Ok(jobs)
            })
            .await
    }

    async fn in_use(&self, limit: u32) -> Result<Vec<SlotInUse>, StoreError> {
        self.database
            .read(move |connection| {
                let query = "SELECT DISTINCT tenant, concurrency_key FROM slots LIMIT ?1";
                let keys = select(connection, query, [limit], |row| {
                    Ok(Key {
                        tenant: column(row, "tenant")?,
                        concurrency_key: column(row, "concurrency_key")?,
                    })
                })?;
                let in_use = |key: Key| {
                    let holders = key.jobs(connection, true, u32::MAX)?;
                    let slot = key.slot();
                    Ok(SlotInUse { slot, holders })
                };
                keys.into_iter().map(in_use).collect()
            })
            .await
    }
}
