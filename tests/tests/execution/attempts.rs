//! Leases that are lost, and jobs that are run again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Clock;
use callboard_core::job::{Counter, DISPATCH_GRACE, Job, JobStatus, Outcome};
use callboard_core::output::Stream;
use callboard_core::policy::Quotas;
use callboard_core::request::{JobOptions, JobRequest, Reason};
use callboard_core::run::Disposition;
use callboard_kind_ansible::detail::PLAYBOOK_FAILED;
use callboard_tests::contract::log_store::append;
use callboard_tests::contract::samples::{HOUR, cancel_by, given_up, lease, request, success, ticket};
use serde_json::json;
use tokio::sync::Notify;

use crate::script::{Act, Script};
use crate::site::{SILENCE, Site, attempts, stdout_key};

#[tokio::test]
async fn a_worker_that_lost_its_lease_stops_the_job_and_writes_nothing() -> anyhow::Result<()> {
    assert_untouched(|_| Act::WorkForEver).await
}

#[tokio::test]
async fn a_worker_that_learns_only_at_the_end_that_its_lease_is_lost_writes_nothing() -> anyhow::Result<()> {
    assert_untouched(Act::WorkDeafUntil).await
}

#[tokio::test]
async fn a_lease_that_is_lost_after_a_cancel_was_heard_is_lost_all_the_same() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let acts = [Act::WorkDeafUntil(gate.clone()), Act::WorkForEver];
    let running = site.start(job.id, Script::new(&acts)).await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    site.wait_for_renewal(job.id).await?;
    let token = site.state(job.id).await?.lease.unwrap_or_else(lease).token;
    site.store.finish(job.id, token, success(), site.clock.now()).await?;
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_lost_job_fails_unless_it_may_run_again() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = lose(&site, JobOptions::default()).await?;
    let state = site.state(job).await?;
    assert_eq!((state.status, state.attempt), (JobStatus::Failed, 1));
    let outcome = state.outcome.unwrap_or_else(success);
    assert_eq!(outcome.reason, Some(Reason::LOST));
    site.clock.advance(SILENCE);
    assert_eq!(site.receive().await?, None);
    let script = Arc::new(Script::new(&[]));
    assert_eq!(site.execute(job, script.clone()).await?, Disposition::Nothing);
    assert_eq!(script.starts(), 0);
    Ok(())
}

