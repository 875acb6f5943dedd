use std::time::Duration;

use anyhow::ensure;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{JobStatus, JobStore, Lease, Progress};
use callboard_kind_ansible::detail::PlayProgress;
use futures_util::future::join_all;

use crate::contract::samples::{cancel_by, create, create_claimed, given_up, lease, now, refused, success};

/// A claim sets the job to running under the lease, and counts the attempt.
pub async fn a_claim_starts_an_attempt(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease, at) = (create(store).await?, lease(), now());
    let claimed = store.claim(job.id, lease, at).await?;
    assert_eq!(claimed.state.status, JobStatus::Running);
    assert_eq!(claimed.state.attempt, 1);
    assert_eq!(claimed.state.started_at, Some(at));
    assert_eq!(claimed.state.lease, Some(lease));
    assert_eq!(claimed.request, job.request);
    assert_eq!(store.get(job.id, now()).await?, claimed);
    Ok(())
}

/// Neither a running job nor an ended one can be claimed, whatever the token.
pub async fn a_job_is_claimed_once(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    refused(store.claim(job.id, lease(), now()).await)?;
    // the same claim again, as after a lost answer
    assert_eq!(store.claim(job.id, first, now()).await?, job);
    assert_eq!(store.get(job.id, now()).await?, job);
    store.finish(job.id, first.token, success(), now()).await?;
    refused(store.claim(job.id, first, now()).await)?;
    refused(store.claim(job.id, lease(), now()).await)?;
    let canceled = create(store).await?;
    store.request_cancel(canceled.id, cancel_by("ann")).await?;
    refused(store.claim(canceled.id, lease(), now()).await)
}

/// However many workers claim a job at once, exactly one gets it.
pub async fn one_of_twenty_claims_wins(store: &dyn JobStore) -> anyhow::Result<()> {
    let job = create(store).await?;
    let leases: Vec<Lease> = (0..20).map(|_| lease()).collect();
    let claims = join_all(leases.iter().map(|lease| store.claim(job.id, *lease, now()))).await;
    let mut winners = Vec::new();
    for (lease, claim) in leases.iter().zip(claims) {
        match claim {
            Ok(claimed) => winners.push((*lease, claimed)),
            Err(StoreError::Conflict) => {}
            Err(other) => return Err(other.into()),
        }
    }
    ensure!(winners.len() == 1, "{} workers have the job", winners.len());
    let kept = store.get(job.id, now()).await?;
    assert_eq!(kept.state.lease, Some(winners[0].0));
    assert_eq!((kept.state.attempt, &kept), (1, &winners[0].1));
    Ok(())
}

/// A renewal changes the lease, so that an observer sees it, and nothing else.
pub async fn a_renewal_extends_the_lease(store: &dyn JobStore) -> anyhow::Result<()> {
    let (mut job, lease) = create_claimed(store).await?;
    let renewed = lease.renewed();
    assert_eq!(store.renew(job.id, renewed, None).await?, None);
    job.state.lease = Some(renewed);
    assert_eq!(store.get(job.id, now()).await?, job);
    Ok(())
}

/// A token of another worker, of an earlier attempt or of an ended job renews nothing.
pub async fn a_renewal_needs_the_token_that_holds(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, first) = create_claimed(store).await?;
    refused(store.renew(job.id, lease(), None).await)?;
    store.release(job.id, first.token, given_up(1), now()).await?;
    refused(store.renew(job.id, first, None).await)?;
    let second = lease();
    store.claim(job.id, second, now()).await?;
    refused(store.renew(job.id, first, Some(progress("lost"))).await)?;
    assert_eq!(store.get(job.id, now()).await?.state.progress, None);
    store.renew(job.id, second, None).await?;
    store.finish(job.id, second.token, success(), now()).await?;
    refused(store.renew(job.id, second, None).await)
}

/// The worker learns of a cancel request with its next renewal, and with every later one.
pub async fn a_renewal_brings_the_cancel_request(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    let cancel = cancel_by("ann");
    store.request_cancel(job.id, cancel.clone()).await?;
    for _ in 0..2 {
        assert_eq!(store.renew(job.id, lease, None).await?, Some(cancel.clone()));
    }
    Ok(())
}

/// Progress is kept until there is newer progress, and is cleared when the attempt is over.
pub async fn progress_is_kept_until_there_is_news(store: &dyn JobStore) -> anyhow::Result<()> {
    let (job, lease) = create_claimed(store).await?;
    for (news, kept) in [(Some("a"), "a"), (None, "a"), (Some("b"), "b")] {
        store.renew(job.id, lease, news.map(progress)).await?;
        let state = store.get(job.id, now()).await?.state;
        assert_eq!(state.progress, Some(progress(kept)));
    }
    store
        .finish(job.id, lease.token, success(), now() + Duration::from_secs(1))
        .await?;
    assert_eq!(store.get(job.id, now()).await?.state.progress, None);
    Ok(())
}

fn progress(task: &str) -> Progress {
    Object::of(&PlayProgress {
        commit: Some("c0ffee".to_owned()),
        current_play: None,
        current_task: Some(task.to_owned()),
        hosts_ok: 1,
        hosts_failed: 2,
        hosts_pending: u32::MAX,
    })
}
