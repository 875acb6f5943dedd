//! The place of a list's jobs: an index, its partitions, and a filter.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::time::Timestamp;
use callboard_core::job::{HistoryQuery, JobStatus, KindFilter, TitleFilter};
use callboard_core::request::Lane;

use crate::attributes::{instant, string};
use crate::item::{self, SHARDS, Standing};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Every running job is in one of these.
const RUNNING: [Standing; 3] = [Standing::Running, Standing::Detached, Standing::Active];
/// Every waiting job is in one of these.
const PENDING: [Standing; 5] = [
    Standing::Queued,
    Standing::Due,
    Standing::Dead,
    Standing::Blocked,
    Standing::Active,
];

/// An index, and the part of it that a list shows.
pub(crate) struct IndexQuery {
    pub(super) index: &'static str,
    pub(super) partition_key: &'static str,
    pub(super) filter: String,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
    /// The upper bound of the ids to look at, if there is one.
    pub(super) before: Option<JobId>,
    /// Whether the filter may leave out most of the jobs.
    pub(super) is_selective: bool,
    /// Groups of partitions whose jobs are from the same time, the newest group first.
    pub(super) groups: Vec<Vec<String>>,
}

impl IndexQuery {
    /// Returns the place of a list's jobs, given how long jobs are kept.
    pub(super) fn of(query: &HistoryQuery, now: Timestamp, retention: Duration) -> Self {
        let (tenant, filter) = (&query.tenant, &query.filter);
        let months = months(now, retention);
        let status = filter.status.or(filter.dead_letter.then_some(JobStatus::Pending));
        let found = match (status, &filter.title) {
            (None, None) => Self::kept("history", "history_pk", now, &months, |month, shard| {
                item::history_partition(tenant, month, shard)
            }),
            (None, Some(TitleFilter::Is(title) | TitleFilter::Below(title))) => {
                let service = item::service_of(title);
                Self::kept("service", "service_pk", now, &months, |month, shard| {
                    item::service_partition(tenant, service, month, shard)
                })
            }
            (Some(status), _) if status.is_final() && !filter.dead_letter => {
                Self::kept("outcome", "outcome_pk", now, &months, |month, shard| {
                    item::outcome_partition(tenant, status, month, shard)
                })
            }
            (Some(status), _) => Self::standing(tenant, status, filter.dead_letter, now),
        };
        let found = found.of_kind(filter.kind.as_ref()).titled(filter.title.as_ref());
        Self {
            before: query.before,
            ..found
        }
    }

    /// Returns the place of the jobs of an index that has a group of partitions for each month.
    fn kept(
        index: &'static str,
        partition_key: &'static str,
        now: Timestamp,
        months: &[String],
        partition: impl Fn(&str, u8) -> String,
    ) -> Self {
        Self {
            index,
            partition_key,
            filter: "#retained_until > :now".to_owned(),
            values: vec![(":now", instant(now))],
            before: None,
            is_selective: false,
            groups: groups(months, partition),
        }
    }

    /// Returns the place of a tenant's jobs that have not ended.
    pub(super) fn standing(tenant: &Tenant, status: JobStatus, dead_letter: bool, now: Timestamp) -> Self {
        let standings: &[Standing] = match status {
            _ if dead_letter => &[Standing::Dead],
            JobStatus::Running => &RUNNING,
            _ => &PENDING,
        };
        Self::active(status, standings, "#status = :status")
            .and("#retained_until > :now")
            .with(":now", instant(now))
            .and("#tenant = :tenant")
            .with(":tenant", string(tenant.as_str()))
    }

    fn of_kind(self, kind: Option<&KindFilter>) -> Self {
        match kind {
            None => self,
            Some(KindFilter::First) => self.only("attribute_not_exists(#kind)"),
            Some(KindFilter::Named(kind)) => self.only("#kind = :kind").with(":kind", string(kind)),
        }
    }

    fn titled(self, title: Option<&TitleFilter>) -> Self {
        match title {
            None => self,
            Some(TitleFilter::Is(title)) => self
                .only("attribute_exists(#kind) AND #playbook = :title")
                .with(":title", string(title)),
            // the index has this service's jobs alone
            Some(TitleFilter::Below(_)) if self.index == "service" => self,
            Some(TitleFilter::Below(title)) => self
                .only("attribute_exists(#kind) AND begins_with(#playbook, :title)")
                .with(":title", string(format!("{title}/"))),
        }
    }

