//! [`StatsStore`] on SQLite: counts the records themselves, so that each job counts once.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{Outcome, StatsQuery, StatsStore, Tally, Usage};
use callboard_core::request::Reason;
use rusqlite::{Connection, Row, named_params};
use tokio::sync::Semaphore;

use crate::database::Database;
use crate::listing::{kind, kind_condition, title, title_condition};
use crate::rows::{self, column};

/// What is read of a job: its state has more, which may be large.
const COLUMNS: &str =
    "id, kind, playbook, status, state ->> '$.attempt' AS attempt, state -> '$.finished_at' AS finished_at,
    state ->> '$.outcome.reason' AS reason, substr(state ->> '$.outcome.error', 1, 300) AS error,
    state -> '$.outcome.usage' AS usage";

/// Counts the jobs of the `jobs` table.
#[derive(Clone)]
pub struct SqliteStatsStore {
    database: Database,
    damage: Damage,
    /// Lets one look at a time: each reads many rows, and there are few readers.
    turn: Arc<Semaphore>,
}

impl SqliteStatsStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            damage: Damage::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

#[async_trait]
impl StatsStore for SqliteStatsStore {
    async fn tallies(&self, query: &StatsQuery, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        let (query, damage) = (query.clone(), self.damage.clone());
        let _turn = self.turn.acquire().await;
        self.database
            .read(move |connection| tallies(connection, &query, now, &damage))
            .await
    }
}

fn tallies(
    connection: &Connection,
    query: &StatsQuery,
    now: Timestamp,
    damage: &Damage,
) -> Result<Vec<Tally>, StoreError> {
    let select = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE tenant = :tenant AND id >= :first AND expires_at > :now AND status NOT IN ('pending', 'running')
           AND json_valid(state) {} {}",
        kind_condition(query.kind.as_ref()),
        title_condition(query.title.as_ref()),
    );
    let first = JobId::first_of(query.since);
    let params = named_params! {
        ":tenant": query.tenant.as_str(),
        ":first": first.as_bytes(),
        ":now": now.as_millis(),
        ":kind": kind(query.kind.as_ref()),
        ":title": title(query.title.as_ref()),
    };
    let mut found = HashMap::<(Option<String>, Option<String>), Tally>::new();
    rows::select(connection, &select, params, |row| {
        let (kind, title) = (column(row, "kind")?, column(row, "playbook")?);
        let tally = found.entry((kind, title)).or_insert_with_key(|(kind, title)| Tally {
            kind: kind.clone(),
            title: title.clone(),
            ..Tally::default()
        });
        damage.sound(rows::id(row).ok(), count(tally, row));
        Ok(())
    })?;
    Ok(found.into_values().collect())
}

fn count(tally: &mut Tally, row: &Row<'_>) -> Result<(), StoreError> {
    let status: String = column(row, "status")?;
    let usage: Option<String> = column(row, "usage")?;
    let finished_at: Option<String> = column(row, "finished_at")?;
    let reason: Option<String> = column(row, "reason")?;
    let outcome = Outcome {
        status: status.parse().map_err(|error| StoreError::Corrupt(Box::new(error)))?,
        reason: reason.as_deref().map(Reason::of),
        error: column(row, "error")?,
        usage: usage.map(rows::json::<Option<Usage>>).transpose()?.flatten(),
        ..Outcome::successful()
    };
    let finished_at = finished_at.map(rows::json::<Option<Timestamp>>).transpose()?.flatten();
    let attempts = column::<Option<u32>>(row, "attempt")?.unwrap_or_default();
    tally.count(rows::id(row)?, attempts, &outcome, finished_at);
    Ok(())
}
