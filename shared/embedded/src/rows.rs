//! Converts between rows and the domain's types.

use std::io::Write;
use std::time::Duration;

use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{Job, JobState, JobSummary, Ticket};
use callboard_core::request::{JobRequest, Lane};
use rusqlite::types::FromSql;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, Params, Row, named_params};

use crate::error::sqlite;

/// The columns of a job. A large request is in a table of its own.
pub(crate) const JOB_COLUMNS: &str = "id, tenant, created_at, retention, kind, lane, playbook, state,
    coalesce((SELECT large.request FROM requests AS large WHERE large.id = jobs.id), request) AS request";
pub(crate) const SUMMARY_COLUMNS: &str = "id, kind, playbook, labels, created_at, state";

pub(crate) fn job(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        id: id(row)?,
        tenant: Tenant::from(column::<String>(row, "tenant")?),
        request: JobRequest {
            lane: lane(row)?,
            title: column(row, "playbook")?,
            ..request(row)?
        },
        created_at: Timestamp::from_millis(column(row, "created_at")?),
        retention: Duration::from_millis(column::<i64>(row, "retention")?.unsigned_abs()),
        state: json(&column::<String>(row, "state")?)?,
    })
}

/// Reads a request where SQLite has it, without a copy.
fn request(row: &Row<'_>) -> Result<JobRequest, StoreError> {
    let value = row.get_ref("request").map_err(sqlite)?;
    json(value.as_bytes().map_err(|error| StoreError::Corrupt(Box::new(error)))?)
}

pub(crate) fn summary(row: &Row<'_>) -> Result<JobSummary, StoreError> {
    let (id, created_at) = (id(row)?, column(row, "created_at")?);
    let state = json(&column::<String>(row, "state")?)?;
    let labels: Option<String> = column(row, "labels")?;
    Ok(JobSummary::new(
        id,
        column(row, "kind")?,
        column(row, "playbook")?,
        labels.as_deref().map(json).transpose()?.unwrap_or_default(),
        Timestamp::from_millis(created_at),
        &state,
    ))
}

/// The largest request that is kept in the job's row, in bytes.
const SMALL_BYTES: usize = 4096;
/// How much of a large one is written at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// The columns of a new job. Its request may be large, so only its JSON is sent to the writer.
pub(crate) struct NewJob {
    id: JobId,
    tenant: Tenant,
    created_at: Timestamp,
    retention: Duration,
    expires_at: Timestamp,
    kind: Option<String>,
    lane: Lane,
    title: Option<String>,
    labels: Option<String>,
    state: JobState,
    request: String,
}

impl NewJob {
    pub(crate) fn of(job: &Job) -> Result<Self, StoreError> {
        let labels = Some(&job.request.options.labels).filter(|labels| !labels.is_empty());
        Ok(Self {
            id: job.id,
            tenant: job.tenant.clone(),
            created_at: job.created_at,
            retention: job.retention,
            expires_at: job.expires_at(),
            kind: job.request.kind.clone(),
            lane: job.request.lane,
            title: job.request.title.clone(),
            labels: labels.map(to_json).transpose()?,
            state: job.state.clone(),
            request: to_json(&job.request)?,
        })
    }
}

pub(crate) fn insert(connection: &Connection, job: &NewJob) -> Result<(), StoreError> {
    let is_large = job.request.len() > SMALL_BYTES;
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO jobs
                (id, tenant, status, created_at, retention, expires_at, due, kind, lane, playbook, labels, state, request)
             VALUES
                (:id, :tenant, :status, :created_at, :retention, :expires_at, :due, :kind, :lane, :playbook, :labels, :state,
                 :request)",
        )
        .map_err(sqlite)?;
    let inserted = statement.execute(named_params! {
        ":id": job.id.as_bytes(),
        ":tenant": job.tenant.as_str(),
        ":status": job.state.status.as_str(),
        ":created_at": job.created_at.as_millis(),
        ":retention": i64::try_from(job.retention.as_millis()).unwrap_or(i64::MAX),
        ":expires_at": job.expires_at.as_millis(),
        ":due": job.state.due.map(Timestamp::as_millis),
        ":kind": job.kind,
        ":lane": job.lane.stored(),
        ":playbook": job.title,
        ":labels": job.labels,
        ":state": to_json(&job.state)?,
        ":request": if is_large { "" } else { job.request.as_str() },
    });
    // a cached statement keeps the values that were bound to it
    statement.clear_bindings();
    inserted.map_err(sqlite)?;
    if is_large {
        insert_large(connection, job.id, job.request.as_bytes())?;
    }
    Ok(())
}

