//! How a job's own end is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::job::{JobStatus, Outcome};
use callboard_core::output::Stream;
use callboard_core::request::{JobOptions, Reason};
use callboard_core::run::Disposition;
use callboard_kind_ansible::detail::{Detail, PlayProgress};
use callboard_kind_ansible::stats::HostStats;
use callboard_tests::contract::samples::{cancel_by, failure, lease, success};
use tokio::sync::Notify;

use crate::script::{Act, STOPPED, STOPPED_RC, Script};
use crate::site::Site;

#[tokio::test]
async fn a_job_that_ends_well_is_recorded_with_its_output() -> anyhow::Result<()> {
    let (site, outcome) = (Site::open()?, counted());
    let acts = [Act::Print("hel"), Act::Event(1), Act::Print("lo\n"), Act::Event(2)];
    let job = site.run(Script::ending(&acts, outcome.clone())).await?;
    let state = job.state;
    assert_eq!((state.status, state.attempt), (JobStatus::Successful, 1));
    assert_eq!(
        (state.lease, state.progress, state.outcome),
        (None, None, Some(outcome))
    );
    assert!(state.started_at.is_some() && state.finished_at.is_some());
    assert_eq!(site.stdout(job.id).await?, "hello\n");
    let manifest = site.manifest(job.id).await?;
    assert_eq!(
        (manifest.stdout_bytes, manifest.events, manifest.complete),
        (6, 2, true)
    );
    let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(manifest.stdout_sha256.as_deref(), Some(hello));
    Ok(())
}

#[tokio::test]
async fn the_index_says_where_each_event_ends() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.run(Script::new(&[1, 2, 3, 4].map(Act::Event))).await?;
    let events = site.read(job.id, 1, Stream::Events).await?;
    let index = site.read(job.id, 1, Stream::EventIndex).await?;
    let (ends, rest) = index.as_chunks::<8>();
    assert_eq!((ends.len(), rest.len()), (4, 0));
    let mut start = 0;
    for (number, end) in ends.iter().enumerate() {
        let end = usize::try_from(u64::from_le_bytes(*end))?;
        let event: serde_json::Value = serde_json::from_slice(&events[start..end])?;
        assert_eq!((&event["counter"], events[end - 1]), (&(number + 1).into(), b'\n'));
        start = end;
    }
    assert_eq!(
        (start, site.manifest(job.id).await?.events_bytes),
        (events.len(), events.len() as u64)
    );
    Ok(())
}

#[tokio::test]
async fn a_job_that_fails_is_recorded_as_its_runner_has_it() -> anyhow::Result<()> {
    let site = Site::open()?;
    let detail = Detail {
        rc: Some(2),
        ..Detail::default()
    };
    let outcome = detail.onto(failure());
    let job = site.run(Script::ending(&[Act::Print("no\n")], outcome.clone())).await?;
    assert_eq!(
        (job.state.status, job.state.outcome),
        (JobStatus::Failed, Some(outcome))
    );
    assert!(site.manifest(job.id).await?.complete);
    Ok(())
}

#[tokio::test]
async fn a_message_for_a_job_that_is_not_there_to_run_starts_nothing() -> anyhow::Result<()> {
    let (site, script) = (Site::open()?, Arc::new(Script::new(&[])));
    let [ended, taken, canceled] = [
        site.job(JobOptions::default()).await?,
        site.job(JobOptions::default()).await?,
        site.job(JobOptions::default()).await?,
    ];
    assert_eq!(site.execute(ended.id, script.clone()).await?, Disposition::Executed);
    site.store.claim(taken.id, lease(), taken.created_at).await?;
    site.store.request_cancel(canceled.id, cancel_by("ann")).await?;
    for id in [ended.id, taken.id, canceled.id, JobId::new()] {
        assert_eq!(site.execute(id, script.clone()).await?, Disposition::Nothing);
    }
    assert_eq!(script.starts(), 1);
    Ok(())
}

#[tokio::test]
async fn a_job_canceled_while_it_runs_says_who_wanted_it() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let running = site
        .start(job.id, Script::new(&[Act::Print("begun\n"), Act::WorkForEver]))
        .await?;
    let cancel = cancel_by("10.0.0.1");
    site.store.request_cancel(job.id, cancel.clone()).await?;
    assert_eq!(running.await??, Disposition::Executed);
    let state = site.state(job.id).await?;
    let outcome = state.outcome.unwrap_or_else(success);
    assert_eq!(
        (state.status, outcome.reason.clone()),
        (JobStatus::Canceled, Some(Reason::CANCELED_BY_REQUEST))
    );
    assert_eq!(
        (state.cancel, Detail::of(&outcome).rc),
        (Some(cancel), Some(STOPPED_RC))
    );
    assert!(outcome.error.is_some_and(|error| error.contains("10.0.0.1")));
    assert_eq!(site.stdout(job.id).await?, format!("begun\n{STOPPED}"));
    Ok(())
}

#[tokio::test]
async fn a_job_that_ended_before_it_could_be_stopped_ends_as_it_ended() -> anyhow::Result<()> {
    let (site, gate) = (Site::open()?, Arc::new(Notify::new()));
    let job = site.job(JobOptions::default()).await?;
    let script = Script::new(&[Act::WorkDeafUntil(gate.clone())]);
    let running = site.start(job.id, script).await?;
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    site.wait_for_renewal(job.id).await?;
    gate.notify_one();
    running.await??;
    let state = site.state(job.id).await?;
    assert_eq!((state.status, state.outcome), (JobStatus::Successful, Some(success())));
    assert!(state.cancel.is_some());
    Ok(())
}

#[tokio::test]
async fn output_and_progress_show_while_a_job_runs() -> anyhow::Result<()> {
    let site = Site::open()?;
    let job = site.job(JobOptions::default()).await?;
    let progress = Object::of(&PlayProgress {
        current_task: Some("wait".to_owned()),
        hosts_pending: 3,
        ..PlayProgress::default()
    });
    let acts = [Act::Print("begun\n"), Act::Report(progress.clone()), Act::WorkForEver];
    let running = site.start(job.id, Script::new(&acts)).await?;
    site.wait_for(job.id, |state| state.progress.as_ref() == Some(&progress))
        .await?;
    site.wait_for_stdout(job.id, 6).await?;
    assert_eq!(site.logs.manifest(job.id, 1).await?, None);
    site.store.request_cancel(job.id, cancel_by("ann")).await?;
    running.await??;
    Ok(())
}

fn counted() -> Outcome {
    let host = HostStats {
        ok: 3,
        changed: 1,
        processed: 1,
        ..HostStats::default()
    };
    let detail = Detail {
        rc: Some(0),
        stats: Some(BTreeMap::from([("localhost".to_owned(), host)])),
        ..Detail::default()
    };
    detail.onto(success())
}
