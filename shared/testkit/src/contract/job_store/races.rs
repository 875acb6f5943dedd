use anyhow::ensure;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, JobStatus, JobStore, Outcome};
use callboard_core::request::Reason;
use futures_util::future::{join, join_all};

use crate::contract::samples::{cancel_by, create, create_claimed, given_up, lease, now, success};

const ROUNDS: usize = 20;

/// Either the job never starts, or its worker learns of the request; both sides agree on which.
pub async fn cancel_against_claim_leaves_one_state(store: &dyn JobStore) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let (job, lease) = (create(store).await?, lease());
        let cancel = store.request_cancel(job.id, cancel_by("ann"));
        let (canceled, claimed) = in_turns(round, cancel, store.claim(job.id, lease, now())).await;
        let (canceled, claimed) = (canceled?, won(claimed)?);
        let kept = store.get(job.id, now()).await?;
        assert_eq!(kept, canceled);
        assert!(kept.state.cancel.is_some());
        let running = kept.state.status == JobStatus::Running && kept.state.lease == Some(lease);
        let ended = kept.state.status == JobStatus::Canceled && kept.state.attempt == 0;
        ensure!(if claimed.is_some() { running } else { ended }, "{kept:?}");
    }
    Ok(())
}

/// The worker's outcome always wins; the cancel request is on record exactly if it was accepted.
pub async fn cancel_against_finish_leaves_one_state(store: &dyn JobStore) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let (job, lease) = create_claimed(store).await?;
        let cancel = store.request_cancel(job.id, cancel_by("ann"));
        let finish = store.finish(job.id, lease.token, success(), now());
        let (canceled, finished) = in_turns(round, cancel, finish).await;
        let told = finished?;
        let canceled = won(canceled)?;
        let state = store.get(job.id, now()).await?.state;
        assert_eq!(told, state.cancel);
        assert_eq!((state.status, state.outcome), (JobStatus::Successful, Some(success())));
        assert_eq!(state.cancel.is_some(), canceled.is_some());
        let marked = canceled.is_none_or(|job: Job| job.state.status == JobStatus::Running);
        ensure!(marked, "a job that ended was shown as canceled in time");
    }
    Ok(())
}

/// A job that was asked to stop never starts again, whichever comes first.
pub async fn cancel_against_release_leaves_it_canceled(store: &dyn JobStore) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let (job, lease) = create_claimed(store).await?;
        let cancel = store.request_cancel(job.id, cancel_by("ann"));
        let (canceled, released) =
            in_turns(round, cancel, store.release(job.id, lease.token, given_up(1), now())).await;
        let told = released?;
        let was_running = canceled?.state.status == JobStatus::Running;
        let state = store.get(job.id, now()).await?.state;
        assert_eq!((state.status, state.lease), (JobStatus::Canceled, None));
        assert_eq!(told, state.cancel.filter(|_| was_running));
    }
    Ok(())
}

/// When many ends are written at once, the job gets exactly one of them.
pub async fn one_of_many_ends_wins(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    let outcomes: Vec<Outcome> = (0..10)
        .map(|number| Outcome::failed(Reason::RUNNER_ERROR, format!("{number}")))
        .collect();
    let finish = |outcome: &Outcome| store.finish(job.id, lease.token, outcome.clone(), now());
    let mut winners = Vec::new();
    for (outcome, end) in outcomes.iter().zip(join_all(outcomes.iter().map(finish)).await) {
        winners.extend(won(end)?.map(|_| outcome.clone()));
    }
    ensure!(winners.len() == 1, "{} ends were accepted", winners.len());
    assert_eq!(store.get(job.id, now()).await?.state.outcome, winners.pop());
    Ok(())
}

/// When a worker's end races with a sweep's release, one of them is refused and the other sets the state.
pub async fn finish_against_release_leaves_one_state(store: &dyn JobStore) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let (job, lease) = create_claimed(store).await?;
        let finish = store.finish(job.id, lease.token, success(), now());
        let (finished, released) =
            in_turns(round, finish, store.release(job.id, lease.token, given_up(1), now())).await;
        let (finished, released) = (won(finished)?.is_some(), won(released)?.is_some());
        ensure!(finished != released, "finished {finished}, released {released}");
        let status = store.get(job.id, now()).await?.state.status;
        assert_eq!(status == JobStatus::Successful, finished);
        assert_eq!(status == JobStatus::Pending, released);
    }
    Ok(())
}

/// Runs both futures at once; in every second round the second one starts first.
async fn in_turns<A, B>(round: usize, first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    if round.is_multiple_of(2) {
        return join(first, second).await;
    }
    let (second, first) = join(second, first).await;
    (first, second)
}

fn won<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Conflict) => Ok(None),
        Err(other) => Err(other),
    }
}
