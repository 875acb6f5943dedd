//! Output when the log store is slow, down for a while, or broken.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use callboard_core::base::id::JobId;
use callboard_core::job::JobStatus;
use callboard_core::output::{Output, OutputLimits, Stream};
use callboard_core::request::JobOptions;
use callboard_tests::contract::samples::{cancel_by, success};
use callboard_tests::faults::{Fault, Faults};
use tokio::sync::Notify;

use crate::script::{Act, Script, filling};
use crate::site::{LEASE, Site, attempts, stdout_key};

const FOR_EVER: u32 = u32::MAX;
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_log_store_that_is_down_for_a_while_costs_no_byte() -> anyhow::Result<()> {
    assert_whole(Fault::Down, 6).await
}

#[tokio::test]
async fn a_log_store_that_writes_and_does_not_answer_doubles_no_byte() -> anyhow::Result<()> {
    assert_whole(Fault::Mute, 6).await
}

#[tokio::test]
async fn a_write_that_is_under_way_when_the_job_ends_costs_no_byte() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Slow(Duration::from_millis(60)), 1)?;
    let acts = [
        Act::Print("a\n"),
        Act::Event(1),
        Act::WorkDeaf(Duration::from_millis(40)),
    ];
    let job = site.run(Script::new(&acts)).await?;
    assert_eq!((site.stdout(job.id).await?.as_str(), logs.struck()), ("a\n", 1));
    let manifest = site.manifest(job.id).await?;
    assert_eq!(
        (manifest.stdout_bytes, manifest.events, manifest.complete),
        (2, 1, true)
    );
    let events = site.read(job.id, 1, Stream::Events).await?;
    assert_eq!(events.len() as u64, manifest.events_bytes);
    let index = site.read(job.id, 1, Stream::EventIndex).await?;
    assert_eq!(index, manifest.events_bytes.to_le_bytes());
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_given_up_costs_no_byte() -> anyhow::Result<()> {
    let (site, _logs) = site(Fault::Slow(Duration::from_millis(50)), 2)?;
    let (job, half) = (JobId::new(), MIB / 2);
    let output = Output::new(site.logs.clone(), job, 1, OutputLimits::default());
    let content = filling(MIB);
    for part in content.chunks(half) {
        drop(tokio::time::timeout(Duration::from_millis(5), output.stdout(part)).await);
    }
    let manifest = output.close(true, Duration::from_secs(5)).await?;
    assert_eq!(manifest.stdout_bytes, MIB as u64);
    ensure!(site.read(job, 1, Stream::Stdout).await? == content, "the log differs");
    Ok(())
}

#[tokio::test]
async fn a_log_store_that_hangs_keeps_no_lease_from_being_renewed() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Slow(Duration::from_secs(1)), 1)?;
    let job = site.job(JobOptions::default()).await?;
    let acts = [Act::Print("a\n"), Act::WorkForEver];
    let running = site.start(job.id, Script::new(&acts)).await?;
    while logs.struck() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    site.wait_for_renewal(job.id).await?;
    ensure!(
        site.stdout(job.id).await?.is_empty(),
        "the lease waited for the log store"
    );
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    running.await??;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Canceled);
    Ok(())
}

#[tokio::test]
async fn a_job_whose_output_cannot_be_kept_ends_as_it_did_and_its_log_is_not_sealed() -> anyhow::Result<()> {
    let (site, _logs) = site(Fault::Down, FOR_EVER)?;
    let job = site.job(attempts(3)).await?;
    site.execute(job.id, Arc::new(Script::new(&[Act::Print("a\n")])))
        .await?;
    let state = site.state(job.id).await?;
    assert_eq!((state.outcome, state.attempt), (Some(success()), 1));
    assert_eq!(site.logs.manifest(job.id, 1).await?, None);
    Ok(())
}

#[tokio::test]
async fn the_lease_is_kept_while_the_rest_of_the_output_is_written() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Slow(Duration::from_secs(1)), FOR_EVER)?;
    let (job, gate) = (site.job(JobOptions::default()).await?, Arc::new(Notify::new()));
    let acts = [Act::WorkUntil(gate.clone()), Act::Print("a\n")];
    let running = site.start(job.id, Script::new(&acts)).await?;
    gate.notify_one();
    while logs.struck() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..3 {
        site.clock.advance(LEASE - Duration::from_secs(1));
        site.wait_for_renewal(job.id).await?;
        assert_eq!(site.sweep().await?.lost, 0);
    }
    running.await??;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Successful);
    Ok(())
}