/// The counter is by the day on which output is deleted, so it goes down with the output.
#[tokio::test]
async fn the_output_of_a_lost_attempt_counts_for_its_tenants_quota() -> anyhow::Result<()> {
    let (policy, mut faults) = (json!({"quotas": {"*": {"stored_bytes": 1000}}}), Faults::default());
    let mut site = Site::open()?;
    let read = Fields::of(&policy, "", &mut faults).map(|mut fields| Quotas::read(&mut fields, &mut faults));
    site.quotas = read.context("quotas")?;
    let id = lose(&site, JobOptions::default()).await?;
    let job = site.record(id).await?;
    let deleted = site.clock.now() + job.retention;
    let day = deleted.as_millis() / (24 * 3600 * 1000);
    for (from, bytes) in [(0, 6), (day, 6), (day + 1, 0)] {
        let kept = site.counters.sum(&job.tenant, Counter::StoredBytes, from).await?;
        assert_eq!(kept, bytes, "from the day {from}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_job_that_may_run_again_does_so_once_its_message_comes() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = lose(&site, attempts(2)).await?;
    assert_eq!(site.state(job).await?.status, JobStatus::Pending);
    assert_eq!(site.receive().await?, None);
    site.clock.advance(Duration::from_secs(2));
    assert_eq!(site.receive().await?, Some(job));
    site.execute(job, Arc::new(Script::new(&[Act::Print("second\n")])))
        .await?;
    let state = site.state(job).await?;
    assert_eq!((state.attempt, state.outcome), (2, Some(success())));
    assert_eq!(site.read(job, 1, Stream::Stdout).await?, b"first\n");
    assert_eq!(site.read(job, 2, Stream::Stdout).await?, b"second\n");
    Ok(())
}

#[tokio::test]
async fn a_job_is_run_no_more_often_than_it_may() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(attempts(3)).await?;
    let broken = Outcome::failed(Reason::RUNNER_ERROR, "Something broke.");
    let script = Arc::new(Script::ending(&[], broken.clone()));
    for attempt in 1..=3 {
        let disposition = site.execute(job.id, script.clone()).await?;
        assert_eq!(matches!(disposition, Disposition::Again(_)), attempt < 3);
        assert_eq!(site.state(job.id).await?.attempt, attempt);
        site.clock.advance(Duration::from_secs(4));
        assert_eq!(site.receive().await?.is_some(), attempt < 3);
    }
    assert_eq!(site.state(job.id).await?.outcome, Some(broken));
    assert_eq!(site.execute(job.id, script.clone()).await?, Disposition::Nothing);
    assert_eq!(script.starts(), 3);
    Ok(())
}

#[tokio::test]
async fn a_job_that_cannot_be_started_goes_back_to_the_queue_and_that_is_no_attempt() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(attempts(1)).await?;
    let script = Arc::new(Script::after_shortage(2));
    for _ in 0..2 {
        assert!(matches!(
            site.execute(job.id, script.clone()).await?,
            Disposition::Again(_)
        ));
        let state = site.state(job.id).await?;
        assert_eq!(
            (state.status, state.attempt, state.attempts()),
            (JobStatus::Pending, 0, vec![])
        );
        assert_eq!(site.logs.manifest(job.id, 1).await?, None);
        assert_eq!(site.receive().await?, None);
        site.clock.advance(Duration::from_secs(8));
        assert_eq!(site.receive().await?, Some(job.id));
    }
    site.execute(job.id, script.clone()).await?;
    assert_eq!((site.state(job.id).await?.attempt, script.starts()), (1, 3));
    Ok(())
}

#[tokio::test]
async fn without_a_queue_a_job_that_cannot_be_started_fails() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(attempts(1)).await?;
    let mut worker = site.worker(Arc::new(Script::after_shortage(1)));
    worker.settings.puts_back = false;
    worker.execute(&ticket(job.id), site.limits()).await?;
    let outcome = site.state(job.id).await?.outcome.unwrap_or_else(success);
    assert_eq!(outcome.reason, Some(Reason::RUNNER_ERROR));
    Ok(())
}

#[tokio::test]
async fn a_playbook_that_failed_is_not_run_again() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(attempts(3)).await?;
    let failed = Outcome::failed(PLAYBOOK_FAILED, "A task failed.");
    site.execute(job.id, Arc::new(Script::ending(&[], failed.clone())))
        .await?;
    assert_eq!(site.state(job.id).await?.outcome, Some(failed));
    Ok(())
}

#[tokio::test]
async fn a_job_that_broke_while_it_was_to_be_canceled_is_not_run_again() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(attempts(3)).await?;
    let broken = Outcome::failed(Reason::RUNNER_ERROR, "Something broke.");
    let script = Script::ending(&[Act::WorkDeafUntil(gate.clone())], broken);
    let running = site.start(job.id, script).await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Canceled);
    Ok(())
}

/// Gives a job to another worker behind its worker's back, as a sweep does, and checks that it stays that one's.
async fn assert_untouched(work: impl Fn(Arc<Notify>) -> Act) -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(attempts(3)).await?;
    let running = site.start(job.id, Script::new(&[work(gate.clone())])).await?;
    let (token, now) = (
        site.state(job.id).await?.lease.unwrap_or_else(lease).token,
        site.clock.now(),
    );
    site.store
        .release(job.id, token, given_up(1), now + DISPATCH_GRACE)
        .await?;
    let others = site.store.claim(job.id, lease(), now).await?;
    gate.notify_one();
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.store.get(job.id, site.clock.now()).await?, others);
    assert_eq!(site.logs.size(stdout_key(job.id, 2)).await?, 0);
    assert_eq!(site.logs.manifest(job.id, 2).await?, None);
    assert_eq!(site.receive().await?, None);
    Ok(())
}

