//! Jobs that wait for something before they are given to the queue.

use std::time::Duration;

use callboard_core::job::{BlockedOn, Job, JobStatus, JobStore, Neglected, SlotType};

use super::super::samples::{
    HOUR, cancel_by, create, create_claimed, create_many, dead_letter, due, job_of, lease, now, redrive_by, refused,
    tenant,
};
use callboard_core::base::id::JobId;
use callboard_core::request::Lane;

fn on() -> BlockedOn {
    BlockedOn {
        r#type: SlotType::ConcurrencyKey,
        since: Some(now()),
        concurrency_key: Some("host:db1".to_owned()),
        job_id: JobId::new(),
    }
}

async fn blocked(store: &dyn JobStore, on: &BlockedOn) -> anyhow::Result<Job> {
    let job = create(store).await?;
    store.block(job.id, due(&job), on.clone()).await?;
    Ok(job)
}

/// It is neither due nor queued, nobody claims it, and it says what it waits for.
pub async fn a_blocked_job_waits_in_the_store(store: &dyn JobStore) -> anyhow::Result<()> {
    let on = on();
    let job = blocked(store, &on).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!(
        (state.status, state.due, state.blocked_on.as_ref()),
        (JobStatus::Pending, None, Some(&on))
    );
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    assert!(store.queued(Lane::Programs, 10).await?.is_empty());
    assert_eq!(store.pending_since(now() + HOUR, 10).await?, [job.id]);
    refused(store.claim(job.id, lease(), now()).await)?;
    refused(store.bury(job.id, dead_letter()).await)?;
    refused(store.block(job.id, due(&job), on).await)
}

/// Once; then it is due and can be claimed.
pub async fn a_blocked_job_is_unblocked_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, at) = (blocked(store, &on()).await?, now());
    let state = store.unblock(job.id, at).await?.state;
    assert_eq!((state.due, state.blocked_on), (Some(at), None));
    refused(store.unblock(job.id, at).await)?;
    let found = store.due(at, 10).await?;
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), [job.id]);
    store.mark_dispatched(job.id, at).await?;
    store.claim(job.id, lease(), now()).await?;
    Ok(())
}

/// A job that was dispatched meanwhile, runs or has ended is not blocked.
pub async fn only_a_job_that_is_due_as_it_was_is_blocked(store: &dyn JobStore) -> anyhow::Result<()> {
    let dispatched = create(store).await?;
    store.mark_dispatched(dispatched.id, due(&dispatched)).await?;
    let (running, _) = create_claimed(store).await?;
    let again = create(store).await?;
    for (job, at) in [
        (&dispatched, due(&dispatched)),
        (&running, due(&running)),
        (&again, due(&again) + Duration::from_millis(1)),
    ] {
        refused(store.block(job.id, at, on()).await)?;
        refused(store.unblock(job.id, now()).await)?;
        assert_eq!(store.get(job.id, now()).await?.state.blocked_on, None);
    }
    Ok(())
}

/// It ends at once, and no longer waits for anything.
pub async fn a_blocked_job_is_canceled_at_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = blocked(store, &on()).await?;
    let canceled = store.request_cancel(job.id, cancel_by("ann")).await?.state;
    assert_eq!((canceled.status, canceled.blocked_on), (JobStatus::Canceled, None));
    refused(store.unblock(job.id, now()).await)
}

/// Redriving it is a way to have a look at what it waits for.
pub async fn a_blocked_job_may_be_redriven(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, redrive) = (blocked(store, &on()).await?, redrive_by("ann"));
    let state = store.redrive(job.id, redrive.clone()).await?.state;
    assert_eq!((state.due, state.blocked_on), (Some(redrive.at), None));
    Ok(())
}

/// Those that are due, queued or blocked; none that runs, and none of another tenant.
pub async fn the_waiting_jobs_of_a_tenant_are_counted(store: &dyn JobStore) -> anyhow::Result<()> {
    let (tenant, other) = (tenant(), tenant());
    create_many(store, &other, 2).await?;
    let jobs: Vec<Job> = (0..4).map(|_| job_of(&tenant)).collect();
    for job in &jobs {
        store.create(job).await?;
    }
    store.mark_dispatched(jobs[0].id, due(&jobs[0])).await?;
    store.block(jobs[1].id, due(&jobs[1]), on()).await?;
    store.claim(jobs[2].id, lease(), now()).await?;
    assert_eq!(store.waiting(&tenant, 10).await?, 3);
    assert_eq!(store.waiting(&tenant, 2).await?, 2);
    Ok(())
}

/// Those of all tenants; blocked jobs wait for other jobs.
pub async fn jobs_that_somebody_should_look_at_are_counted(store: &dyn JobStore) -> anyhow::Result<()> {
    let later = now() + HOUR;
    assert_eq!(store.neglected(later, 10).await?, Neglected::default());
    for tenant in [tenant(), tenant()] {
        let [due, buried] = [job_of(&tenant), job_of(&tenant)];
        for job in [&due, &buried] {
            store.create(job).await?;
        }
        store.bury(buried.id, dead_letter()).await?;
    }
    blocked(store, &on()).await?;
    let (_running, _) = create_claimed(store).await?;
    let found = |long_waits, dead_letters| Neglected {
        long_waits,
        dead_letters,
    };
    assert_eq!(store.neglected(later, 10).await?, found(2, 2));
    assert_eq!(store.neglected(later, 1).await?, found(1, 1));
    assert_eq!(store.neglected(now() - HOUR, 10).await?, found(0, 2));
    Ok(())
}
