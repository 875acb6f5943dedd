//! [`JobStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::attempt::Attempt;
use callboard_core::history::{HistoryPage, HistoryQuery};
use callboard_core::id::{JobId, LeaseToken};
use callboard_core::job::{CancelRequest, DeadLetter, Job, JobState, Lease, Refused};
use callboard_core::outcome::Outcome;
use callboard_core::ports::{DueJob, JobStore, StoreError};
use callboard_core::progress::Progress;
use callboard_core::time::Timestamp;
use rusqlite::{Connection, Row};

use crate::database::Database;
use crate::error::sqlite;
use crate::listing::Lists;
use crate::rows::{self, JOB_COLUMNS, NewJob, select};

/// Keeps jobs in the `jobs` table.
#[derive(Clone)]
pub struct SqliteJobStore {
    database: Database,
    lists: Lists,
}

impl SqliteJobStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            lists: Lists::default(),
        }
    }

    /// Deletes up to `limit` expired jobs; returns their ids, so that their logs can follow.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn delete_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let delete = "DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs WHERE expires_at <= ?1 LIMIT ?2) RETURNING id";
        self.database
            .write(move |connection| select(connection, delete, (now.as_millis(), limit), job_id))
            .await
    }

    async fn change<F>(&self, id: JobId, change: F) -> Result<JobState, StoreError>
    where
        F: FnOnce(&mut JobState) -> Result<(), Refused> + Send + 'static,
    {
        self.database
            .write(move |connection| {
                let mut state = rows::state(connection, id)?;
                change(&mut state).map_err(|Refused| StoreError::Conflict)?;
                rows::update(connection, id, &state)?;
                Ok(state)
            })
            .await
    }

    async fn change_job<F>(&self, id: JobId, change: F) -> Result<Job, StoreError>
    where
        F: FnOnce(&mut JobState) -> Result<(), Refused> + Send + 'static,
    {
        self.database
            .write(move |connection| {
                let mut job = load(connection, id)?;
                change(&mut job.state).map_err(|Refused| StoreError::Conflict)?;
                rows::update(connection, id, &job.state)?;
                Ok(job)
            })
            .await
    }
}

#[async_trait]
impl JobStore for SqliteJobStore {
    async fn create(&self, job: &Job) -> Result<(), StoreError> {
        let job = NewJob::of(job)?;
        self.database
            .write(move |connection| rows::insert(connection, &job))
            .await
    }

    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        let job = self.database.read(move |connection| load(connection, id)).await?;
        if job.expires_at() > now {
            Ok(job)
        } else {
            Err(StoreError::NotFound)
        }
    }

    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        let (query, lists) = (query.clone(), self.lists.clone());
        self.database
            .read(move |connection| lists.page(connection, &query, now))
            .await
    }

    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError> {
        self.change(id, move |state| {
            state.mark_dispatched(due);
            Ok(())
        })
        .await
        .map(drop)
    }

    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.claim(lease, now)).await
    }

    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError> {
        Ok(self.change(id, move |state| state.renew(lease, progress)).await?.cancel)
    }

    async fn seize(&self, id: JobId, silent: Lease, lease: Lease) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.seize(silent, lease)).await
    }

    async fn finish(
        &self,
        id: JobId,
        token: LeaseToken,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let finished = self.change(id, move |state| state.finish(token, outcome, now)).await?;
        Ok(finished.cancel)
    }

    async fn release(&self, id: JobId, token: LeaseToken, ended: Attempt, due: Timestamp) -> Result<(), StoreError> {
        self.change(id, move |state| state.release(token, ended, due))
            .await
            .map(drop)
    }

    async fn put_back(&self, id: JobId, token: LeaseToken, due: Timestamp) -> Result<(), StoreError> {
        self.change(id, move |state| state.put_back(token, due)).await.map(drop)
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.request_cancel(cancel)).await
    }

    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        self.change(id, move |state| state.abandon(outcome, now))
            .await
            .map(drop)
    }

    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError> {
        self.change(id, move |state| state.bury(letter)).await.map(drop)
    }

    async fn redrive(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.redrive(now)).await
    }

    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError> {
        let query = "SELECT id, state FROM jobs WHERE status = 'running' LIMIT ?1";
        let read = |row: &Row<'_>| {
            let state: JobState = rows::json(&rows::column::<String>(row, "state")?)?;
            Ok(state.lease.map(|lease| Ok((job_id(row)?, lease))))
        };
        let found = self
            .database
            .read(move |connection| select(connection, query, [limit], read))
            .await?;
        found.into_iter().flatten().collect()
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError> {
        let query = "SELECT id, due FROM jobs WHERE due <= ?1 ORDER BY due LIMIT ?2";
        let read = |row: &Row<'_>| {
            let due = Timestamp::from_millis(rows::column(row, "due")?);
            Ok(DueJob { id: job_id(row)?, due })
        };
        self.database
            .read(move |connection| select(connection, query, (now.as_millis(), limit), read))
            .await
    }

    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let query = "SELECT id FROM jobs WHERE status = 'pending' AND created_at < ?1 ORDER BY created_at LIMIT ?2";
        self.database
            .read(move |connection| select(connection, query, (before.as_millis(), limit), job_id))
            .await
    }
}

fn load(connection: &Connection, id: JobId) -> Result<Job, StoreError> {
    let query = format!("SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?1");
    select(connection, &query, [id.as_bytes()], rows::job)?
        .pop()
        .ok_or(StoreError::NotFound)
}

fn job_id(row: &Row<'_>) -> Result<JobId, StoreError> {
    row.get(0).map(JobId::from_bytes).map_err(sqlite)
}
