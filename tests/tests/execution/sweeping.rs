//! What the sweep finds and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_core::base::time::Clock;
use callboard_core::care::{Sweeper, Swept};
use callboard_core::job::{DeadLetter, JobStatus};
use callboard_core::request::{JobOptions, Reason};
use callboard_core::run::{Worker, WorkerSettings};
use callboard_tests::contract::samples::{HOUR, cancel_by, create, lease, redrive_by, refused, success, ticket};
use callboard_tests::faults::{Fault, Faults};
use tokio::sync::Notify;

use crate::script::{Act, Script};
use crate::site::{LEASE, SILENCE, Site, attempts};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_job_that_the_queue_was_not_given_is_sent_after_the_grace_and_once() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = create(&*site.store).await?;
    site.clock.advance(SECOND * 9);
    let watched = Swept {
        watched: 1,
        ..Swept::default()
    };
    assert_eq!((site.sweep().await?, site.receive().await?), (watched, None));
    site.clock.advance(SECOND * 2);
    assert_eq!(
        site.sweep().await?,
        Swept {
            dispatched: 1,
            ..Swept::default()
        }
    );
    assert_eq!(site.sweep().await?, Swept::default());
    assert_eq!(site.receive().await?, Some(job.id));
    assert_eq!(site.receive().await?, None);
    Ok(())
}

/// As when its worker dies between the message and the claim, or the queue has lost the message.
#[tokio::test]
async fn a_job_that_waits_in_vain_is_queued_again_after_a_minute() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let watched = Swept {
        watched: 1,
        ..Swept::default()
    };
    assert_eq!(site.sweep().await?, watched);
    site.clock.advance(SECOND * 59);
    assert_eq!((site.sweep().await?, site.receive().await?), (watched, None));
    site.clock.advance(SECOND);
    assert_eq!(site.sweep().await?.dispatched, 1);
    // a message that waits may be anybody's: the time begins anew, and is longer the next time
    site.clock.advance(HOUR);
    assert_eq!(site.sweep().await?, Swept::default());
    let message = site.receive_message().await?.context("a message")?;
    site.acknowledge(message).await?;
    for (passed, dispatched) in [(119, 0), (1, 1)] {
        site.clock.advance(SECOND * passed);
        assert_eq!(site.sweep().await?.dispatched, dispatched);
    }
    assert_eq!((site.receive().await?, site.receive().await?), (Some(job.id), None));
    site.execute(job.id, Arc::new(Script::new(&[]))).await?;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_down_costs_no_job() -> anyhow::Result<()> {
    let (mut site, faults) = (Site::open()?, Faults::next("queue.send", Fault::Down, u32::MAX));
    site.queue = faults.queue(site.queue);
    let waiting = create(&*site.store).await?;
    let lost = site.job(attempts(2)).await?;
    site.store.claim(lost.id, lease(), site.clock.now()).await?;
    assert!(site.sweep().await.is_ok());
    site.clock.advance(SILENCE);
    assert!(site.sweep().await.is_err());
    assert_eq!(site.state(lost.id).await?.status, JobStatus::Pending);
    faults.mend();
    site.clock.advance(SECOND * 13);
    let dispatched = 2;
    assert_eq!(
        site.sweep().await?,
        Swept {
            dispatched,
            ..Swept::default()
        }
    );
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
    let job = site.job(attempts(2)).await?;
    site.store.claim(job.id, lease(), site.clock.now()).await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    let (lost, watched) = (1, 1);
    assert_eq!(
        site.sweep_after_silence().await?,
        Swept {
            lost,
            watched,
            ..Swept::default()
        }
    );
    let state = site.state(job.id).await?;
    let outcome = state.outcome.unwrap_or_else(success);
    assert_eq!(
        (state.status, outcome.reason),
        (JobStatus::Canceled, Some(Reason::CANCELED_BY_REQUEST))
    );
    Ok(())
}

#[tokio::test]
async fn a_job_whose_worker_reports_is_left_alone_however_long_it_runs() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    for _ in 0..3 {
        site.wait_for_renewal(job.id).await?;
        let watched = 1;
        assert_eq!(
            site.sweep().await?,
            Swept {
                watched,
                ..Swept::default()
            }
        );
        site.clock.advance(SILENCE);
    }
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    running.await??;
    Ok(())
}

#[tokio::test]
async fn a_worker_that_reports_again_at_the_last_moment_keeps_its_job() -> anyhow::Result<()> {
    let site = Site::open()?;
    let (job, held) = (site.job(JobOptions::default()).await?, lease());
    site.store.claim(job.id, held, site.clock.now()).await?;
    site.sweep().await?;
    site.clock.advance(SILENCE - SECOND);
    let watched = 1;
    assert_eq!(
        site.sweep().await?,
        Swept {
            watched,
            ..Swept::default()
        }
    );
    site.store.renew(job.id, held.renewed(), None).await?;
    for _ in 0..2 {
        site.clock.advance(SECOND);
        assert_eq!(
            site.sweep().await?,
            Swept {
                watched,
                ..Swept::default()
            }
        );
    }
    assert_eq!(site.state(job.id).await?.lease, Some(held.renewed()));
    Ok(())
}

