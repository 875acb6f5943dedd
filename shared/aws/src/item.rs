//! Converts between items of the jobs table and the domain's types.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{CancelRequest, Job, JobState, JobStatus, JobSummary, Lease, Outcome, Ticket};
use callboard_core::request::{JobOptions, JobRequest, Lane, Reason};

use crate::attributes::{Attributes, Item, corrupt, instant, json, missing, number, string};
use crate::bodies::Bodies;
use crate::stored::Stored;

/// How many partitions of an index share the load of one month, or of the active jobs.
pub(crate) const SHARDS: u8 = 4;

/// Returns the key of a job's item.
pub(crate) fn key(id: JobId) -> Item {
    HashMap::from([
        ("pk".to_owned(), string(format!("JOB#{id}"))),
        ("sk".to_owned(), string("JOB")),
    ])
}

/// Returns the shard of an id; an id's last bits are random.
pub(crate) fn shard(id: JobId) -> u8 {
    id.as_bytes()[15] % SHARDS
}

/// Returns the partition of `history` that lists a month's jobs.
pub(crate) fn history_partition(tenant: &Tenant, month: &str, shard: u8) -> String {
    format!("{}#{month}#{shard}", tenant.as_str())
}

/// Returns the partition of `outcome` that lists a month's jobs with a final status.
pub(crate) fn outcome_partition(tenant: &Tenant, status: JobStatus, month: &str, shard: u8) -> String {
    format!("{}#{status}#{month}#{shard}", tenant.as_str())
}

/// Returns the partition of `service` that lists a month's jobs that call a service.
pub(crate) fn service_partition(tenant: &Tenant, service: &str, month: &str, shard: u8) -> String {
    format!("{}#{service}#{month}#{shard}", tenant.as_str())
}

/// Returns the service that a title names: the titles of calls are SERVICE/OPERATION.
pub(crate) fn service_of(title: &str) -> &str {
    title.split_once('/').map_or(title, |(service, _)| service)
}

/// What an unfinished job is waiting for. Each value is a group of partitions of `active`, so that a search for one
/// value reads no other partitions.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    /// Waiting to be given to the queue.
    Due,
    /// In the queue, waiting for a worker.
    Queued,
    /// Held by a worker, waiting for its end.
    Running,
    /// Running, and held by no worker.
    Detached,
    /// Given up by the queue, waiting to be redriven.
    Dead,
    /// Waiting for something before it is given to the queue.
    Blocked,
    /// Any of these except `Dead` and `Blocked`; earlier releases did not distinguish them.
    Active,
}

impl Standing {
    /// Returns the partition for a shard.
    pub(crate) fn partition(self, shard: u8) -> String {
        format!("{}#{shard}", self.name())
    }

    /// Returns whether a partition belongs to this group.
    pub(crate) fn has(self, partition: &str) -> bool {
        partition.split('#').next() == Some(self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Due => "DUE",
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Detached => "DETACHED",
            Self::Dead => "DEAD",
            Self::Blocked => "BLOCKED",
            Self::Active => "ACTIVE",
        }
    }
}

