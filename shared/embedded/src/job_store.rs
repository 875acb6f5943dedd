//! [`JobStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::base::id::{JobId, LeaseToken, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{
    Attempt, BlockedOn, CancelRequest, DeadLetter, DueJob, HistoryPage, HistoryQuery, Job, JobState, JobStore, Lease,
    Neglected, Outcome, Progress, Redrive, Refused, Ticket,
};
use callboard_core::request::Lane;
use rusqlite::{Connection, Params, Row};

use crate::database::Database;
use crate::error::sqlite;
use crate::heard::Heard;
use crate::listing::Lists;
use crate::rows::{self, JOB_COLUMNS, NewJob, select};

/// Keeps jobs in the `jobs` table.
#[derive(Clone)]
pub struct SqliteJobStore {
    database: Database,
    lists: Lists,
    damage: Damage,
    /// Tells which jobs have ended.
    ended: Heard,
}

impl SqliteJobStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            lists: Lists::default(),
            damage: Damage::default(),
            ended: Heard::default(),
        }
    }

    /// Returns up to `limit` jobs whose retention has ended, the oldest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn expired(&self, now: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let query = "SELECT id FROM jobs WHERE expires_at <= ?1 ORDER BY expires_at";
        self.sound(query, [now.as_millis()], limit, rows::id).await
    }

    /// Deletes the records of jobs.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn forget(&self, jobs: Vec<JobId>) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let mut statement = connection
                    .prepare_cached("DELETE FROM jobs WHERE id = ?1")
                    .map_err(sqlite)?;
                for id in jobs {
                    statement.execute([id.as_bytes()]).map_err(sqlite)?;
                }
                Ok(())
            })
            .await
    }

    /// Returns the newest job, if there is one.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn newest(&self) -> Result<Option<JobId>, StoreError> {
        let newest = self.sound("SELECT id FROM jobs ORDER BY id DESC", (), 1, rows::id);
        Ok(newest.await?.pop())
    }

    /// Reads up to `limit` rows of a query and leaves out damaged ones.
    async fn sound<T, P, R>(&self, query: &'static str, params: P, limit: u32, read: R) -> Result<Vec<T>, StoreError>
    where
        T: Send + 'static,
        P: Params + Send + 'static,
        R: Fn(&Row<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let damage = self.damage.clone();
        let read = move |row: &Row<'_>| damage.sound(rows::id(row).ok(), read(row));
        self.database
            .read(move |connection| rows::sound(connection, query, params, limit, read))
            .await
    }

    async fn change<F>(&self, id: JobId, change: F) -> Result<JobState, StoreError>
    where
        F: FnOnce(&mut JobState) -> Result<(), Refused> + Send + 'static,
    {
        let changed = self.database.write(move |connection| apply(connection, id, change));
        let state = changed.await?;
        self.tell(id, &state);
        Ok(state)
    }

    /// Changes what may be forgotten if the machine itself stops: nothing that was done, and nothing that a caller was promised.
    async fn note<F>(&self, id: JobId, change: F) -> Result<JobState, StoreError>
    where
        F: FnOnce(&mut JobState) -> Result<(), Refused> + Send + 'static,
    {
        let changed = self
            .database
            .write_soon(move |connection| apply(connection, id, change));
        changed.await
    }

    async fn change_job<F>(&self, id: JobId, change: F) -> Result<Job, StoreError>
    where
        F: FnOnce(&mut JobState) -> Result<(), Refused> + Send + 'static,
    {
        let changed = self.database.write(move |connection| {
            let mut job = load(connection, id)?;
            change(&mut job.state).map_err(|Refused| StoreError::Conflict)?;
            rows::update(connection, id, &job.state)?;
            Ok(job)
        });
        let job = changed.await?;
        self.tell(id, &job.state);
        Ok(job)
    }

    fn tell(&self, id: JobId, state: &JobState) {
        if state.status.is_final() {
            self.ended.tell(id);
        }
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
        let (query, lists, damage) = (query.clone(), self.lists.clone(), self.damage.clone());
        self.database
            .read(move |connection| lists.page(connection, &query, now, &damage))
            .await
    }

    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError> {
        self.note(id, move |state| {
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
        Ok(self.note(id, move |state| state.renew(lease, progress)).await?.cancel)
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

    async fn release(
        &self,
        id: JobId,
        token: LeaseToken,
        ended: Attempt,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let left = self.change(id, move |state| state.release(token, ended, due)).await?;
        Ok(left.cancel)
    }

    async fn put_back(
        &self,
        id: JobId,
        token: LeaseToken,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let left = self.change(id, move |state| state.put_back(token, due)).await?;
        Ok(left.cancel)
    }

    async fn detach(
        &self,
        id: JobId,
        token: LeaseToken,
        detached: String,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let left = self.change(id, move |state| state.detach(token, detached, due)).await?;
        Ok(left.cancel)
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.request_cancel(cancel)).await
    }

    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        self.change(id, move |state| state.abandon(outcome, now))
            .await
            .map(drop)
    }

    async fn block(&self, id: JobId, due: Timestamp, on: BlockedOn) -> Result<(), StoreError> {
        self.change(id, move |state| state.block(due, on)).await.map(drop)
    }

    async fn unblock(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.unblock(now)).await
    }

    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError> {
        self.change(id, move |state| state.bury(letter)).await.map(drop)
    }

    async fn redrive(&self, id: JobId, redrive: Redrive) -> Result<Job, StoreError> {
        self.change_job(id, move |state| state.redrive(redrive)).await
    }

    async fn note_relaunch(&self, id: JobId, by: JobId) -> Result<(), StoreError> {
        let noted = self.change(id, move |state| {
            state.note_relaunch(by);
            Ok(())
        });
        noted.await.map(drop)
    }

    async fn ended(&self, id: JobId) {
        self.ended.of(id).await;
    }

    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError> {
        let query = "SELECT id, state FROM jobs WHERE status = 'running'
            AND CASE WHEN json_valid(state) THEN state ->> '$.detached' IS NULL OR state ->> '$.lease' IS NOT NULL ELSE TRUE END";
        let read = |row: &Row<'_>| {
            let lease = waiting_or_running(row)?.lease.ok_or_else(held_by_nobody)?;
            Ok((rows::id(row)?, lease))
        };
        self.sound(query, (), limit, read).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError> {
        let query = "SELECT id, due, state FROM jobs WHERE due <= ?1 ORDER BY due";
        let read = |row: &Row<'_>| {
            waiting_or_running(row)?;
            let due = Timestamp::from_millis(rows::column(row, "due")?);
            Ok(DueJob {
                id: rows::id(row)?,
                due,
            })
        };
        self.sound(query, [now.as_millis()], limit, read).await
    }

    async fn queued(&self, lane: Lane, limit: u32) -> Result<Vec<Ticket>, StoreError> {
        let query = "SELECT id, lane, tenant, state FROM jobs WHERE status = 'pending' AND due IS NULL AND lane IS ?1
            AND CASE WHEN json_valid(state) THEN state ->> '$.dead_letter' IS NULL AND state ->> '$.blocked_on' IS NULL ELSE TRUE END ORDER BY created_at";
        let read = |row: &Row<'_>| {
            waiting_or_running(row)?;
            rows::ticket(row)
        };
        self.sound(query, [lane.stored()], limit, read).await
    }

    async fn waiting(&self, tenant: &Tenant, most: u32) -> Result<u32, StoreError> {
        let tenant = tenant.as_str().to_owned();
        self.database
            .read(move |connection| {
                let count =
                    "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE tenant = ?1 AND status = 'pending' LIMIT ?2)";
                let mut statement = connection.prepare_cached(count).map_err(sqlite)?;
                statement.query_row((tenant, most), |row| row.get(0)).map_err(sqlite)
            })
            .await
    }

    async fn neglected(&self, before: Timestamp, most: u32) -> Result<Neglected, StoreError> {
        self.database
            .read(move |connection| {
                let count = |has_letter: &str, before: Timestamp| {
                    let query = format!(
                        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = 'pending' AND created_at < ?1
                         AND CASE WHEN json_valid(state) THEN state ->> '$.dead_letter' IS {has_letter}
                             AND state ->> '$.blocked_on' IS NULL ELSE FALSE END LIMIT ?2)"
                    );
                    let mut statement = connection.prepare_cached(&query).map_err(sqlite)?;
                    let count = statement.query_row((before.as_millis(), most), |row| row.get(0));
                    count.map_err(sqlite)
                };
                Ok(Neglected {
                    long_waits: count("NULL", before)?,
                    dead_letters: count("NOT NULL", Timestamp::NEVER)?,
                })
            })
            .await
    }

    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let query = "SELECT id, state FROM jobs WHERE status = 'pending' AND created_at < ?1 ORDER BY created_at";
        let read = |row: &Row<'_>| waiting_or_running(row).and_then(|_state| rows::id(row));
        self.sound(query, [before.as_millis()], limit, read).await
    }
}

/// Reads the state of a job that needs some action, so that a job whose state cannot be read is not returned.
fn waiting_or_running(row: &Row<'_>) -> Result<JobState, StoreError> {
    rows::json(&rows::column::<String>(row, "state")?)
}

fn held_by_nobody() -> StoreError {
    StoreError::Corrupt("the job runs, and its state has no lease".into())
}

fn apply<F>(connection: &Connection, id: JobId, change: F) -> Result<JobState, StoreError>
where
    F: FnOnce(&mut JobState) -> Result<(), Refused>,
{
    let mut state = rows::state(connection, id)?;
    change(&mut state).map_err(|Refused| StoreError::Conflict)?;
    rows::update(connection, id, &state)?;
    Ok(state)
}

fn load(connection: &Connection, id: JobId) -> Result<Job, StoreError> {
    let query = format!("SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?1");
    select(connection, &query, [id.as_bytes()], rows::job)?
        .pop()
        .ok_or(StoreError::NotFound)
}
