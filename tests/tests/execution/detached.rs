//! Jobs that go on without a worker, which only looks at them.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::base::time::Clock;
use callboard_core::job::{CancelRequest, JobStatus};
use callboard_core::output::Stream;
use callboard_core::request::{JobOptions, Reason};
use callboard_core::run::Disposition;
use callboard_tests::contract::log_store::append;
use callboard_tests::contract::samples::{cancel_by, lease, success};

use crate::script::{Act, STOPPED, Script, TASK};
use crate::site::{Site, stdout_key};

const PAUSE: Duration = Duration::from_secs(60);

/// Starts a job that goes on without a worker for so many looks.
async fn leave(site: &Site, looks: u32, acts: &[Act]) -> anyhow::Result<(JobId, Arc<Script>)> {
    let job = site.job(JobOptions::default()).await?;
    let script = Arc::new(Script::detached(looks, PAUSE, acts));
    let left = site.execute(job.id, script.clone()).await?;
    assert_eq!(left, Disposition::Again(PAUSE));
    Ok((job.id, script))
}

#[tokio::test]
async fn a_job_that_goes_on_without_a_worker_is_looked_at_until_it_ends() -> anyhow::Result<()> {
    let site = Site::open()?;
    let (job, script) = leave(&site, 3, &[Act::Print("all of it\n")]).await?;
    for look in 1..=3 {
        let state = site.state(job).await?;
        assert_eq!(
            (state.status, state.attempt, state.lease),
            (JobStatus::Running, 1, None)
        );
        assert_eq!(
            (state.detached.as_deref(), state.progress.is_some()),
            (Some(TASK), true)
        );
        assert_eq!(site.receive().await?, None, "it is too early");
        assert_eq!(site.sweep_after_silence().await?.lost, 0);
        assert_eq!(site.receive().await?, None);
        site.clock.advance(PAUSE);
        let swept = site.sweep().await?;
        assert_eq!((swept.dispatched, swept.lost), (1, 0));
        assert_eq!(site.receive().await?, Some(job));
        let done = site.execute(job, script.clone()).await?;
        assert_eq!(done == Disposition::Executed, look == 3);
    }
    let state = site.state(job).await?;
    assert_eq!(
        (state.attempt, state.outcome, state.detached),
        (1, Some(success()), None)
    );
    assert_eq!(site.read(job, 1, Stream::Stdout).await?, b"all of it\n");
    let outcome = site.store.get(job, site.clock.now()).await?.state.outcome;
    let usage = outcome.and_then(|outcome| outcome.usage).unwrap_or_default();
    assert!(usage.duration_seconds >= 3.0 * PAUSE.as_secs_f64(), "{usage:?}");
    Ok(())
}

#[tokio::test]
async fn an_event_may_come_before_its_time_and_twice() -> anyhow::Result<()> {
    let site = Site::open()?;
    let (job, script) = leave(&site, 1, &[]).await?;
    assert_eq!(site.execute(job, script.clone()).await?, Disposition::Executed);
    assert_eq!(site.execute(job, script.clone()).await?, Disposition::Nothing);
    site.clock.advance(PAUSE);
    site.sweep().await?;
    assert_eq!(site.receive().await?, None);
    assert_eq!((site.state(job).await?.outcome, script.starts()), (Some(success()), 2));
    Ok(())
}

#[tokio::test]
async fn a_cancel_is_for_the_next_look_which_comes_at_once() -> anyhow::Result<()> {
    let site = Site::open()?;
    let (job, script) = leave(&site, 1, &[Act::WorkForEver]).await?;
    site.store
        .request_cancel(
            job,
            CancelRequest {
                at: site.clock.now(),
                ..cancel_by("ann")
            },
        )
        .await?;
    assert_eq!(site.state(job).await?.status, JobStatus::Running);
    assert_eq!(site.sweep().await?.dispatched, 1);
    assert_eq!(site.receive().await?, Some(job));
    assert_eq!(site.execute(job, script).await?, Disposition::Executed);
    let state = site.state(job).await?;
    assert_eq!(state.status, JobStatus::Canceled);
    assert_eq!(
        state.outcome.and_then(|outcome| outcome.reason),
        Some(Reason::CANCELED_BY_REQUEST)
    );
    assert_eq!(site.read(job, 1, Stream::Stdout).await?, STOPPED.as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_lost_while_it_looks_loses_nothing() -> anyhow::Result<()> {
    let site = Site::open()?;
    let (job, script) = leave(&site, 1, &[Act::PrintRest("all of it\n"), Act::Event(1)]).await?;
    site.store.claim(job, lease(), site.clock.now()).await?;
    append(&*site.logs, stdout_key(job, 1), 0, "all ").await?;
    assert_eq!(site.sweep().await?.lost, 0);
    let swept = site.sweep_after_silence().await?;
    assert_eq!((swept.lost, swept.dispatched), (0, 1));
    assert_eq!(site.state(job).await?.detached.as_deref(), Some(TASK));
    assert_eq!(site.receive().await?, Some(job));
    assert_eq!(site.execute(job, script).await?, Disposition::Executed);
    let state = site.state(job).await?;
    assert_eq!((state.attempt, state.outcome), (1, Some(success())));
    assert_eq!(site.read(job, 1, Stream::Stdout).await?, b"all of it\n");
    let manifest = site.manifest(job).await?;
    assert_eq!(
        (
            manifest.stdout_bytes,
            manifest.events,
            manifest.segments,
            manifest.complete
        ),
        (10, 1, 2, true)
    );
    Ok(())
}
