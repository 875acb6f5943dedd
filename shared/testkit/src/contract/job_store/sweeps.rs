use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::job::{DueJob, JobStatus, JobStore, Lease, Ticket};
use callboard_core::request::Lane;

use crate::contract::samples::{
    HOUR, cancel_by, create, create_claimed, create_many, dead_letter, due, failure, given_up, job, lease, now,
    redrive_by, refused, success, tenant,
};

const SECOND: Duration = Duration::from_secs(1);

/// Running jobs are returned with their current leases; other jobs are not returned.
pub async fn running_jobs_come_with_their_leases(store: &dyn JobStore) -> anyhow::Result<()> {
    let _pending = create(store).await?;
    let (ended, held) = create_claimed(store).await?;
    store.finish(ended.id, held.token, success(), now()).await?;
    let (released, held) = create_claimed(store).await?;
    store.release(released.id, held.token, given_up(1), now()).await?;
    let (job, first) = create_claimed(store).await?;
    assert_eq!(store.running(10).await?, [(job.id, first)]);
    store.renew(job.id, first.renewed(), None).await?;
    assert_eq!(store.running(10).await?, [(job.id, first.renewed())]);
    Ok(())
}

/// No more than `limit` jobs are returned.
pub async fn running_jobs_are_bounded(store: &dyn JobStore) -> anyhow::Result<()> {
    for _ in 0..5 {
        create_claimed(store).await?;
    }
    assert_eq!((store.running(2).await?.len(), store.running(10).await?.len()), (2, 5));
    Ok(())
}

/// A seizure names the lease that was seen; the former holder has lost the job.
pub async fn a_lease_is_seized_once_and_not_if_it_was_renewed(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, silent) = create_claimed(store).await?;
    let renewed = silent.renewed();
    store.renew(job.id, renewed, None).await?;
    let (ours, theirs): (Lease, Lease) = (lease(), lease());
    refused(store.seize(job.id, silent, ours).await)?;
    assert_eq!(store.seize(job.id, renewed, ours).await?.state.lease, Some(ours));
    refused(store.seize(job.id, renewed, theirs).await)?;
    refused(store.renew(job.id, renewed.renewed(), None).await)?;
    refused(store.finish(job.id, silent.token, success(), now()).await)?;
    assert_eq!(store.get(job.id, now()).await?.state.lease, Some(ours));
    store.finish(job.id, ours.token, success(), now()).await?;
    refused(store.seize(job.id, ours, theirs).await)
}

/// A pending job is due until it is marked as dispatched with the due time that was seen; a mark that comes too late changes nothing.
pub async fn due_jobs_are_those_the_queue_was_not_given(store: &dyn JobStore) -> anyhow::Result<()> {
    let (first, second) = (create(store).await?, create(store).await?);
    let (early, late) = (due(&first), due(&first).max(due(&second)));
    assert!(store.due(early - SECOND, 10).await?.is_empty());
    let mut found = store.due(late, 10).await?;
    found.sort_by_key(|job| job.id);
    let as_due = [&first, &second].map(|job| DueJob {
        id: job.id,
        due: due(job),
    });
    assert_eq!(found, as_due);
    store.mark_dispatched(first.id, early + SECOND).await?;
    assert_eq!(store.due(late, 10).await?.len(), 2);
    for _ in 0..2 {
        store.mark_dispatched(first.id, early).await?;
        assert_eq!(store.due(late, 10).await?, as_due[1..]);
    }
    assert_eq!(store.get(first.id, now()).await?.state.due, None);
    Ok(())
}

/// No more than `limit` jobs are returned, and the rest come with the next call.
pub async fn due_jobs_are_bounded(store: &dyn JobStore) -> anyhow::Result<()> {
    create_many(store, &tenant(), 5).await?;
    for expected in [2, 2, 1, 0] {
        let found = store.due(now() + HOUR, 2).await?;
        assert_eq!(found.len(), expected);
        for job in found {
            store.mark_dispatched(job.id, job.due).await?;
        }
    }
    Ok(())
}

