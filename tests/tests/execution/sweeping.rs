//! What the sweep finds and what it leaves alone.

use std::time::Duration;

use callboard_core::job::{JobStatus, Lease};
use callboard_core::options::Options;
use callboard_core::outcome::Reason;
use callboard_core::sweep::{Swept, sweep};
use callboard_core::time::Clock;
use callboard_tests::contract::samples::{HOUR, cancel_by, create, lease_until, success};

use crate::faulty_store::DeadQueue;
use crate::script::{Act, Script};
use crate::site::{LEASE, Site};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_job_that_the_queue_was_not_given_is_sent_after_the_grace_and_once() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = create(&*site.store).await?;
    site.clock.advance(SECOND * 9);
    assert_eq!(site.sweep().await?, Swept::default());
    assert_eq!(site.receive().await?, None);
    site.clock.advance(SECOND * 2);
    assert_eq!(site.sweep().await?, Swept { lost: 0, dispatched: 1 });
    assert_eq!(site.sweep().await?, Swept::default());
    assert_eq!(site.receive().await?, Some(job.id));
    assert_eq!(site.receive().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_down_costs_no_job() -> anyhow::Result<()> {
    let site = Site::open()?;
    let waiting = create(&*site.store).await?;
    let lost = site
        .job(Options {
            max_attempts: Some(2),
            ..Options::default()
        })
        .await?;
    let over = lease_until(site.clock.now());
    site.store.claim(lost.id, over, site.clock.now()).await?;
    site.clock.advance(SECOND * 11);
    assert!(
        sweep(&*site.store, &DeadQueue, &site.clock, Duration::ZERO)
            .await
            .is_err()
    );
    assert_eq!(site.state(lost.id).await?.status, JobStatus::Pending);
    assert_eq!(site.sweep().await?, Swept { lost: 0, dispatched: 2 });
    let mut received = [site.receive().await?, site.receive().await?];
    received.sort();
    let mut expected = [Some(waiting.id), Some(lost.id)];
    expected.sort();
    assert_eq!(received, expected);
    Ok(())
}

#[tokio::test]
async fn a_lost_job_that_was_to_be_canceled_is_canceled() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site
        .job(Options {
            max_attempts: Some(2),
            ..Options::default()
        })
        .await?;
    site.store
        .claim(job.id, lease_until(site.clock.now()), site.clock.now())
        .await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    site.clock.advance(SECOND);
    assert_eq!(site.sweep().await?, Swept { lost: 1, dispatched: 0 });
    let state = site.state(job.id).await?;
    let outcome = state.outcome.unwrap_or_else(success);
    assert_eq!(
        (state.status, outcome.reason),
        (JobStatus::Canceled, Some(Reason::CanceledByRequest))
    );
    Ok(())
}

#[tokio::test]
async fn a_job_whose_worker_reports_is_left_alone_however_long_it_runs() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(Options::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    for _ in 0..3 {
        site.clock.advance(LEASE - SECOND);
        let until = site.clock.now() + LEASE;
        site.wait_for(job.id, |state| state.lease.is_some_and(|lease| lease.until == until))
            .await?;
        assert_eq!(site.sweep().await?, Swept::default());
    }
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    running.await??;
    Ok(())
}

#[tokio::test]
async fn a_worker_that_was_held_up_with_the_sweep_keeps_its_job() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(Options::default()).await?;
    let held = lease_until(site.clock.now());
    site.store.claim(job.id, held, site.clock.now()).await?;
    site.clock.advance(SECOND);
    let renewed = Lease {
        until: site.clock.now() + LEASE,
        ..held
    };
    let sweeping = sweep(&*site.store, &*site.queue, &site.clock, SECOND / 4);
    let renewing = async {
        tokio::time::sleep(SECOND / 20).await;
        site.store.renew(job.id, renewed, None).await
    };
    let (swept, renewal) = tokio::join!(sweeping, renewing);
    assert_eq!((swept?, renewal?), (Swept::default(), None));
    assert_eq!(site.state(job.id).await?.lease, Some(renewed));
    Ok(())
}

#[tokio::test]
async fn a_full_batch_is_swept_and_the_rest_comes_next_time() -> anyhow::Result<()> {
    let site = Site::open()?;
    let tenant = callboard_core::id::Tenant::default();
    callboard_tests::contract::samples::create_many(&*site.store, &tenant, 130).await?;
    site.clock.advance(HOUR / 2);
    for dispatched in [100, 30, 0] {
        assert_eq!(site.sweep().await?.dispatched, dispatched);
    }
    Ok(())
}