/// Five minutes either way: a claim, renewals and the end carry the worker's time, the sweep has its own.
#[tokio::test]
async fn clocks_that_disagree_lose_no_job_and_keep_no_lost_one() -> anyhow::Result<()> {
    for skew in [-300_000, 300_000] {
        let site = Site::open()?;
        let sweeper = Sweeper {
            clock: Arc::new(site.clock.skewed(skew)),
            ..site.sweeper()
        };
        let job = site.job(JobOptions::default()).await?;
        let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
        for _ in 0..3 {
            site.wait_for_renewal(job.id).await?;
            assert_eq!(sweeper.sweep().await?.lost, 0);
            site.clock.advance(LEASE);
        }
        running.abort();
        drop(running.await);
        // writes are done in order: after this one, no renewal of the worker is under way
        refused(site.store.renew(job.id, lease(), None).await)?;
        assert_eq!(sweeper.sweep().await?.lost, 0);
        site.clock.advance(SILENCE);
        assert_eq!(sweeper.sweep().await?.lost, 1);
        assert_eq!(site.state(job.id).await?.status, JobStatus::Failed);
        let waiting = site.job(JobOptions::default()).await?;
        assert_eq!(sweeper.sweep().await?.abandoned, 0);
        assert_eq!(site.state(waiting.id).await?.status, JobStatus::Pending);
    }
    Ok(())
}

#[tokio::test]
async fn the_sweep_of_the_process_that_runs_a_job_leaves_it_alone() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let worker = site.worker(Arc::new(Script::new(&[Act::WorkUntil(gate.clone())])));
    let sweeper = Sweeper {
        held: worker.held.clone(),
        ..site.sweeper()
    };
    let limits = site.limits();
    let worker = Worker {
        settings: WorkerSettings {
            heartbeat: HOUR,
            ..worker.settings
        },
        ..worker
    };
    let running = tokio::spawn(async move { worker.execute(&ticket(job.id), limits).await });
    site.wait_for(job.id, |state| state.status == JobStatus::Running)
        .await?;
    for _ in 0..3 {
        assert_eq!(sweeper.sweep().await?.lost, 0);
        site.clock.advance(SILENCE);
    }
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

/// As between two attempts of a call that is repeated for weeks.
#[tokio::test]
async fn a_job_waits_anew_after_each_attempt() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(attempts(2)).await?;
    for _ in 0..3 {
        let failing = Arc::new(Script::failing_for(HOUR, &[]));
        site.execute(job.id, failing).await?;
        site.clock.advance(HOUR * 13);
        assert_eq!(site.sweep().await?.abandoned, 0);
    }
    site.clock.advance(HOUR * 12);
    assert_eq!(site.sweep().await?.abandoned, 1);
    Ok(())
}

#[tokio::test]
async fn a_job_that_no_worker_takes_for_too_long_ends() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    site.clock.advance(HOUR * 24 + SECOND);
    let (abandoned, watched) = (1, 1);
    assert_eq!(
        site.sweep().await?,
        Swept {
            abandoned,
            watched,
            ..Swept::default()
        }
    );
    let state = site.state(job.id).await?;
    let outcome = state.outcome.unwrap_or_else(success);
    assert_eq!(
        (state.status, outcome.reason),
        (JobStatus::Failed, Some(Reason::UNDELIVERABLE))
    );
    assert_eq!(
        outcome.error.as_deref(),
        Some("The job waited for 24 h, and no worker took it.")
    );
    Ok(())
}

#[tokio::test]
async fn a_job_whose_message_was_given_up_waits_until_it_is_redriven() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let letter = DeadLetter {
        at: site.clock.now(),
        receives: 5,
        error: "The worker could not be started.".to_owned(),
    };
    site.store.bury(job.id, letter.clone()).await?;
    site.clock.advance(HOUR);
    assert_eq!((site.sweep().await?, site.receive().await?), (Swept::default(), None));
    assert_eq!(site.state(job.id).await?.dead_letter, Some(letter));
    let redriven = site.store.redrive(job.id, redrive_by("ann")).await?;
    assert_eq!(redriven.state.dead_letter, None);
    site.clock.advance(SECOND);
    assert_eq!(site.sweep().await?.dispatched, 1);
    assert_eq!(site.receive().await?, Some(job.id));
    site.execute(job.id, Arc::new(Script::new(&[]))).await?;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_full_batch_is_swept_and_the_rest_comes_next_time() -> anyhow::Result<()> {
    let site = Site::open()?;
    let tenant = callboard_core::base::id::Tenant::default();
    callboard_tests::contract::samples::create_many(&*site.store, &tenant, 130).await?;
    site.clock.advance(HOUR / 2);
    for dispatched in [100, 30, 0] {
        assert_eq!(site.sweep().await?.dispatched, dispatched);
    }
    Ok(())
}