/// A job that is running or has ended needs no queue, and has not waited too long.
pub async fn a_job_that_does_not_wait_is_not_due(store: &dyn JobStore) -> anyhow::Result<()> {
    let (_running, _) = create_claimed(store).await?;
    let (ended, held) = create_claimed(store).await?;
    store.finish(ended.id, held.token, success(), now()).await?;
    let canceled = create(store).await?;
    store.request_cancel(canceled.id, cancel_by("ann")).await?;
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    assert!(store.pending_since(now() + HOUR, 10).await?.is_empty());
    Ok(())
}

/// Queued jobs are neither due, nor claimed, nor given up; the oldest come first, up to a limit.
pub async fn queued_jobs_are_those_that_wait_for_a_worker(store: &dyn JobStore) -> anyhow::Result<()> {
    let (_due, (_running, _)) = (create(store).await?, create_claimed(store).await?);
    let (mut ids, mut tickets) = (Vec::<JobId>::new(), Vec::new());
    for lane in [Lane::Programs, Lane::Programs, Lane::Calls] {
        let mut job = job();
        job.request.lane = lane;
        store.create(&job).await?;
        assert_eq!(store.get(job.id, now()).await?.request.lane, lane);
        store.mark_dispatched(job.id, due(&job)).await?;
        ids.push(job.id);
        tickets.push(Ticket::of(&job));
    }
    let queued = |limit| store.queued(Lane::Programs, limit);
    assert_eq!(queued(10).await?, tickets[..2]);
    assert_eq!(queued(1).await?, tickets[..1]);
    assert_eq!(store.queued(Lane::Calls, 10).await?, tickets[2..]);
    store.bury(ids[0], dead_letter()).await?;
    assert_eq!(queued(10).await?, tickets[1..2]);
    store.redrive(ids[0], redrive_by("ann")).await?;
    let held = lease();
    store.claim(ids[1], held, now()).await?;
    assert!(queued(10).await?.is_empty());
    store.put_back(ids[1], held.token, now()).await?;
    assert!(queued(10).await?.is_empty());
    store.request_cancel(ids[2], cancel_by("ann")).await?;
    assert!(store.queued(Lane::Calls, 10).await?.is_empty());
    Ok(())
}

/// A job that was given up while it was due waits for a person, not for the sweep.
pub async fn a_job_that_was_given_up_is_not_due(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = create(store).await?;
    store.bury(job.id, dead_letter()).await?;
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    assert_eq!(store.get(job.id, now()).await?.state.due, None);
    Ok(())
}

/// A job that waits too long is found by its creation time, and can only be ended while it waits.
pub async fn a_job_that_waits_is_abandoned_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, (running, held)) = (create(store).await?, create_claimed(store).await?);
    assert!(store.pending_since(job.created_at, 10).await?.is_empty());
    assert_eq!(store.pending_since(job.created_at + SECOND, 10).await?, [job.id]);
    let at = now();
    store.abandon(job.id, failure(), at).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, state.finished_at), (JobStatus::Failed, Some(at)));
    assert_eq!((state.outcome, state.due), (Some(failure()), None));
    refused(store.abandon(job.id, failure(), at).await)?;
    refused(store.abandon(running.id, failure(), at).await)?;
    store.finish(running.id, held.token, success(), now()).await?;
    Ok(())
}

/// A job that the queue has given up is marked so until it is redriven or started; both are allowed.
pub async fn a_job_that_was_given_up_is_redriven(store: &dyn JobStore) -> anyhow::Result<()> {
    let letter = dead_letter();
    let job = create(store).await?;
    store.mark_dispatched(job.id, due(&job)).await?;
    store.bury(job.id, letter.clone()).await?;
    assert_eq!(store.get(job.id, now()).await?.state.dead_letter, Some(letter.clone()));
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    let redrive = redrive_by("ann");
    let redriven = store.redrive(job.id, redrive.clone()).await?;
    assert_eq!(
        (redriven.state.dead_letter.as_ref(), redriven.state.due),
        (None, Some(redrive.at))
    );
    assert_eq!(redriven.state.redrive, Some(redrive));
    assert_eq!(store.get(job.id, now()).await?, redriven);
    store.bury(job.id, letter.clone()).await?;
    assert_eq!(store.claim(job.id, lease(), now()).await?.state.dead_letter, None);
    refused(store.bury(job.id, letter).await)?;
    refused(store.redrive(job.id, redrive_by("ann")).await.map(drop))
}
