use std::time::Duration;

use callboard_core::job::{Job, Lease};
use callboard_core::ports::JobStore;

use crate::contract::samples::{
    HOUR, cancel_by, create, create_claimed, create_many, lease, lease_until, now, refused, success, tenant,
};

const SECOND: Duration = Duration::from_secs(1);

/// Only a running job whose lease was over before the instant is returned, as it stands.
pub async fn expired_leases_are_those_that_are_over(store: &dyn JobStore) -> anyhow::Result<()> {
    let (_pending, at) = (create(store).await?, now());
    let over = claim_until(store, lease_until(at - SECOND)).await?;
    let _held = claim_until(store, lease_until(at + SECOND)).await?;
    let _on_the_dot = claim_until(store, lease_until(at)).await?;
    assert_eq!(store.expired_leases(at, 10).await?, std::slice::from_ref(&over));
    let renewed = Lease {
        until: at + HOUR,
        token: token(&over),
    };
    store.renew(over.id, renewed, None).await?;
    assert!(store.expired_leases(at, 10).await?.is_empty());
    Ok(())
}

/// No more than `limit` are returned, and what is left comes with the next call.
pub async fn expired_leases_are_bounded(store: &dyn JobStore) -> anyhow::Result<()> {
    for _ in 0..5 {
        claim_until(store, lease_until(now() - SECOND)).await?;
    }
    let mut batches = Vec::new();
    while let expired = store.expired_leases(now(), 2).await?
        && !expired.is_empty()
    {
        batches.push(expired.len());
        for job in expired {
            store.finish(job.id, token(&job), success(), now()).await?;
        }
    }
    assert_eq!(batches, [2, 2, 1]);
    Ok(())
}

/// Whoever seizes names the lease that is over; its former holder has lost the job.
pub async fn a_lease_that_is_over_is_seized_once_and_not_if_it_was_renewed(store: &dyn JobStore) -> anyhow::Result<()> {
    let over = lease_until(now() - SECOND);
    let job = claim_until(store, over).await?;
    let renewed = Lease {
        until: now() - SECOND / 2,
        ..over
    };
    store.renew(job.id, renewed, None).await?;
    let (ours, theirs) = (lease(), lease());
    refused(store.seize(job.id, over, ours).await)?;
    store.seize(job.id, renewed, ours).await?;
    refused(store.seize(job.id, renewed, theirs).await)?;
    refused(store.renew(job.id, renewed, None).await)?;
    refused(store.finish(job.id, over.token, success(), now()).await)?;
    assert_eq!(store.get(job.id, now()).await?.state.lease, Some(ours));
    store.finish(job.id, ours.token, success(), now()).await?;
    refused(store.seize(job.id, ours, theirs).await)
}

/// An ended or released job is nobody's any more, so there is no lease to run out.
pub async fn a_job_that_ended_has_no_lease_to_expire(store: &dyn JobStore) -> anyhow::Result<()> {
    let (ended, lease) = create_claimed(store).await?;
    store.finish(ended.id, lease.token, success(), now()).await?;
    let (released, lease) = create_claimed(store).await?;
    store.release(released.id, lease.token).await?;
    assert!(store.expired_leases(now() + HOUR, 10).await?.is_empty());
    Ok(())
}

/// A pending job is returned if it is old enough, until it is marked.
pub async fn undispatched_jobs_are_those_the_queue_was_not_given(store: &dyn JobStore) -> anyhow::Result<()> {
    let (first, second) = (create(store).await?, create(store).await?);
    assert!(store.undispatched(first.created_at, 10).await?.is_empty());
    let mut found = store.undispatched(now() + SECOND, 10).await?;
    found.sort();
    assert_eq!(found, [first.id, second.id]);
    for _ in 0..2 {
        store.mark_dispatched(first.id).await?;
        assert_eq!(store.undispatched(now() + SECOND, 10).await?, [second.id]);
    }
    assert_eq!(store.get(first.id, now()).await?, first);
    Ok(())
}

/// No more than `limit` are returned, and what is left comes with the next call.
pub async fn undispatched_jobs_are_bounded(store: &dyn JobStore) -> anyhow::Result<()> {
    let mut waiting = Vec::from_iter(create_many(store, &tenant(), 5).await?.iter().map(|job| job.id));
    for expected in [2, 2, 1, 0] {
        let found = store.undispatched(now() + SECOND, 2).await?;
        assert_eq!(found.len(), expected);
        for id in found {
            store.mark_dispatched(id).await?;
            waiting.retain(|other| *other != id);
        }
    }
    assert!(waiting.is_empty(), "{waiting:?}");
    Ok(())
}

/// What runs or has ended needs no queue.
pub async fn a_job_that_does_not_wait_is_not_undispatched(store: &dyn JobStore) -> anyhow::Result<()> {
    let (_running, _) = create_claimed(store).await?;
    let (ended, held) = create_claimed(store).await?;
    store.finish(ended.id, held.token, success(), now()).await?;
    let canceled = create(store).await?;
    store.request_cancel(canceled.id, cancel_by("ann")).await?;
    assert!(store.undispatched(now() + HOUR, 10).await?.is_empty());
    Ok(())
}

async fn claim_until(store: &dyn JobStore, lease: Lease) -> anyhow::Result<Job> {
    let job = create(store).await?;
    Ok(store.claim(job.id, lease, now()).await?)
}

fn token(job: &Job) -> callboard_core::id::LeaseToken {
    job.state.lease.unwrap_or_else(lease).token
}