    /// Returns the place of the running jobs that workers hold.
    pub(crate) fn running() -> Self {
        let standings = [Standing::Running, Standing::Active];
        Self::active(JobStatus::Running, &standings, "#status = :status")
    }

    /// Returns the place of the jobs that have been due to be queued since before an instant.
    pub(crate) fn due(now: Timestamp) -> Self {
        let standings = [Standing::Due, Standing::Detached, Standing::Active];
        Self::unfinished(&standings, "#due <= :before", vec![(":before", instant(now))])
    }

    /// Returns the place of the jobs of a lane that are in the queue and wait for a worker.
    pub(crate) fn queued(lane: Lane) -> Self {
        let standings = [Standing::Queued, Standing::Active];
        let queued = Self::active(
            JobStatus::Pending,
            &standings,
            "#status = :status AND attribute_not_exists(#due)",
        );
        match lane.stored() {
            None => queued.only("attribute_not_exists(#lane)"),
            Some(lane) => queued.only("#lane = :lane").with(":lane", string(lane)),
        }
    }

    /// Returns the place of the jobs that the queue has given up.
    pub(crate) fn dead() -> Self {
        Self::active(JobStatus::Pending, &[Standing::Dead], "#status = :status")
    }

    /// Returns the place of the jobs that have been waiting for a worker since before an instant.
    pub(crate) fn waiting_since(before: Timestamp) -> Self {
        Self::since(before, &[Standing::Queued, Standing::Due, Standing::Active])
    }

    /// Returns the place of the jobs that have been pending since before an instant.
    pub(crate) fn pending_since(before: Timestamp) -> Self {
        Self::since(before, &PENDING)
    }

    fn since(before: Timestamp, standings: &[Standing]) -> Self {
        let pending = Self::active(
            JobStatus::Pending,
            standings,
            "#status = :status AND #created_at < :before",
        );
        Self {
            before: Some(JobId::first_of(before + JobId::MAX_EVENT_AHEAD)),
            ..pending.with(":before", instant(before))
        }
    }

    /// Returns whether the filter leaves out only a few jobs of a partition.
    pub(super) fn fits_most_of(partition: &str) -> bool {
        !Standing::Active.has(partition) && !Standing::Detached.has(partition)
    }

    fn active(status: JobStatus, standings: &[Standing], filter: &'static str) -> Self {
        Self::unfinished(standings, filter, vec![(":status", string(status.as_str()))])
    }

    fn unfinished(standings: &[Standing], filter: &'static str, values: Vec<(&'static str, AttributeValue)>) -> Self {
        Self {
            index: "active",
            partition_key: "active_pk",
            filter: filter.to_owned(),
            values,
            before: None,
            is_selective: false,
            groups: vec![partitions(standings)],
        }
    }

    /// Adds a condition that may leave out most of the jobs.
    fn only(self, condition: &str) -> Self {
        Self {
            is_selective: true,
            ..self.and(condition)
        }
    }

    fn and(mut self, condition: &str) -> Self {
        self.filter = format!("{} AND {condition}", self.filter);
        self
    }

    fn with(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }
}

fn partitions(standings: &[Standing]) -> Vec<String> {
    let of = |standing: &Standing| (0..SHARDS).map(|shard| standing.partition(shard)).collect::<Vec<_>>();
    standings.iter().flat_map(of).collect()
}

fn groups(months: &[String], partition: impl Fn(&str, u8) -> String) -> Vec<Vec<String>> {
    let shards = |month: &String| (0..SHARDS).map(|shard| partition(month, shard)).collect();
    months.iter().map(shards).collect()
}

/// Returns the months that may hold jobs, the newest first.
pub(crate) fn months(now: Timestamp, retention: Duration) -> Vec<String> {
    let mut months = Vec::new();
    let (mut at, oldest) = (now + DAY, now - retention - JobId::MAX_EVENT_AGE - DAY);
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
