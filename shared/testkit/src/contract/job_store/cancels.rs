use callboard_core::job::{Job, JobStatus, JobStore};
use callboard_core::request::Reason;

use crate::contract::samples::{cancel_by, create, create_claimed, now, refused, success};

/// A pending job ends at once, and its record says who canceled it and when.
pub async fn a_pending_job_is_canceled_at_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, cancel) = (create(store).await?, cancel_by("10.0.0.1"));
    let canceled = store.request_cancel(job.id, cancel.clone()).await?;
    assert_eq!(store.get(job.id, now()).await?, canceled);
    let state = canceled.state;
    assert_eq!((state.status, state.attempt), (JobStatus::Canceled, 0));
    assert_eq!(state.finished_at, Some(cancel.at));
    assert_eq!(state.cancel, Some(cancel));
    let outcome = state.outcome;
    assert_eq!(
        outcome.as_ref().and_then(|outcome| outcome.reason.clone()),
        Some(Reason::CANCELED_BY_REQUEST)
    );
    let error = outcome.and_then(|outcome| outcome.error).unwrap_or_default();
    assert!(error.contains("10.0.0.1"), "{error}");
    Ok(())
}

/// A running job stays with its worker and is marked with the first request; asking again changes nothing.
pub async fn a_running_job_is_marked_to_stop_by_the_first_who_asks(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    let first = cancel_by("ann");
    for cancel in [first.clone(), cancel_by("bob")] {
        let marked = store.request_cancel(job.id, cancel).await?;
        assert_eq!(marked.state.status, JobStatus::Running);
        assert_eq!(marked.state.lease, Some(lease));
        assert_eq!(marked.state.cancel, Some(first.clone()));
        assert_eq!(store.get(job.id, now()).await?, marked);
    }
    Ok(())
}

/// A job that ends before it can be stopped keeps its own outcome; the request stays on record.
pub async fn a_job_that_was_to_stop_may_end_otherwise(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    let cancel = cancel_by("ann");
    store.request_cancel(job.id, cancel.clone()).await?;
    let told = store.finish(job.id, lease.token, success(), now()).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, &state.cancel), (JobStatus::Successful, &Some(cancel)));
    assert_eq!(told, state.cancel);
    Ok(())
}

/// A job that has ended does not change.
pub async fn an_ended_job_is_not_canceled(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    store.finish(job.id, lease.token, success(), now()).await?;
    unchanged_by_cancel(store, &job).await?;
    let job = create(store).await?;
    store.request_cancel(job.id, cancel_by("ann")).await?;
    unchanged_by_cancel(store, &job).await
}

async fn unchanged_by_cancel(store: &dyn JobStore, job: &Job) -> anyhow::Result<()> {
    let before = store.get(job.id, now()).await?;
    refused(store.request_cancel(job.id, cancel_by("bob")).await)?;
    assert_eq!(store.get(job.id, now()).await?, before);
    Ok(())
}
