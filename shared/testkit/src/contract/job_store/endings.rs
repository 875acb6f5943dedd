use std::time::Duration;

use callboard_core::job::{Attempt, DueJob, JobStatus, JobStore};
use callboard_core::request::Reason;

use crate::contract::samples::{
    HOUR, cancel_by, create, create_claimed, failure, given_up, lease, now, refused, success,
};

/// The first end is kept; a second one is refused, even with the right token.
pub async fn a_job_ends_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    let at = now() + Duration::from_secs(1);
    store.finish(job.id, lease.token, success(), at).await?;
    refused(store.finish(job.id, lease.token, failure(), at + HOUR).await)?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, state.lease), (JobStatus::Successful, None));
    assert_eq!((state.finished_at, state.outcome), (Some(at), Some(success())));
    Ok(())
}

/// Neither a stranger nor a former worker can end a job, and nobody can before it has started.
pub async fn an_end_needs_the_token_that_holds(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = create(store).await?;
    refused(store.finish(job.id, lease().token, success(), now()).await)?;
    let (first, second) = (lease(), lease());
    store.claim(job.id, first, now()).await?;
    refused(store.finish(job.id, second.token, success(), now()).await)?;
    store.release(job.id, first.token, given_up(1), now()).await?;
    refused(store.finish(job.id, first.token, success(), now()).await)?;
    let claimed = store.claim(job.id, second, now()).await?;
    refused(store.finish(job.id, first.token, success(), now()).await)?;
    assert_eq!(store.get(job.id, now()).await?, claimed);
    Ok(store.finish(job.id, second.token, success(), now()).await.map(drop)?)
}

/// A released job is pending, due at the given time, and its next attempt is the second one.
pub async fn a_released_job_starts_again(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    let (due, ended) = (now() + HOUR, given_up(1));
    store.release(job.id, first.token, ended.clone(), due).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, state.attempt), (JobStatus::Pending, 1));
    assert_eq!(state.attempts(), [ended]);
    assert_eq!((state.lease, state.progress, state.outcome), (None, None, None));
    assert_eq!(state.due, Some(due));
    assert_eq!(store.due(due, 10).await?, [DueJob { id: job.id, due }]);
    assert!(store.due(due - Duration::from_millis(1), 10).await?.is_empty());
    let second = lease();
    let claimed = store.claim(job.id, second, now()).await?.state;
    assert_eq!((claimed.attempt, claimed.lease), (2, Some(second)));
    Ok(())
}

/// Each attempt is kept with its start, its end and its reason; the last attempt ends as the job does.
pub async fn every_attempt_is_kept_with_its_end(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = create(store).await?;
    let mut expected = Vec::new();
    for number in 1..4 {
        let (lease, ended) = (lease(), given_up(number));
        let claimed = store.claim(job.id, lease, now()).await?.state;
        assert_eq!(
            claimed.attempts().last(),
            Some(&Attempt::begun(number, claimed.started_at))
        );
        assert_eq!(claimed.attempts()[..claimed.given_up.len()], expected);
        store.release(job.id, lease.token, ended.clone(), now()).await?;
        expected.push(ended);
    }
    let (lease, at) = (lease(), now());
    store.claim(job.id, lease, at).await?;
    store.finish(job.id, lease.token, failure(), at).await?;
    expected.push(Attempt::begun(4, Some(at)).ended(&failure(), Some(at)));
    assert_eq!(store.get(job.id, now()).await?.state.attempts(), expected);
    Ok(())
}

/// Neither a stranger nor a former worker can release a job, and nobody can after its end.
pub async fn a_release_needs_the_token_that_holds(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    refused(store.release(job.id, lease().token, given_up(1), now()).await)?;
    store.release(job.id, first.token, given_up(1), now()).await?;
    refused(store.release(job.id, first.token, given_up(1), now()).await)?;
    let second = lease();
    store.claim(job.id, second, now()).await?;
    refused(store.release(job.id, first.token, given_up(1), now()).await)?;
    store.finish(job.id, second.token, success(), now()).await?;
    refused(store.release(job.id, second.token, given_up(2), now()).await)
}

/// A job that was asked to stop does not start again: releasing it ends it.
pub async fn a_released_job_that_was_to_stop_is_canceled(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    let (cancel, ended) = (cancel_by("ann"), given_up(1));
    store.request_cancel(job.id, cancel.clone()).await?;
    store.release(job.id, first.token, ended.clone(), now()).await?;
    let state = store.get(job.id, now()).await?.state;
    assert_eq!(state.attempts(), [ended]);
    assert_eq!((state.status, state.cancel), (JobStatus::Canceled, Some(cancel)));
    assert_eq!(
        state.outcome.and_then(|outcome| outcome.reason),
        Some(Reason::CANCELED_BY_REQUEST)
    );
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    refused(store.claim(job.id, lease(), now()).await)
}

/// A job that is put back waits, and is due at the given time. The attempt does not count, but earlier ones do.
pub async fn a_job_that_is_put_back_is_as_if_nobody_had_claimed_it(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    let due = now() + HOUR;
    assert_eq!(store.put_back(job.id, first.token, due).await?, None);
    let state = store.get(job.id, now()).await?.state;
    assert_eq!(
        (state.status, state.attempt, state.started_at),
        (JobStatus::Pending, 0, None)
    );
    assert_eq!((state.lease, state.due, state.attempts()), (None, Some(due), vec![]));
    let id = job.id;
    assert_eq!(store.due(due, 10).await?, [DueJob { id: job.id, due }]);
    let (second, ended) = (lease(), given_up(1));
    assert_eq!(store.claim(id, second, now()).await?.state.attempt, 1);
    store.release(id, second.token, ended.clone(), now()).await?;
    let third = lease();
    store.claim(id, third, now()).await?;
    store.put_back(id, third.token, due).await?;
    let state = store.get(id, now()).await?.state;
    assert_eq!((state.attempt, state.attempts()), (1, vec![ended]));
    Ok(())
}

/// Neither a stranger nor a former worker can put a job back, and nobody can after its end.
pub async fn a_job_is_put_back_by_whoever_holds_it(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    refused(store.put_back(job.id, lease().token, now()).await)?;
    store.put_back(job.id, first.token, now()).await?;
    refused(store.put_back(job.id, first.token, now()).await)?;
    let second = lease();
    store.claim(job.id, second, now()).await?;
    refused(store.put_back(job.id, first.token, now()).await)?;
    store.finish(job.id, second.token, success(), now()).await?;
    refused(store.put_back(job.id, second.token, now()).await)
}

/// A job that was asked to stop does not start again: putting it back ends it.
pub async fn a_job_that_is_put_back_and_was_to_stop_is_canceled(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    let cancel = cancel_by("ann");
    store.request_cancel(job.id, cancel.clone()).await?;
    let told = store.put_back(job.id, first.token, now()).await?;
    assert_eq!(told.as_ref(), Some(&cancel));
    let state = store.get(job.id, now()).await?.state;
    assert_eq!((state.status, state.attempt), (JobStatus::Canceled, 0));
    assert_eq!((state.attempts(), state.cancel), (vec![], Some(cancel)));
    assert!(store.due(now() + HOUR, 10).await?.is_empty());
    refused(store.claim(job.id, lease(), now()).await)
}
