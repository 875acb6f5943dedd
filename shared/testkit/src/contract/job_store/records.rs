use std::time::Duration;

use anyhow::Context;
use callboard_core::base::id::JobId;
use callboard_core::job::{Filter, HistoryQuery, Job, JobStatus, JobStore, MAX_RELAUNCHES, Outcome, canceled};
use callboard_core::request::Reason;

use super::variants::{outcomes, requests};
use crate::contract::samples::{
    HOUR, absent, cancel_by, create, create_claimed, failure, given_up, ids, job, lease, now, query, redrive_by,
    refused, success, tenant,
};

/// A job reads back as it was created.
pub async fn a_created_job_reads_back_as_it_was(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = create(store).await?;
    assert_eq!(store.get(job.id, now()).await?, job);
    Ok(())
}

/// Storing does not change any inventory, option or variable.
pub async fn every_kind_of_request_survives(store: &dyn JobStore) -> anyhow::Result<()> {
    for request in requests()? {
        let job = Job { request, ..job() };
        store.create(&job).await?;
        assert_eq!(store.get(job.id, now()).await?, job);
    }
    Ok(())
}

/// Every reason, with and without exit code and counts, reads back as it was written.
pub async fn every_outcome_survives(store: &dyn JobStore) -> anyhow::Result<()> {
    for outcome in outcomes() {
        let (mut job, lease) = create_claimed(store).await?;
        let at = now();
        store.finish(job.id, lease.token, outcome.clone(), at).await?;
        job.state.finish(lease.token, outcome, at).ok().context("finish")?;
        assert_eq!(store.get(job.id, now()).await?, job);
    }
    Ok(())
}

/// Each of the five states reads back as the domain has it.
pub async fn every_state_survives(store: &dyn JobStore) -> anyhow::Result<()> {
    for status in JobStatus::ALL {
        let job = in_state(store, status).await?;
        assert_eq!(store.get(job.id, now()).await?, job);
        assert_eq!(job.state.status, status);
    }
    Ok(())
}

/// A job that never starts is recorded as ended, and neither the queue nor a sweep handles it.
pub async fn a_refused_job_is_created_ended(store: &dyn JobStore) -> anyhow::Result<()> {
    let (mut job, tenant) = (job(), tenant());
    job.tenant = tenant.clone();
    job.state.status = JobStatus::Failed;
    job.state.finished_at = Some(job.created_at);
    job.state.due = None;
    job.state.outcome = Some(Outcome::failed(Reason::REQUEST_INVALID, "/playbook is missing"));
    store.create(&job).await?;
    assert_eq!(store.get(job.id, now()).await?, job);
    let failed = HistoryQuery {
        filter: Filter {
            status: Some(JobStatus::Failed),
            ..Filter::default()
        },
        ..query(&tenant)
    };
    for query in [query(&tenant), failed] {
        assert_eq!(ids(&store.list(&query, now()).await?), [job.id]);
    }
    assert!(store.due(now() + HOUR, 100).await?.iter().all(|due| due.id != job.id));
    refused(store.claim(job.id, lease(), now()).await)?;
    refused(store.request_cancel(job.id, cancel_by("ann")).await)
}

/// A second job with the same id is refused and changes nothing.
pub async fn an_id_is_taken_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (first, lease) = create_claimed(store).await?;
    let second = Job { id: first.id, ..job() };
    refused(store.create(&second).await)?;
    assert_eq!(store.get(first.id, now()).await?, first);
    Ok(store.finish(first.id, lease.token, success(), now()).await.map(drop)?)
}

/// No call finds or creates a job that was never created.
pub async fn an_unknown_job_is_not_found(store: &dyn JobStore) -> anyhow::Result<()> {
    let (id, lease) = (JobId::new(), lease());
    absent(store.get(id, now()).await)?;
    absent(store.claim(id, lease, now()).await)?;
    absent(store.renew(id, lease, None).await)?;
    absent(store.finish(id, lease.token, success(), now()).await)?;
    absent(store.seize(id, lease, lease).await)?;
    absent(store.release(id, lease.token, given_up(1), now()).await)?;
    absent(store.request_cancel(id, cancel_by("nobody")).await)?;
    absent(store.mark_dispatched(id, now()).await)?;
    absent(store.abandon(id, failure(), now()).await)?;
    absent(store.redrive(id, redrive_by("ann")).await)?;
    absent(store.get(id, now()).await)
}

/// A job's end sets its expiry; from then on, neither a read nor a list shows the job.
pub async fn an_expired_job_is_hidden(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    store.finish(job.id, lease.token, success(), now()).await?;
    let job = store.get(job.id, now()).await?;
    let over = job.expires_at();
    let last = over - Duration::from_millis(1);
    assert_eq!(store.get(job.id, last).await?, job);
    assert_eq!(ids(&store.list(&query(&job.tenant), last).await?), [job.id]);
    absent(store.get(job.id, over).await)?;
    absent(store.get(job.id, over + HOUR).await)?;
    assert!(store.list(&query(&job.tenant), over).await?.jobs.is_empty());
    Ok(())
}

/// However long a job waits or runs, it is not deleted.
pub async fn a_job_that_has_not_ended_never_expires(store: &dyn JobStore) -> anyhow::Result<()> {
    let (waiting, (running, _)) = (create(store).await?, create_claimed(store).await?);
    let much_later = now() + HOUR * 24 * 400;
    for job in [waiting, running] {
        assert_eq!(store.get(job.id, much_later).await?, job);
    }
    Ok(())
}

/// Brings a job to a state through the store, and the same job through the domain; returns the latter.
async fn in_state(store: &dyn JobStore, status: JobStatus) -> anyhow::Result<Job> {
    let (mut job, lease, at, cancel) = (create(store).await?, lease(), now(), cancel_by("ann"));
    let outcome = match status {
        JobStatus::Pending => return Ok(job),
        JobStatus::Running => None,
        JobStatus::Successful => Some(success()),
        JobStatus::Failed => Some(failure()),
        JobStatus::Canceled => Some(canceled(&cancel)),
    };
    store.claim(job.id, lease, at).await?;
    job.state.claim(lease, at).ok().context("claim")?;
    if status == JobStatus::Canceled {
        store.request_cancel(job.id, cancel.clone()).await?;
        job.state.request_cancel(cancel).ok().context("cancel")?;
    }
    if let Some(outcome) = outcome {
        store.finish(job.id, lease.token, outcome.clone(), at).await?;
        job.state.finish(lease.token, outcome, at).ok().context("finish")?;
    }
    Ok(job)
}

/// Each once, the first ones of them, whatever state the job is in; nothing else changes.
pub async fn a_record_names_the_jobs_that_repeat_it(store: &dyn JobStore) -> anyhow::Result<()> {
    for status in JobStatus::ALL {
        let mut job = in_state(store, status).await?;
        let repeats: Vec<JobId> = (0..MAX_RELAUNCHES + 2).map(|_| JobId::new()).collect();
        for repeat in repeats.iter().take(2).chain(&repeats) {
            store.note_relaunch(job.id, *repeat).await?;
            job.state.note_relaunch(*repeat);
        }
        assert_eq!(job.state.relaunched_as, repeats[..MAX_RELAUNCHES]);
        assert_eq!(store.get(job.id, now()).await?, job);
    }
    absent(store.note_relaunch(JobId::new(), JobId::new()).await)
}
