//! [`AuditLog`] on SQLite: one chain, to which every process that opens the database adds in turn.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::audit::{
    ActionFilter, AuditCheck, AuditFindings, AuditLog, AuditPage, AuditQuery, Deed, Entry, NewEntry, Tip,
};
use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::database::Database;
use crate::error::sqlite;
use crate::rows::{self, column, execute, select, sound};

/// How many entries a check reads at a time.
const BATCH: u32 = 1000;

/// Keeps the audit log in the `audit` table.
#[derive(Clone)]
pub struct SqliteAuditLog {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteAuditLog {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Checks the whole chain.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn check(&self) -> Result<AuditFindings, StoreError> {
        let (mut check, mut after) = (AuditCheck::default(), 0);
        // what is added meanwhile is not looked at
        let written = self.database.read(written).await?;
        loop {
            let following = self
                .database
                .read(move |connection| following(connection, after, written));
            let following = following.await?;
            let Some(last) = following.last() else {
                return Ok(check.finish(written));
            };
            after = last.number;
            for row in &following {
                check.add(row.number, &row.entry, |entry| row.finds(entry));
            }
        }
    }

    /// Removes up to `limit` entries at the beginning of the chain that are older than an instant. The last one stays, so that the chain
    /// goes on.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn forget(&self, before: Timestamp, limit: u32) -> Result<(), StoreError> {
        let over = move |connection: &Connection| {
            let oldest =
                "SELECT number, at FROM audit WHERE number < (SELECT max(number) FROM audit) ORDER BY number LIMIT ?1";
            let read = |row: &Row<'_>| Ok((column::<i64>(row, "number")?, column::<i64>(row, "at")?));
            let oldest = select(connection, oldest, [limit], read)?;
            let over = oldest.into_iter().take_while(|(_, at)| *at < before.as_millis());
            Ok(over.last())
        };
        let Some((last, _)) = self.database.read(over).await? else {
            return Ok(());
        };
        let remove = move |connection: &Connection| execute(connection, "DELETE FROM audit WHERE number <= ?1", [last]);
        self.database.write(remove).await
    }
}

#[async_trait]
impl AuditLog for SqliteAuditLog {
    /// The record of a job, which is on the disk by now, tells who submitted it; its entry need not be waited for.
    async fn append(&self, new: NewEntry) -> Result<(), StoreError> {
        let (clock, of_record) = (Arc::clone(&self.clock), new.action == Deed::JobSubmit);
        let add = move |connection: &Connection| add(connection, new, &*clock);
        match of_record {
            true => self.database.write_soon(add).await,
            false => self.database.write(add).await,
        }
    }

    async fn page(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let query = query.clone();
        self.database.read(move |connection| page(connection, &query)).await
    }
}

fn add(connection: &Connection, new: NewEntry, clock: &dyn Clock) -> Result<(), StoreError> {
    let tip = Tip {
        number: written(connection)?,
        ..last(connection)?.map_or_else(Tip::begin, |last| Tip::from(&last))
    };
    let entry = tip.next(new, clock.now());
    let entry = entry.map_err(|error| StoreError::Corrupt(Box::new(error)))?;
    let insert = "INSERT INTO audit (number, at, tenant, action, object, entry)
                  VALUES (:number, :at, :tenant, :action, :object, :entry)";
    let params = named_params! {
        ":number": entry.number.cast_signed(),
        ":at": entry.at.as_millis(),
        ":tenant": entry.tenant,
        ":action": entry.action,
        ":object": entry.object,
        ":entry": rows::to_json(&entry)?,
    };
    execute(connection, insert, params)
}

/// Returns the last entry. Where that is damaged, the log goes on with another chain, and a check tells of both.
fn last(connection: &Connection) -> Result<Option<Entry>, StoreError> {
    let last = "SELECT number, entry FROM audit ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(last).map_err(sqlite)?;
    let found = statement
        .query_row([], |row| Ok(read(row)))
        .optional()
        .map_err(sqlite)?;
    Ok(found.flatten())
}

/// Returns the number of the last entry that was ever written.
fn written(connection: &Connection) -> Result<u64, StoreError> {
    let last = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";
    let mut statement = connection.prepare_cached(last).map_err(sqlite)?;
    let number: Option<i64> = statement.query_row([], |row| row.get(0)).optional().map_err(sqlite)?;
    Ok(number.unwrap_or(0).cast_unsigned())
}

/// A row: an entry, and what lists find it by.
struct Stored {
    number: u64,
    at: i64,
    tenant: String,
    action: String,
    object: Option<String>,
    entry: String,
}

impl Stored {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            number: column::<i64>(row, "number")?.cast_unsigned(),
            at: column(row, "at")?,
            tenant: column(row, "tenant")?,
            action: column(row, "action")?,
            object: column(row, "object")?,
            entry: column(row, "entry")?,
        })
    }

    fn finds(&self, entry: &Entry) -> bool {
        entry.at.as_millis() == self.at
            && (&entry.tenant, &entry.action, &entry.object) == (&self.tenant, &self.action, &self.object)
    }
}

fn following(connection: &Connection, after: u64, until: u64) -> Result<Vec<Stored>, StoreError> {
    let query = "SELECT * FROM audit WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3";
    let range = (after.cast_signed(), until.cast_signed(), BATCH);
    select(connection, query, range, Stored::read)
}

fn page(connection: &Connection, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let filter = &query.filter;
    let before = query.after.as_deref().and_then(|place| place.parse::<i64>().ok());
    let rows =
        format!(
        "SELECT number, entry FROM audit WHERE tenant = :tenant AND number < :before AND at >= :since AND at < :until
         AND action GLOB :action {} ORDER BY number DESC",
        if filter.object.is_some() { "AND object = :object" } else { "AND :object IS NULL" }
    );
    let params = named_params! {
        ":tenant": query.tenant.as_str(),
        ":before": before.unwrap_or(i64::MAX),
        ":since": filter.since.map_or(i64::MIN, Timestamp::as_millis),
        ":until": filter.until.map_or(i64::MAX, Timestamp::as_millis),
        ":action": filter.action.as_ref().map_or("*", ActionFilter::as_str),
        ":object": filter.object,
    };
    let read = |row: &Row<'_>| read(row).filter(|entry| filter.takes(entry));
    let mut entries = sound(connection, &rows, params, query.limit.saturating_add(1), read)?;
    let has_more = entries.len() > query.limit as usize;
    entries.truncate(query.limit as usize);
    let next = entries.last().filter(|_| has_more).map(|last| last.number.to_string());
    Ok(AuditPage { entries, next })
}

/// Reads an entry; one that is damaged is left out, and `callboard verify --audit` tells of it.
fn read(row: &Row<'_>) -> Option<Entry> {
    let entry = column::<String>(row, "entry").and_then(rows::json);
    let tell = |error: &StoreError| {
        let (number, error) = (column::<i64>(row, "number").unwrap_or_default(), causes(error));
        tracing::error!(audit.number = number, %error, "an entry of the audit log is damaged; lists leave it out");
    };
    entry.inspect_err(tell).ok()
}
