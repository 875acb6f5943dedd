//! What stops a job from outside, and how that is recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_core::job::{Job, JobStatus, Outcome};
use callboard_core::request::{JobOptions, Reason};
use callboard_core::run::Limits;
use callboard_kind_ansible::detail::Detail;
use callboard_tests::contract::samples::{cancel_by, success, ticket};
use tokio::sync::Notify;

use crate::script::{Act, STOPPED, STOPPED_RC, Script};
use crate::site::{Site, attempts};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_job_that_runs_too_long_is_stopped() -> anyhow::Result<()> {
    let site = Site::open()?;
    let options = JobOptions {
        timeout: Some(1),
        ..JobOptions::default()
    };
    let (outcome, took) = stopped(&site, options, &[Act::Print("a\n"), Act::WorkForEver]).await?;
    assert_eq!(
        (outcome.reason.clone(), Detail::of(&outcome).rc),
        (Some(Reason::TIMEOUT), Some(STOPPED_RC))
    );
    assert!(outcome.error.is_some_and(|error| error.contains("1 s")));
    assert!(took >= Duration::from_secs(1), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_is_stopped_when_it_is_silent_for_too_long_and_not_before() -> anyhow::Result<()> {
    let site = Site::open()?;
    let options = JobOptions {
        idle_timeout: Some(1),
        ..JobOptions::default()
    };
    let pause = Act::Work(Duration::from_millis(350));
    let print = [pause, Act::Print("a\n")];
    let acts = [print.clone().as_slice(), &print, &print, &[Act::WorkForEver]].concat();
    let (outcome, took) = stopped(&site, options, &acts).await?;
    assert_eq!(outcome.reason, Some(Reason::IDLE_TIMEOUT));
    assert!(took >= Duration::from_millis(2050), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_is_stopped_at_the_deadline_of_its_worker() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let worker = site.worker(Arc::new(Script::new(&[Act::WorkForEver])));
    let deadline = Some(Instant::now() + SHORT);
    worker
        .execute(
            &ticket(job.id),
            Limits {
                deadline,
                ..site.limits()
            },
        )
        .await?;
    let state = site.state(job.id).await?;
    assert_eq!(reason(&state.outcome), Some(Reason::DEADLINE));
    assert_eq!(site.stdout(job.id).await?, STOPPED);
    assert!(site.manifest(job.id).await?.complete);
    Ok(())
}

#[tokio::test]
async fn a_job_is_stopped_when_the_service_shuts_down() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = shut_down_while_running(&site, JobOptions::default()).await?;
    assert_eq!(job.state.status, JobStatus::Failed);
    assert_eq!(reason(&job.state.outcome), Some(Reason::SHUTDOWN));
    assert_eq!(site.receive().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_job_that_may_run_again_waits_for_the_next_start_of_the_service() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = shut_down_while_running(&site, attempts(2)).await?;
    assert_eq!((job.state.status, job.state.outcome), (JobStatus::Pending, None));
    site.clock.advance(Duration::from_secs(2));
    assert_eq!(site.receive().await?, Some(job.id));
    Ok(())
}

#[tokio::test]
async fn the_first_reason_to_stop_a_job_is_the_one_that_is_told() -> anyhow::Result<()> {
    for _ in 0..4 {
        let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
        let job = site.job(JobOptions::default()).await?;
        let acts = [Act::WorkDeafUntil(gate.clone()), Act::WorkForEver];
        let running = site.start(job.id, Script::new(&acts)).await?;
        site.store.request_cancel(job.id, cancel_by("ann")).await?;
        site.wait_for_renewal(job.id).await?;
        site.shut_down();
        tokio::time::sleep(SHORT).await;
        gate.notify_one();
        running.await??;
        let state = site.state(job.id).await?;
        assert_eq!(reason(&state.outcome), Some(Reason::CANCELED_BY_REQUEST));
    }
    Ok(())
}

#[tokio::test]
async fn a_job_within_its_limits_is_left_alone() -> anyhow::Result<()> {
    let site = Site::open()?;
    let options = JobOptions {
        timeout: Some(60),
        idle_timeout: Some(60),
        ..JobOptions::default()
    };
    let job = site.job(options).await?;
    site.execute(job.id, Arc::new(Script::new(&[Act::Work(SHORT)]))).await?;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

async fn stopped(site: &Site, options: JobOptions, acts: &[Act]) -> anyhow::Result<(Outcome, Duration)> {
    let (job, begun) = (site.job(options).await?, Instant::now());
    site.execute(job.id, Arc::new(Script::new(acts))).await?;
    let took = begun.elapsed();
    let outcome = site.state(job.id).await?.outcome;
    assert!(site.stdout(job.id).await?.ends_with(STOPPED));
    Ok((outcome.unwrap_or_else(success), took))
}

async fn shut_down_while_running(site: &Site, options: JobOptions) -> anyhow::Result<Job> {
    let job = site.job(options).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    site.shut_down();
    running.await??;
    Ok(site.store.get(job.id, job.created_at).await?)
}

fn reason(outcome: &Option<Outcome>) -> Option<Reason> {
    outcome.as_ref().and_then(|outcome| outcome.reason.clone())
}
