//! Jobs whose record cannot be written for a while.

use std::sync::Arc;

use callboard_core::execute::Disposition;
use callboard_core::job::JobStatus;
use callboard_core::options::Options;
use callboard_core::ports::StoreError;
use callboard_core::progress::Progress;
use callboard_tests::contract::samples::success;
use tokio::sync::Notify;

use crate::faulty_store::FaultyStore;
use crate::script::{Act, Script};
use crate::site::{LEASE, Site};

#[tokio::test]
async fn a_job_that_cannot_be_claimed_stays_as_it_was() -> anyhow::Result<()> {
    let (site, store) = site()?;
    let (job, script) = (site.job(Options::default()).await?, Arc::new(Script::new(&[])));
    store.set_down(true);
    let executed = site.execute(job.id, script.clone()).await;
    assert!(matches!(executed, Err(StoreError::Unavailable(_))), "{executed:?}");
    assert_eq!((site.state(job.id).await?, script.starts()), (job.state, 0));
    store.set_down(false);
    assert_eq!(site.execute(job.id, script).await?, Disposition::Executed);
    Ok(())
}

#[tokio::test]
async fn an_end_that_cannot_be_written_at_first_is_written_later() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(Options::default()).await?;
    let script = Script::new(&[Act::WorkDeafUntil(gate.clone())]);
    let running = site.start(job.id, script).await?;
    store.set_down(true);
    store.wait_for_refusals(1).await;
    gate.notify_one();
    store.wait_for_refusals(3).await;
    assert_eq!(site.state(job.id).await?.status, JobStatus::Running);
    store.set_down(false);
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn a_job_goes_on_while_its_lease_holds_although_it_cannot_be_renewed() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(Options::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkUntil(gate.clone())])).await?;
    store.set_down(true);
    site.clock.advance(LEASE / 2);
    store.wait_for_refusals(3).await;
    store.set_down(false);
    site.wait_for_renewal(job.id).await?;
    gate.notify_one();
    running.await??;
    assert_eq!(site.state(job.id).await?.outcome, Some(success()));
    Ok(())
}

#[tokio::test]
async fn progress_that_could_not_be_recorded_is_recorded_later() -> anyhow::Result<()> {
    let ((site, store), gate) = (site()?, Arc::new(Notify::new()));
    let job = site.job(Options::default()).await?;
    let progress = Progress {
        hosts_ok: 7,
        ..Progress::default()
    };
    let acts = [
        Act::WorkUntil(gate.clone()),
        Act::Report(progress.clone()),
        Act::WorkForEver,
    ];
    let running = site.start(job.id, Script::new(&acts)).await?;
    store.set_down(true);
    gate.notify_one();
    store.wait_for_refusals(3).await;
    store.set_down(false);
    site.wait_for_renewal(job.id).await?;
    assert_eq!(site.state(job.id).await?.progress, Some(progress));
    site.shut_down();
    running.await??;
    Ok(())
}

#[tokio::test]
async fn a_job_whose_lease_ends_without_renewal_is_stopped_and_left_to_the_sweep() -> anyhow::Result<()> {
    let (site, store) = site()?;
    let job = site.job(Options::default()).await?;
    let running = site.start(job.id, Script::new(&[Act::WorkForEver])).await?;
    store.set_down(true);
    site.clock.advance(LEASE * 2);
    assert_eq!(running.await??, Disposition::Executed);
    assert_eq!(site.state(job.id).await?.status, JobStatus::Running);
    store.set_down(false);
    assert_eq!(site.sweep().await?.lost, 1);
    Ok(())
}

fn site() -> anyhow::Result<(Site, Arc<FaultyStore>)> {
    let mut site = Site::open()?;
    let store = Arc::new(FaultyStore::new(site.store.clone()));
    site.store = store.clone();
    Ok((site, store))
}
