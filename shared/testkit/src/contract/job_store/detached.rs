//! Jobs that something else than a worker executes.

use callboard_core::base::object::Object;
use callboard_core::job::{DueJob, Job, JobStatus, JobStore, LOOK_AGAIN, Lease, Progress};
use callboard_core::request::Lane;
use callboard_kind_ansible::detail::PlayProgress;
use futures_util::future::join_all;

use crate::contract::samples::{
    HOUR, cancel_by, create_claimed, dead_letter, due, failure, given_up, lease, now, redrive_by, refused, success,
};

const TASK: &str = "arn:aws:ecs:eu-central-1:123456789012:task/jobs/0123";

fn progress() -> Progress {
    Object::of(&PlayProgress::default())
}

/// Makes a job that is detached, and returns the lease of the worker that has left it.
async fn create_detached(store: &dyn JobStore) -> anyhow::Result<(Job, Lease)> {
    let (job, held) = create_claimed(store).await?;
    store.renew(job.id, held.renewed(), Some(progress())).await?;
    store.detach(job.id, held.token, TASK.to_owned(), now() + HOUR).await?;
    Ok((store.get(job.id, now()).await?, held))
}

/// A detached job runs, no worker holds it, and it is due for a look; when the queue has it, it is due once more later.
pub async fn a_detached_job_runs_and_is_queued_for_the_next_look(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    let (state, id) = (&job.state, job.id);
    assert_eq!(
        (state.status, state.attempt, state.lease),
        (JobStatus::Running, 1, None)
    );
    assert_eq!(
        (state.detached.as_deref(), &state.progress),
        (Some(TASK), &Some(progress()))
    );
    assert!(store.running(10).await?.is_empty() && store.queued(Lane::Programs, 10).await?.is_empty());
    let due = due(&job);
    assert!(store.due(now(), 10).await?.is_empty());
    assert_eq!(store.due(due, 10).await?, [DueJob { id, due }]);
    store.mark_dispatched(id, due + HOUR).await?;
    assert_eq!(store.due(due, 10).await?.len(), 1);
    for _ in 0..2 {
        store.mark_dispatched(id, due).await?;
        assert!(store.due(due, 10).await?.is_empty() && store.queued(Lane::Programs, 10).await?.is_empty());
        let due = due + LOOK_AGAIN;
        assert_eq!(store.due(due, 10).await?, [DueJob { id, due }]);
    }
    assert_eq!(store.get(id, now()).await?.state.detached.as_deref(), Some(TASK));
    Ok(())
}

/// Taking it up goes on with the attempt. It can be left again, and ended.
pub async fn a_detached_job_is_taken_up_where_it_was_left(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    let second = lease();
    let taken = store.claim(job.id, second, now() + HOUR).await?.state;
    assert_eq!(
        (taken.attempt, taken.started_at, &taken.progress),
        (1, job.state.started_at, &job.state.progress)
    );
    assert_eq!(
        (taken.lease, taken.due, taken.detached.as_deref()),
        (Some(second), None, Some(TASK))
    );
    assert_eq!(store.claim(job.id, second, now()).await?.state, taken);
    assert_eq!(store.running(10).await?, [(job.id, second)]);
    assert!(store.due(now() + HOUR, 10).await?.is_empty() && store.queued(Lane::Programs, 10).await?.is_empty());
    let other = format!("{TASK}4");
    store.detach(job.id, second.token, other.clone(), now()).await?;
    let third = lease();
    let taken = store.claim(job.id, third, now()).await?.state;
    assert_eq!((taken.attempt, taken.detached), (1, Some(other)));
    store.finish(job.id, third.token, success(), now()).await?;
    let ended = store.get(job.id, now()).await?.state;
    assert_eq!(
        (ended.status, ended.detached, ended.due),
        (JobStatus::Successful, None, None)
    );
    refused(store.claim(job.id, lease(), now()).await)
}

/// Neither a stranger nor a former worker can detach a job, and nobody can after its end.
pub async fn a_job_is_detached_by_whoever_holds_it(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_detached(store).await?;
    let detach = async |held: Lease| store.detach(job.id, held.token, TASK.to_owned(), now()).await;
    refused(detach(lease()).await)?;
    refused(detach(first).await)?;
    refused(store.renew(job.id, first.renewed().renewed(), None).await)?;
    refused(store.finish(job.id, first.token, success(), now()).await)?;
    let second = lease();
    store.claim(job.id, second, now()).await?;
    refused(detach(first).await)?;
    store.finish(job.id, second.token, success(), now()).await?;
    refused(detach(second).await)
}

/// Whoever asks first is noted; the next look finds it.
pub async fn a_detached_job_that_is_to_stop_is_due_at_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    let cancel = cancel_by("ann");
    let marked = store.request_cancel(job.id, cancel.clone()).await?.state;
    assert_eq!(
        (marked.status, &marked.cancel, marked.due),
        (JobStatus::Running, &Some(cancel.clone()), Some(cancel.at))
    );
    store.mark_dispatched(job.id, cancel.at).await?;
    let again = store.request_cancel(job.id, cancel_by("bob")).await?.state;
    assert_eq!(
        (again.cancel, again.due),
        (Some(cancel.clone()), Some(cancel.at + LOOK_AGAIN))
    );
    let held = lease();
    assert_eq!(
        store.claim(job.id, held, now()).await?.state.cancel,
        Some(cancel.clone())
    );
    assert_eq!(store.finish(job.id, held.token, success(), now()).await?, Some(cancel));
    Ok(())
}

/// What may happen to a job that waits for its start does not happen to one that runs.
pub async fn a_detached_job_does_not_wait_for_its_start(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    assert!(store.pending_since(now() + HOUR, 10).await?.is_empty());
    refused(store.abandon(job.id, failure(), now()).await)?;
    refused(store.bury(job.id, dead_letter()).await)?;
    refused(store.redrive(job.id, redrive_by("ann")).await.map(drop))?;
    assert_eq!(store.get(job.id, now()).await?, job);
    Ok(())
}

/// Another attempt knows nothing of what executed the last one.
pub async fn a_detached_job_may_start_again(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    let second = lease();
    store.claim(job.id, second, now()).await?;
    store.release(job.id, second.token, given_up(1), now()).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, state.detached), (JobStatus::Pending, None));
    let third = lease();
    let state = store.claim(job.id, third, now()).await?.state;
    assert_eq!((state.attempt, state.detached), (2, None));
    Ok(())
}

/// Of several workers, one takes it up.
pub async fn one_of_many_takes_up_a_detached_job(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, _) = create_detached(store).await?;
    let claims = join_all((0..10).map(|_| store.claim(job.id, lease(), now()))).await;
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
    Ok(())
}
