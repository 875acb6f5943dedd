//! Jobs, leases and outcomes for the suites, and short checks that a port refuses a call.

use std::time::Duration;

use anyhow::bail;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock, Timestamp};
use callboard_core::job::{
    Attempt, CancelRequest, DeadLetter, Filter, HistoryPage, HistoryQuery, Job, JobStore, Lease, MAX_LIMIT, Outcome,
    Redrive, Ticket,
};
use callboard_core::request::{JobOptions, JobRequest, Lane, Reason};
use callboard_kind_ansible::detail::{Detail, PLAYBOOK_FAILED};
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::Source;
use futures_util::future::try_join_all;

/// How long a sample job is kept: one hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// Returns the present time.
#[must_use]
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Makes a pending job of the default tenant, kept for an hour.
#[must_use]
pub fn job() -> Job {
    job_of(&Tenant::default())
}

/// Makes a pending job of a tenant, kept for an hour.
#[must_use]
pub fn job_of(tenant: &Tenant) -> Job {
    Job::new(tenant.clone(), request(), now(), HOUR)
}

/// Makes a small request.
#[must_use]
pub fn request() -> JobRequest {
    ansible_request().with_options(JobOptions::default())
}

/// Makes the Ansible part of a small request.
#[must_use]
pub fn ansible_request() -> AnsibleRequest {
    AnsibleRequest {
        source: Source::Playbook("site.yml".to_owned()),
        ..AnsibleRequest::default()
    }
}

/// Makes a tenant that no other test uses.
#[must_use]
pub fn tenant() -> Tenant {
    Tenant::from(format!("tenant-{}", JobId::new()))
}

/// Makes a lease with its own token.
#[must_use]
pub fn lease() -> Lease {
    Lease::new()
}

/// Returns when a new job becomes due.
#[must_use]
pub fn due(job: &Job) -> Timestamp {
    job.state.due.unwrap_or(job.created_at)
}

/// Makes the outcome of a job that succeeded.
#[must_use]
pub fn success() -> Outcome {
    let detail = Detail {
        rc: Some(0),
        ..Detail::default()
    };
    detail.onto(Outcome::successful())
}

/// Makes the outcome of a playbook that failed.
#[must_use]
pub fn failure() -> Outcome {
    Outcome::failed(PLAYBOOK_FAILED, "A task failed.")
}

/// Makes the end of a sample job's attempt that is to be retried.
#[must_use]
pub fn given_up(attempt: u32) -> Attempt {
    let lost = Outcome::failed(Reason::LOST, "The worker stopped reporting.");
    Attempt::begun(attempt, Some(now())).ended(&lost, Some(now()))
}

/// Makes a cancel request, dated now.
#[must_use]
pub fn cancel_by(name: &str) -> CancelRequest {
    CancelRequest {
        by: name.to_owned(),
        at: now(),
    }
}

/// Makes a request to queue a job again, dated now.
#[must_use]
pub fn redrive_by(name: &str) -> Redrive {
    Redrive {
        by: name.to_owned(),
        at: now(),
    }
}

/// Makes the dead letter that the queue leaves for a message that it gives up.
#[must_use]
pub fn dead_letter() -> DeadLetter {
    DeadLetter {
        at: now(),
        receives: 5,
        error: "No worker could begin the job.".to_owned(),
    }
}

/// Makes the query for the first page, of the largest size, of a tenant's jobs.
#[must_use]
pub fn query(tenant: &Tenant) -> HistoryQuery {
    HistoryQuery {
        tenant: tenant.clone(),
        filter: Filter {
            status: None,
            dead_letter: false,
            ..Filter::default()
        },
        limit: MAX_LIMIT,
        offset: 0,
        before: None,
    }
}

/// Returns the ids on a page, in order.
#[must_use]
pub fn ids(page: &HistoryPage) -> Vec<JobId> {
    page.jobs.iter().map(|job| job.id).collect()
}

/// Records a sample job.
///
/// # Errors
/// The store refuses the job.
pub async fn create(store: &dyn JobStore) -> anyhow::Result<Job> {
    let job = job();
    store.create(&job).await?;
    Ok(job)
}

/// Records many jobs of a tenant at once, and returns them oldest first.
///
/// # Errors
/// The store refuses one of them.
pub async fn create_many(store: &dyn JobStore, tenant: &Tenant, count: usize) -> anyhow::Result<Vec<Job>> {
    let jobs: Vec<Job> = (0..count).map(|_| job_of(tenant)).collect();
    for some in jobs.chunks(100) {
        try_join_all(some.iter().map(|job| store.create(job))).await?;
    }
    Ok(jobs)
}

/// Records a sample job and claims it.
///
/// # Errors
/// The store refuses the job or the claim.
pub async fn create_claimed(store: &dyn JobStore) -> anyhow::Result<(Job, Lease)> {
    let (job, lease) = (create(store).await?, lease());
    Ok((store.claim(job.id, lease, now()).await?, lease))
}

/// Checks that a call was refused because the state does not allow it.
///
/// # Errors
/// The call was not refused for that reason.
pub fn refused<T>(result: Result<T, StoreError>) -> anyhow::Result<()> {
    match result {
        Err(StoreError::Conflict) => Ok(()),
        Err(other) => bail!("expected a conflict, got the error {other:?}"),
        Ok(_) => bail!("expected a conflict, but the call succeeded"),
    }
}

/// Checks that a call found nothing.
///
/// # Errors
/// The call found something.
pub fn absent<T>(result: Result<T, StoreError>) -> anyhow::Result<()> {
    match result {
        Err(StoreError::NotFound) => Ok(()),
        Err(other) => bail!("expected nothing to be found, got the error {other:?}"),
        Ok(_) => bail!("expected nothing to be found, but the call succeeded"),
    }
}

/// What the queue gets of a job of the first lane and the tenant `default`.
#[must_use]
pub fn ticket(id: JobId) -> Ticket {
    Ticket {
        id,
        lane: Lane::Programs,
        tenant: Tenant::default(),
    }
}
