//! Jobs whose record cannot be written for a while.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::job::{JobStatus, Lease, Outcome};
use callboard_core::output::seal_lost;
use callboard_core::request::{JobOptions, Reason};
use callboard_core::run::{Disposition, Worker, WorkerSettings};
use callboard_kind_ansible::detail::PlayProgress;
use callboard_tests::contract::samples::{success, ticket};
use callboard_tests::faults::{Fault, Faults};
use futures_util::future::try_join_all;
use tokio::sync::Notify;

use crate::script::{Act, Script};
use crate::site::{LEASE, SILENCE, Site, attempts};

#[tokio::test]
async fn a_job_that_cannot_be_claimed_stays_as_it_was() -> anyhow::Result<()> {
    let (site, store) = site()?;
    let (job, script) = (site.job(JobOptions::default()).await?, Arc::new(Script::new(&[])));
    set_down(&store);
    assert_eq!(site.execute(job.id, script.clone()).await?, Disposition::PutOff);
    let mut own = site.worker(script.clone());
    own.settings.puts_back = false;
    let executed = own.execute(&ticket(job.id), site.limits()).await;
    assert!(matches!(executed, Err(StoreError::Unavailable(_))), "{executed:?}");
    assert_eq!(
        (site.state(job.id).await?.status, script.starts()),
        (JobStatus::Pending, 0)
    );
    store.mend();
    assert_eq!(site.execute(job.id, script).await?, Disposition::Executed);
    Ok(())
}

#[tokio::test]
async fn half_an_hour_without_the_store_counts_towards_no_dead_letter_and_every_job_runs_once() -> anyhow::Result<()> {
    let ((site, store), script) = (site()?, Arc::new(Script::new(&[])));
    let (worker, mut jobs) = (site.worker(script.clone()), Vec::new());
    for _ in 0..2 {
        let job = site.job(JobOptions::default()).await?;
        site.queue.send(&ticket(job.id), Duration::ZERO).await?;
        jobs.push(job.id);
    }
    set_down(&store);
    let mut counts = Vec::new();
    for _ in 0..360 {
        counts.extend(deal(&site, &worker).await?);
        site.clock.advance(Duration::from_secs(5));
    }
    assert!(
        counts.len() > 10 && counts.iter().all(|count| *count == 1),
        "{counts:?}"
    );
    store.mend();
    site.clock.advance(Duration::from_secs(600));
    assert_eq!(deal(&site, &worker).await?.len(), 2);
    for job in jobs {
        let state = site.state(job).await?;
        assert_eq!(
            (state.status, state.attempt, state.dead_letter),
            (JobStatus::Successful, 1, None)
        );
    }
    assert_eq!(script.starts(), 2);
    site.clock.advance(Duration::from_secs(3600));
    assert!(deal(&site, &worker).await?.is_empty());
    Ok(())
}

/// Deals with every message that is there now, as workers do; returns how often each had been received.
async fn deal(site: &Site, worker: &Worker) -> anyhow::Result<Vec<u32>> {
    let mut messages = Vec::new();
    while let Some(message) = site.receive_message().await? {
        messages.push(message);
    }
    let dealt = messages.into_iter().map(|message| async move {
        worker.execute(&message.ticket, site.limits()).await?;
        let receives = message.receives;
        site.acknowledge(message).await?;
        anyhow::Ok(receives)
    });
    try_join_all(dealt).await
}

#[tokio::test]
async fn an_end_that_cannot_be_written_at_first_is_written_later() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let script = Script::new(&[Act::WorkDeafUntil(gate.clone())]);
    let running = site.start(job.id, script).await?;
    set_down(&store);
    store.wait_for(1).await;
    gate.notify_one();
    store.wait_for(3).await;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Running);
    store.mend();
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_job_goes_on_while_its_lease_holds_although_it_cannot_be_renewed() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkUntil(gate.clone())])).await?;
    set_down(&store);
    site.clock.advance(LEASE / 2);
    store.wait_for(3).await;
    store.mend();
    site.wait_for_renewal(job.id).await?;
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn progress_that_could_not_be_recorded_is_recorded_later() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let progress = Object::of(&PlayProgress {
        hosts_ok: 7,
        ..PlayProgress::default()
    });
    let acts = [
        Act::WorkUntil(gate.clone()),
        Act::Report(progress.clone()),
        Act::WorkForEver,
    ];
    let running = site.start(job.id, Script::new(&acts)).await?;
    set_down(&store);
    gate.notify_one();
    store.wait_for(3).await;
    store.mend();
    site.wait_for_renewal(job.id).await?;
    assert_eq!(site.state(job.id).await?.progress, Some(progress));
    site.shut_down();
    running.await??;
    Ok(())
}