/// Makes the item of a new job, pending or ended.
pub(crate) fn new_job(job: &Job, request: Stored, outcome: Option<Stored>) -> Result<Item, StoreError> {
    let mut item = key(job.id);
    let attributes = [
        ("job_id", string(job.id.to_string())),
        ("tenant", string(job.tenant.as_str())),
        ("created_at", instant(job.created_at)),
        ("retained_until", instant(job.expires_at())),
        ("retention", number(job.retention.as_millis())),
        ("status", string(job.state.status.as_str())),
        ("attempt", number(job.state.attempt)),
        (
            "history_pk",
            string(history_partition(&job.tenant, &job.id.time().month(), shard(job.id))),
        ),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    let told = [
        ("kind", job.request.kind.as_deref()),
        ("lane", job.request.lane.stored()),
    ];
    let told = told
        .into_iter()
        .filter_map(|(name, value)| Some((name, string(value?))));
    item.extend(told.map(|(name, value)| (name.to_owned(), value)));
    item.extend(titles(job));
    let labels = Some(&job.request.options.labels).filter(|labels| !labels.is_empty());
    item.extend(
        labels
            .map(json)
            .transpose()?
            .map(|labels| ("labels".to_owned(), labels)),
    );
    item.extend([request.attribute("request")]);
    match (outcome, &job.state.outcome) {
        (Some(stored), Some(outcome)) => {
            let at = job.state.finished_at.unwrap_or(job.created_at);
            item.extend([stored.attribute("outcome")]);
            item.extend(ended(&job.tenant, job.retention, job.id, outcome, at)?);
        }
        _ => item.extend(waiting(job)),
    }
    Ok(item)
}

/// Returns the attributes of the job's title: its own, and the partition of the service that it calls.
fn titles(job: &Job) -> impl Iterator<Item = (String, AttributeValue)> {
    let title = job.request.title.as_deref();
    let own = title.map(|title| ("playbook".to_owned(), string(title)));
    let called = title.filter(|_| job.request.kind.is_some()).map(service_of);
    let month = job.id.time().month();
    let partition = called.map(|service| service_partition(&job.tenant, service, &month, shard(job.id)));
    own.into_iter()
        .chain(partition.map(|partition| ("service_pk".to_owned(), string(partition))))
}

/// Returns the attributes by which the sweep finds a job that was not given to the queue yet.
fn waiting(job: &Job) -> impl Iterator<Item = (String, AttributeValue)> {
    let due = job.state.due.map(|due| ("due".to_owned(), instant(due)));
    let standing = if due.is_some() { Standing::Due } else { Standing::Queued };
    let active = ("active_pk".to_owned(), string(standing.partition(shard(job.id))));
    std::iter::once(active).chain(due)
}

/// Returns the attributes that the end of a job writes, except the outcome itself. From then on, the table's TTL applies.
pub(crate) fn ended(
    tenant: &Tenant,
    retention: Duration,
    id: JobId,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<Vec<(String, AttributeValue)>, StoreError> {
    let seconds = at + retention + Duration::from_millis(999);
    let partition = outcome_partition(tenant, outcome.status, &id.time().month(), shard(id));
    let mut attributes = vec![
        ("status".to_owned(), string(outcome.status.as_str())),
        ("finished_at".to_owned(), instant(at)),
        ("outcome_pk".to_owned(), string(partition)),
        ("retained_until".to_owned(), instant(at + retention)),
        ("expires_at".to_owned(), number(seconds.as_millis() / 1000)),
    ];
    let reason = outcome
        .reason
        .as_ref()
        .map(|reason| ("reason", string(reason.as_str())));
    let error = outcome.brief_error().map(|error| ("error", string(error)));
    let told = reason.into_iter().chain(error);
    attributes.extend(told.map(|(name, value)| (name.to_owned(), value)));
    if let Some(usage) = &outcome.usage {
        attributes.push(("usage".to_owned(), json(usage)?));
    }
    Ok(attributes)
}

/// Reads a job, and fetches the values that were too large for the item.
pub(crate) async fn job(mut item: Item, bodies: &Bodies) -> Result<Job, StoreError> {
    let id = id(&item)?;
    let request = bodies.load(Stored::take(&mut item, "request")?.ok_or_else(|| missing("request"))?);
    let outcome = Stored::take(&mut item, "outcome")?;
    let fields = Attributes(&item);
    let state = JobState {
        status: fields.status()?,
        attempt: fields.number("attempt")?,
        started_at: fields.optional_instant("started_at")?,
        finished_at: fields.optional_instant("finished_at")?,
        lease: fields.lease()?,
        cancel: fields.json("cancel")?,
        progress: fields.json("progress")?,
        outcome: match outcome {
            Some(outcome) => Some(bodies.load::<Outcome>(outcome).await?),
            None => None,
        },
        given_up: fields.json_list("given_up")?,
        due: fields.optional_instant("due")?,
        dead_letter: fields.json("dead_letter")?,
        redrive: fields.json("redrive")?,
        detached: fields.optional_string("detached").map(str::to_owned),
        blocked_on: fields.json("blocked_on")?,
        relaunched_as: fields.json_list("relaunched_as")?,
    };
    let request = match request.await {
        // the bucket's lifecycle counts from the submission, so a large request may be gone before its record
        Err(StoreError::NotFound) if state.status.is_final() => JobRequest {
            options: JobOptions {
                labels: fields.json("labels")?.unwrap_or_default(),
                ..JobOptions::default()
            },
            ..JobRequest::default()
        },
        request => request?,
    };
    let request = JobRequest {
        lane: lane(&item),
        title: fields.title(),
        ..request
    };
    Ok(Job {
        id,
        tenant: Tenant::from(fields.string("tenant")?.to_owned()),
        request,
        created_at: fields.instant("created_at")?,
        retention: retention(&item)?,
        state,
    })
}

/// Reads the summary of a job that an index shows.
pub(crate) fn summary(item: &Item) -> Result<JobSummary, StoreError> {
    let fields = Attributes(item);
    Ok(JobSummary {
        id: id(item)?,
        kind: fields.optional_string("kind").map(str::to_owned),
        title: fields.title(),
        labels: fields.json("labels")?.unwrap_or_default(),
        created_at: fields.instant("created_at")?,
        status: fields.status()?,
        attempt: fields.number("attempt").unwrap_or(0),
        reason: fields.optional_string("reason").map(Reason::of),
        error: fields.optional_string("error").map(str::to_owned),
        started_at: fields.optional_instant("started_at")?,
        finished_at: fields.optional_instant("finished_at")?,
    })
}

/// Reads who asked to stop a job, if anybody did.
pub(crate) fn cancel(item: &Item) -> Result<Option<CancelRequest>, StoreError> {
    Attributes(item).json("cancel")
}

/// Reads a job's status.
pub(crate) fn status(item: &Item) -> Result<JobStatus, StoreError> {
    Attributes(item).status()
}

/// Returns whether a job runs and no worker holds it.
pub(crate) fn is_detached(item: &Item) -> Result<bool, StoreError> {
    Ok(status(item)? == JobStatus::Running && lease(item)?.is_none())
}

/// Reads the time until which a job is kept.
pub(crate) fn retained_until(item: &Item) -> Result<Timestamp, StoreError> {
    Attributes(item).instant("retained_until")
}

/// Reads how long a job is kept after its end.
pub(crate) fn retention(item: &Item) -> Result<Duration, StoreError> {
    Attributes(item).number("retention").map(Duration::from_millis)
}

/// Reads the lease of a running job.
pub(crate) fn lease(item: &Item) -> Result<Option<Lease>, StoreError> {
    Attributes(item).lease()
}

/// Reads the time since which a job has been due to be queued.
pub(crate) fn due(item: &Item) -> Result<Timestamp, StoreError> {
    Attributes(item).instant("due")
}

/// Reads what the queue gets of a job.
pub(crate) fn ticket(id: JobId, item: &Item) -> Result<Ticket, StoreError> {
    Ok(Ticket {
        id,
        lane: lane(item),
        tenant: tenant(item)?,
    })
}

/// Reads the lane of a job.
fn lane(item: &Item) -> Lane {
    Lane::of_stored(Attributes(item).optional_string("lane"))
}

/// Reads the tenant that a job belongs to.
pub(crate) fn tenant(item: &Item) -> Result<Tenant, StoreError> {
    Ok(Tenant::from(Attributes(item).string("tenant")?.to_owned()))
}

/// Reads the id of a job.
pub(crate) fn id(item: &Item) -> Result<JobId, StoreError> {
    Attributes(item).string("job_id")?.parse().map_err(corrupt)
}