/// Leaves a job that printed something to a worker that is gone, and sweeps when its lease is over.
async fn lose(site: &Site, options: JobOptions) -> anyhow::Result<callboard_core::base::id::JobId> {
    let job = site.job(options).await?;
    site.store.claim(job.id, lease(), site.clock.now()).await?;
    append(&*site.logs, stdout_key(job.id, 1), 0, "first\n").await?;
    assert_eq!(site.sweep_after_silence().await?.lost, 1);
    assert_eq!(site.sweep().await?.lost, 0);
    let manifest = site.manifest(job.id).await?;
    assert_eq!(
        (manifest.stdout_bytes, manifest.segments, manifest.complete),
        (6, 1, false)
    );
    Ok(job.id)
}

#[tokio::test]
async fn a_retry_waits_as_long_as_it_should_and_is_no_lost_attempt() -> anyhow::Result<()> {
    for pause in [Duration::from_secs(20), Duration::from_secs(6 * 3600)] {
        let site = Site::open()?;
        let job = site.job(attempts(2)).await?;
        for _ in 0..3 {
            let failing = Arc::new(Script::failing_for(pause, &[]));
            assert_eq!(site.execute(job.id, failing).await?, Disposition::Again(pause));
            site.sweep().await?;
            site.clock.advance(pause - Duration::from_secs(1));
            site.sweep().await?;
            assert_eq!(site.receive().await?, None, "{pause:?}: it is too early");
            site.clock.advance(Duration::from_secs(1));
            site.sweep().await?;
            let message = site.receive_message().await?.context("a message")?;
            assert_eq!(message.ticket.id, job.id);
            site.acknowledge(message).await?;
        }
        let record = site.record(job.id).await?;
        assert_eq!((record.state.attempt, record.retries()), (3, 3));
        // it has been lost never, so that it may still be lost once
        assert!(record.may_run_again());
        site.execute(job.id, Arc::new(Script::new(&[]))).await?;
        let state = site.state(job.id).await?;
        assert_eq!((state.status, state.attempt), (JobStatus::Successful, 4));
        assert_eq!(state.attempts().iter().filter(|attempt| attempt.retried).count(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_waits_for_a_retry_is_canceled_at_once() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let pause = Duration::from_secs(3600);
    site.execute(job.id, Arc::new(Script::failing_for(pause, &[]))).await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Canceled);
    site.clock.advance(pause * 2);
    site.sweep().await?;
    assert_eq!(site.receive().await?, None);
    Ok(())
}

/// Whoever waits for its concurrency key need not wait for the sweep.
#[tokio::test]
async fn a_job_that_is_canceled_when_it_is_given_back_passes_its_key_on() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let options = JobOptions {
            concurrency_key: Some("host:db1".to_owned()),
            ..JobOptions::default()
        };
        let request = JobRequest { options, ..request() };
        let mut job = Job::new(Tenant::default(), request, site.clock.now(), HOUR);
        site.store.create(&job).await?;
        site.dispatcher().dispatch(&mut job, Duration::ZERO).await?;
        jobs.push(job.id);
    }
    assert_eq!((site.receive().await?, site.receive().await?), (Some(jobs[0]), None));
    let script = Script::failing_for(Duration::from_secs(20), &[Act::WorkDeafUntil(gate.clone())]);
    let running = site.start(jobs[0], script).await?;
    site.store.request_cancel(jobs[0], cancel_by("ann")).await?;
    gate.notify_one();
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(jobs[0]).await?.status, JobStatus::Canceled);
    assert_eq!(site.receive().await?, Some(jobs[1]));
    Ok(())
}