#[tokio::test]
async fn a_job_that_prints_while_nothing_can_be_kept_waits_and_loses_nothing() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Down, FOR_EVER)?;
    let job = site.job(JobOptions::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::Fill(8 * MIB)])).await?;
    logs.wait_for(50).await;
    ensure!(!running.is_finished(), "the job did not wait");
    logs.mend();
    running.await??;
    ensure!(
        site.read(job.id, 1, Stream::Stdout).await? == filling(8 * MIB),
        "the log differs"
    );
    assert!(site.manifest(job.id).await?.complete);
    Ok(())
}

#[tokio::test]
async fn a_job_that_waits_for_the_log_store_can_be_stopped_all_the_same() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Down, FOR_EVER)?;
    let job = site.job(JobOptions::default()).await?;
    let running = site
        .start(job.id, Script::new(&[Act::Fill(8 * MIB), Act::WorkForEver]))
        .await?;
    logs.wait_for(50).await;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    running.await??;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Canceled);
    assert_eq!(site.logs.manifest(job.id, 1).await?, None);
    Ok(())
}

#[tokio::test]
async fn output_beyond_what_is_kept_of_a_job_is_cut_and_the_log_says_so() -> anyhow::Result<()> {
    let (site, job) = (Site::open()?, JobId::new());
    let limits = OutputLimits {
        max_bytes: 1000,
        max_events: 3,
    };
    let output = Output::new(site.logs.clone(), job, 1, limits);
    output.stdout(&filling(990)).await?;
    output.stdout(&[b'x'; 20]).await?;
    output.stdout(b"more").await?;
    let manifest = output.close(true, Duration::from_secs(5)).await?;
    let log = String::from_utf8(site.read(job, 1, Stream::Stdout).await?)?;
    let (kept, notice) = log.split_at(1000);
    ensure!(
        kept.ends_with("xxxxxxxxxx") && notice.starts_with("\n[truncated: Callboard keeps 1000 bytes"),
        "{log}"
    );
    assert_eq!((manifest.stdout_bytes, manifest.truncated), (log.len() as u64, true));
    Ok(())
}

#[tokio::test]
async fn a_log_that_vanishes_under_a_running_job_is_no_reason_to_wait() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let acts = [Act::Print("a\n"), Act::WorkUntil(gate.clone()), Act::Print("b\n")];
    let running = site.start(job.id, Script::new(&acts)).await?;
    site.wait_for_stdout(job.id, 2).await?;
    site.logs.remove(job.id).await?;
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    assert_eq!(site.logs.manifest(job.id, 1).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_full_buffer_is_written_without_waiting_for_the_next_flush() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = JobId::new();
    let output = Output::new(site.logs.clone(), job, 1, OutputLimits::default());
    output.stdout(b"small").await?;
    assert_eq!(site.logs.size(stdout_key(job, 1)).await?, 0);
    output.stdout(&filling(MIB)).await?;
    assert_eq!(site.logs.size(stdout_key(job, 1)).await?, MIB as u64 + 5);
    Ok(())
}

#[tokio::test]
async fn a_log_store_that_fails_before_the_seal_is_asked_again() -> anyhow::Result<()> {
    let (site, logs) = site(Fault::Mute, 3)?;
    let job = site.run(Script::new(&[])).await?;
    assert_eq!((job.state.outcome, logs.struck()), (Some(success()), 3));
    assert!(site.manifest(job.id).await?.complete);
    Ok(())
}

async fn assert_whole(fault: Fault, times: u32) -> anyhow::Result<()> {
    let (site, logs) = site(fault, times)?;
    let acts = [
        Act::Fill(MIB),
        Act::Event(1),
        Act::Work(Duration::from_millis(30)),
        Act::Event(2),
    ];
    let job = site.run(Script::new(&acts)).await?;
    assert_eq!((job.state.outcome, logs.struck()), (Some(success()), times));
    ensure!(
        site.read(job.id, 1, Stream::Stdout).await? == filling(MIB),
        "the log differs"
    );
    let manifest = site.manifest(job.id).await?;
    assert_eq!((manifest.stdout_bytes, manifest.events), (MIB as u64, 2));
    let events = site.read(job.id, 1, Stream::Events).await?;
    assert_eq!(events.len() as u64, manifest.events_bytes);
    assert_eq!(site.read(job.id, 1, Stream::EventIndex).await?.len(), 16);
    Ok(())
}

/// Makes a site whose log store fails so many times when it is to write, and then works.
fn site(fault: Fault, times: u32) -> anyhow::Result<(Site, Faults)> {
    let faults = Faults::default();
    faults.only_writes().set("log.", fault, times);
    let mut site = Site::open()?;
    site.logs = faults.logs(site.logs);
    Ok((site, faults))
}
