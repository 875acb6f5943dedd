//! Pages of a tenant's jobs, newest first, and the number of jobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{
    Filter, HistoryPage, HistoryQuery, JobStatus, JobSummary, KindFilter, MAX_COUNTED, TitleFilter,
};
use rusqlite::{Connection, named_params};

use crate::error::sqlite;
use crate::rows::{self, SUMMARY_COLUMNS, select};

/// How long a list that was too long to count is assumed to be still too long, without counting again.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// A row's job id and its summary, as far as they can be read.
type Row = (Option<JobId>, Result<JobSummary, StoreError>);
type ListName = (Tenant, Filter);

/// Reads pages. Clones share the counts that are remembered.
#[derive(Clone, Default)]
pub(crate) struct Lists {
    /// The lists that were too long to count, and when that was found.
    long: Arc<Mutex<HashMap<ListName, Instant>>>,
}

impl Lists {
    /// Returns the page for a query.
    pub(crate) fn page(
        &self,
        connection: &Connection,
        query: &HistoryQuery,
        now: Timestamp,
        damage: &Damage,
    ) -> Result<HistoryPage, StoreError> {
        let filter = &restriction(&query.filter);
        let mut found = jobs(connection, query, now, filter)?;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let has_more = found.len() > limit;
        found.truncate(limit);
        let (mut jobs, mut damaged) = (Vec::new(), Vec::new());
        for (id, read) in found {
            match damage.sound(id, read) {
                Some(job) => jobs.push(job),
                None => damaged.extend(id),
            }
        }
        let counted = self.count(connection, query, now, filter)?;
        Ok(HistoryPage {
            jobs,
            damaged,
            has_more,
            stopped_at: None,
            total: counted.min(MAX_COUNTED),
            total_is_exact: counted <= MAX_COUNTED,
        })
    }

    fn count(
        &self,
        connection: &Connection,
        query: &HistoryQuery,
        now: Timestamp,
        filter: &str,
    ) -> Result<u32, StoreError> {
        let name = (query.tenant.clone(), query.filter.clone());
        let lock = || self.long.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().get(&name).is_some_and(|found| found.elapsed() < COUNTED_FOR) {
            return Ok(MAX_COUNTED + 1);
        }
        let counted = count(connection, query, now, filter)?;
        if counted > MAX_COUNTED {
            lock().insert(name, Instant::now());
        }
        Ok(counted)
    }
}

/// Writes what a list is restricted to as conditions, which name every parameter.
fn restriction(filter: &Filter) -> String {
    let state = match (filter.status, filter.dead_letter) {
        (None, false) => "AND :status IS NULL",
        (Some(_), false) => "AND status = :status",
        (_, true) => {
            "AND coalesce(:status, 'pending') = 'pending' AND status = 'pending'
             AND CASE WHEN json_valid(state) THEN state ->> '$.dead_letter' IS NOT NULL END"
        }
    };
    let kind = kind_condition(filter.kind.as_ref());
    let title = title_condition(filter.title.as_ref());
    [state, kind, title].join(" ")
}

/// Writes a condition on the kind, which names the parameter `:kind`.
pub(crate) fn kind_condition(kind: Option<&KindFilter>) -> &'static str {
    match kind {
        None => "AND :kind IS NULL",
        Some(KindFilter::First) => "AND kind IS :kind",
        Some(KindFilter::Named(_)) => "AND kind = :kind",
    }
}

/// Writes a condition on the title, which names the parameter `:title`.
pub(crate) fn title_condition(title: Option<&TitleFilter>) -> &'static str {
    match title {
        None => "AND :title IS NULL",
        Some(TitleFilter::Is(_)) => "AND kind IS NOT NULL AND playbook = :title",
        Some(TitleFilter::Below(_)) => {
            "AND kind IS NOT NULL AND substr(playbook, 1, instr(playbook, '/') - 1) = :title"
        }
    }
}

/// Returns the value of `:kind`.
pub(crate) fn kind(kind: Option<&KindFilter>) -> Option<&str> {
    match kind {
        Some(KindFilter::Named(kind)) => Some(kind),
        Some(KindFilter::First) | None => None,
    }
}

/// Returns the value of `:title`.
pub(crate) fn title(title: Option<&TitleFilter>) -> Option<&str> {
    match title {
        Some(TitleFilter::Is(title) | TitleFilter::Below(title)) => Some(title),
        None => None,
    }
}

fn jobs(connection: &Connection, query: &HistoryQuery, now: Timestamp, filter: &str) -> Result<Vec<Row>, StoreError> {
    let before = if query.before.is_some() {
        "AND id < :before"
    } else {
        "AND :before IS NULL"
    };
    let select_page = format!(
        "SELECT {SUMMARY_COLUMNS} FROM jobs WHERE tenant = :tenant {filter} {before} AND expires_at > :now
         ORDER BY id DESC LIMIT :limit OFFSET :offset"
    );
    let params = named_params! {
        ":tenant": query.tenant.as_str(),
        ":status": query.filter.status.map(JobStatus::as_str),
        ":kind": kind(query.filter.kind.as_ref()),
        ":title": title(query.filter.title.as_ref()),
        ":before": query.before.as_ref().map(JobId::as_bytes),
        ":now": now.as_millis(),
        ":limit": query.limit + 1,
        ":offset": query.offset,
    };
    select(connection, &select_page, params, |row| {
        Ok((rows::id(row).ok(), rows::summary(row)))
    })
}

/// Counts up to one more than is reported, to know whether the count is exact.
fn count(connection: &Connection, query: &HistoryQuery, now: Timestamp, filter: &str) -> Result<u32, StoreError> {
    let select_count = format!(
        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE tenant = :tenant {filter} AND expires_at > :now LIMIT :limit)"
    );
    let params = named_params! {
        ":tenant": query.tenant.as_str(),
        ":status": query.filter.status.map(JobStatus::as_str),
        ":kind": kind(query.filter.kind.as_ref()),
        ":title": title(query.filter.title.as_ref()),
        ":now": now.as_millis(),
        ":limit": MAX_COUNTED + 1,
    };
    let counted = select(connection, &select_count, params, |row| row.get(0).map_err(sqlite))?;
    Ok(counted.first().copied().unwrap_or(0))
}