#[tokio::test]
async fn a_job_that_may_run_again_is_stopped_when_its_lease_cannot_be_renewed_and_left_to_the_sweep()
-> anyhow::Result<()> {
    let (site, store) = site()?;
    let job = site.job(attempts(2)).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    set_down(&store);
    site.clock.advance(LEASE);
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.status, JobStatus::Running);
    store.mend();
    assert_eq!(site.sweep_after_silence().await?.lost, 1);
    Ok(())
}

#[tokio::test]
async fn a_job_that_runs_once_goes_on_though_its_lease_cannot_be_renewed() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkUntil(gate.clone())])).await?;
    set_down(&store);
    site.clock.advance(LEASE * 3);
    store.wait_for(3).await;
    store.mend();
    gate.notify_one();
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_job_that_runs_once_and_is_taken_for_lost_goes_on_and_nothing_of_it_is_written() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let acts = [
        Act::Print("begun\n"),
        Act::WorkUntil(gate.clone()),
        Act::Print("after\n"),
    ];
    let running = site.start(job.id, Script::new(&acts)).await?;
    site.wait_for_stdout(job.id, 6).await?;
    let (taken, now) = (take(&site, job.id).await?, site.clock.now());
    seal_lost(&*site.logs, job.id, 1).await?;
    let lost = Outcome::failed(Reason::LOST, "The worker stopped reporting.");
    site.store.finish(job.id, taken.token, lost.clone(), now).await?;
    gate.notify_one();
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.outcome, Some(lost));
    assert_eq!(site.stdout(job.id).await?, "begun\n");
    Ok(())
}

/// Takes a running job from its worker, as a sweep does.
async fn take(site: &Site, id: JobId) -> anyhow::Result<Lease> {
    let taken = Lease::new();
    loop {
        let held = site.state(id).await?.lease.context("a lease")?;
        match site.store.seize(id, held, taken).await {
            Ok(_) => return Ok(taken),
            // it was renewed meanwhile
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Two faults in sequence: the sweep counts from the renewal that it saw last, whatever the worker was answered.
#[tokio::test]
async fn a_renewal_after_one_whose_answer_was_lost_shows_that_the_worker_lives() -> anyhow::Result<()> {
    let (site, store) = site()?;
    let job = site.job(attempts(2)).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    site.wait_for_renewal(job.id).await?;
    store.set("store.renew", Fault::Mute, 1);
    store.wait_for(1).await;
    let mute = site.state(job.id).await?.lease.map(|lease| lease.beat);
    // the next one comes under another beat, or the sweep would take both for one
    site.wait_for(job.id, |state| state.lease.map(|lease| lease.beat) > mute)
        .await?;
    set_down(&store);
    site.clock.advance(LEASE);
    assert_eq!(running.await??, Disposition::Executed);
    Ok(())
}

#[tokio::test]
async fn a_job_with_a_concurrency_key_stops_before_another_one_has_the_key() -> anyhow::Result<()> {
    let (site, store) = site()?;
    let options = JobOptions {
        concurrency_key: Some("host:db1".to_owned()),
        ..JobOptions::default()
    };
    let job = site.job(options).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    site.wait_for_renewal(job.id).await?;
    set_down(&store);
    site.clock.advance(LEASE);
    assert_eq!(running.await??, Disposition::Executed);
    Ok(())
}

#[tokio::test]
async fn a_store_that_was_down_for_long_makes_no_job_lost_whose_worker_lives() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let worker = Worker {
        settings: WorkerSettings {
            lease: None,
            ..site.worker(Arc::new(Script::new(&[]))).settings
        },
        ..site.worker(Arc::new(Script::new(&[Act::WorkUntil(gate.clone())])))
    };
    let limits = site.limits();
    let running = tokio::spawn(async move { worker.execute(&ticket(job.id), limits).await });
    site.wait_for(job.id, |state| state.status == JobStatus::Running)
        .await?;
    set_down(&store);
    assert_eq!(site.sweep().await?.lost, 0);
    site.clock.advance(SILENCE);
    assert!(site.sweep().await.is_err());
    store.mend();
    site.wait_for_renewal(job.id).await?;
    assert_eq!(site.sweep().await?.lost, 0);
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

/// Has the store refuse every write; it can be read.
fn set_down(faults: &Faults) {
    faults.only_writes().set("store.", Fault::Down, u32::MAX);
}

fn site() -> anyhow::Result<(Site, Faults)> {
    let faults = Faults::default();
    let mut site = Site::open()?;
    site.store = faults.store(site.store);
    Ok((site, faults))
}