/// Writes a large request piece by piece: as a parameter, SQLite would copy it twice.
fn insert_large(connection: &Connection, id: JobId, request: &[u8]) -> Result<(), StoreError> {
    // the job's row has decided whether the id is taken
    let query = "INSERT OR REPLACE INTO requests (id, request) VALUES (?1, zeroblob(?2))";
    let length = i64::try_from(request.len()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
    statement.execute((id.as_bytes(), length)).map_err(sqlite)?;
    let row = connection.last_insert_rowid();
    let mut blob = connection
        .blob_open(MAIN_DB, "requests", "request", row, false)
        .map_err(sqlite)?;
    for piece in request.chunks(PIECE_BYTES) {
        blob.write_all(piece)
            .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    }
    blob.close().map_err(sqlite)
}

pub(crate) fn state(connection: &Connection, id: JobId) -> Result<JobState, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT state FROM jobs WHERE id = ?1")
        .map_err(sqlite)?;
    let text: Option<String> = statement
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()
        .map_err(sqlite)?;
    json(&text.ok_or(StoreError::NotFound)?)
}

pub(crate) fn update(connection: &Connection, id: JobId, state: &JobState) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE jobs SET status = :status, due = :due, state = :state,
         expires_at = coalesce(:finished_at + retention, expires_at) WHERE id = :id",
        named_params! {
            ":id": id.as_bytes(),
            ":status": state.status.as_str(),
            ":due": state.due.map(Timestamp::as_millis),
            ":finished_at": state.finished_at.map(Timestamp::as_millis),
            ":state": to_json(state)?,
        },
    )
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(Box::new(error)))
}

pub(crate) fn column<T: FromSql>(row: &Row<'_>, name: &str) -> Result<T, StoreError> {
    row.get(name).map_err(sqlite)
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T, StoreError> {
    serde_json::from_slice(text.as_ref()).map_err(|error| StoreError::Corrupt(Box::new(error)))
}

/// Runs a statement, which is prepared once.
pub(crate) fn execute(connection: &Connection, statement: &str, params: impl Params) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(statement).map_err(sqlite)?;
    statement.execute(params).map(drop).map_err(sqlite)
}

/// Runs a query, which is prepared once, and reads every row.
pub(crate) fn select<T>(
    connection: &Connection,
    query: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
    let mut rows = statement.query(params).map_err(sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Runs a query as [`select`] does and returns up to `limit` results of `read`; rows for which it returns `None` are left out.
pub(crate) fn sound<T>(
    connection: &Connection,
    query: &str,
    params: impl Params,
    limit: u32,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
    let mut rows = statement.query(params).map_err(sqlite)?;
    let mut found = Vec::new();
    while found.len() < limit as usize
        && let Some(row) = rows.next().map_err(sqlite)?
    {
        found.extend(read(row));
    }
    Ok(found)
}

/// Reads what the queue gets of a row's job.
pub(crate) fn ticket(row: &Row<'_>) -> Result<Ticket, StoreError> {
    Ok(Ticket {
        id: id(row)?,
        lane: lane(row)?,
        tenant: Tenant::from(column::<String>(row, "tenant")?),
    })
}

/// Reads the lane of a row's job.
fn lane(row: &Row<'_>) -> Result<Lane, StoreError> {
    let word: Option<String> = column(row, "lane")?;
    Ok(Lane::of_stored(word.as_deref()))
}

/// Reads the id of a row's job.
pub(crate) fn id(row: &Row<'_>) -> Result<JobId, StoreError> {
    column(row, "id").map(JobId::from_bytes)
}
