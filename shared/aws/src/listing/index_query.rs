//! Where the jobs of a list are: an index, its partitions, and a filter.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{HistoryQuery, JobStatus};

use crate::attributes::{instant, string};
use crate::item::{self, SHARDS};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// A job's id may begin with the time of an event that waited so long; see the submit function.
const MAX_EVENT_AGE: Duration = Duration::from_secs(15 * 24 * 3600);

/// An index, and what of it a list shows.
pub(crate) struct IndexQuery {
    pub(super) index: &'static str,
    pub(super) partition_key: &'static str,
    pub(super) filter: &'static str,
    /// Whether the filter leaves out no more than a few.
    pub(super) most_match: bool,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
    /// Partitions whose jobs are of the same time, the newest group first.
    pub(super) groups: Vec<Vec<String>>,
}

impl IndexQuery {
    /// Returns where the jobs of a list are, for jobs that are kept so long.
    pub(super) fn of(query: &HistoryQuery, now: Timestamp, retention: Duration) -> Self {
        let tenant = &query.tenant;
        let months = months(now, retention);
        let kept = vec![(":now", instant(now))];
        match query.status.or(query.dead_letter.then_some(JobStatus::Pending)) {
            None => Self {
                index: "history",
                partition_key: "history_pk",
                filter: "#retained_until > :now",
                most_match: true,
                values: kept,
                groups: groups(&months, |month, shard| item::history_partition(tenant, month, shard)),
            },
            Some(status) if status.is_final() && !query.dead_letter => Self {
                index: "outcome",
                partition_key: "outcome_pk",
                filter: "#retained_until > :now",
                most_match: true,
                values: kept,
                groups: groups(&months, |month, shard| {
                    item::outcome_partition(tenant, status, month, shard)
                }),
            },
            Some(status) => Self {
                index: "active",
                partition_key: "active_pk",
                filter: "#retained_until > :now AND #tenant = :tenant AND #status = :status",
                most_match: status == JobStatus::Pending,
                values: vec![
                    (":now", instant(now)),
                    (":tenant", string(tenant.as_str())),
                    (":status", string(status.as_str())),
                ],
                groups: vec![match status {
                    _ if query.dead_letter => dead(),
                    JobStatus::Running => active(),
                    _ => waiting(),
                }],
            },
        }
    }

    /// Returns where the jobs are that run.
    pub(crate) fn running() -> Self {
        Self::active(JobStatus::Running, active(), "#status = :status", Vec::new())
    }

    /// Returns where the jobs are that have been due to be queued since before an instant.
    pub(crate) fn due(now: Timestamp) -> Self {
        let before = vec![(":before", instant(now))];
        Self::active(
            JobStatus::Pending,
            waiting(),
            "#status = :status AND #due <= :before",
            before,
        )
    }

    /// Returns where the jobs are that have waited since before an instant.
    pub(crate) fn pending_since(before: Timestamp) -> Self {
        let before = vec![(":before", instant(before))];
        Self::active(
            JobStatus::Pending,
            waiting(),
            "#status = :status AND #created_at < :before",
            before,
        )
    }

    fn active(
        status: JobStatus,
        partitions: Vec<String>,
        filter: &'static str,
        values: Vec<(&'static str, AttributeValue)>,
    ) -> Self {
        let status = (":status", string(status.as_str()));
        Self {
            index: "active",
            partition_key: "active_pk",
            filter,
            most_match: false,
            values: std::iter::once(status).chain(values).collect(),
            groups: vec![partitions],
        }
    }
}

fn active() -> Vec<String> {
    (0..SHARDS).map(item::active_partition).collect()
}

fn dead() -> Vec<String> {
    (0..SHARDS).map(item::dead_partition).collect()
}

/// Every job that waits is in one of these.
fn waiting() -> Vec<String> {
    [active(), dead()].concat()
}

fn groups(months: &[String], partition: impl Fn(&str, u8) -> String) -> Vec<Vec<String>> {
    let shards = |month: &String| (0..SHARDS).map(|shard| partition(month, shard)).collect();
    months.iter().map(shards).collect()
}

/// Returns the months that may hold jobs, the newest first.
fn months(now: Timestamp, retention: Duration) -> Vec<String> {
    let mut months = Vec::new();
    let (mut at, oldest) = (now + DAY, now - retention - MAX_EVENT_AGE);
    while at > oldest {
        months.push(at.month());
        at = at - DAY;
    }
    months.push(oldest.month());
    months.dedup();
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_month_of_the_retention_is_looked_at_once() {
        let now = Timestamp::from_millis(1_763_672_400_123);
        let month = Duration::from_secs(30 * 24 * 3600);
        assert_eq!(months(now, month), ["2025-11", "2025-10"]);
        assert_eq!(months(now, month * 2), ["2025-11", "2025-10", "2025-09"]);
    }
}
