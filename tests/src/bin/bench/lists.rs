//! Lists, and the reads of a sweep: with a hundred thousand jobs compared with a hundred.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Job, JobStore, Lease, Outcome};
use callboard_core::request::{JobOptions, Lane};
use callboard_embedded::{Database, SqliteJobStore};
use callboard_kind_ansible::detail::PLAYBOOK_FAILED;
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::Source;
use callboard_tests::contract::samples::{due, job_of};
use callboard_tests::{Client, Service};
use futures_util::future::try_join_all;
use tokio::task::JoinSet;

use crate::report::{Report, Target, median};

const SMALL: usize = 100;
const LARGE: usize = 100_000;
const WRITERS: usize = 64;
/// How many jobs a sweep asks for at most.
const WATCHED: u32 = 10_000;
const BATCH: u32 = 100;
const DAY: Duration = Duration::from_secs(24 * 3600);
const ROUNDS: usize = 300;
/// The allowed noise between two measurements of the same thing on a busy machine.
const NOISE: f64 = 1.15;

/// Compares lists of both sizes. Every third job has failed, so that with either size a filter finds a full page and has something
/// to leave out.
pub(crate) async fn depth(report: &mut Report) -> anyhow::Result<()> {
    let (small, large) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fill(small.path(), SMALL).await?;
    fill(large.path(), LARGE).await?;
    let (few, many) = (
        Service::start_in(small.path(), &[])?,
        Service::start_in(large.path(), &[])?,
    );
    let target = Target::AtMost(NOISE);
    for (name, query) in [
        ("list of 20, any status", "limit=20"),
        ("list of 20, failed", "status=failed&limit=20"),
    ] {
        let (few, many) = both(&few.client(), &many.client(), query).await?;
        let reference = format!("{many:.2} ms of 100,000 against {few:.2} ms of 100");
        report.add(name, many / few, "ratio", target, reference);
    }
    Ok(())
}

async fn both(few: &Client, many: &Client, query: &str) -> anyhow::Result<(f64, f64)> {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        small.push(list(few, query).await?);
        large.push(list(many, query).await?);
    }
    Ok((median(small), median(large)))
}

async fn list(client: &Client, query: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answer = client.get(&format!("/api/v1/jobs?{query}")).await?;
    ensure!(answer.status.is_success(), "{answer:?}");
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

async fn fill(data: &Path, jobs: usize) -> anyhow::Result<()> {
    let store: Arc<dyn JobStore> = Arc::new(SqliteJobStore::new(Database::open(&data.join("callboard.db"))?));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for number in (writer..jobs).step_by(WRITERS) {
                add(&*store, number % 3 == 0).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(())
}

async fn add(store: &dyn JobStore, fails: bool) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let request = AnsibleRequest {
        source: Source::Playbook("hello.yml".to_owned()),
        ..AnsibleRequest::default()
    };
    let request = request.with_options(JobOptions::default());
    let job = Job::new(Tenant::default(), request, now, Duration::from_secs(86_400));
    let lease = Lease::new();
    let failed = Outcome::failed(PLAYBOOK_FAILED, "1 of 1 host failed.");
    let successful = Outcome::successful();
    store.create(&job).await?;
    store.claim(job.id, lease, now).await?;
    let outcome = if fails { failed } else { successful };
    Ok(store.finish(job.id, lease.token, outcome, now).await.map(drop)?)
}

/// One look of the sweep while a hundred thousand jobs wait for a worker, against one while a hundred wait.
pub(crate) async fn sweep(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteJobStore::new(Database::open(&folder.path().join("callboard.db"))?);
    let mut times = Vec::new();
    let mut waiting = 0;
    for size in [SMALL, LARGE] {
        while waiting < size {
            waiting += enqueue(&store, WRITERS.min(size - waiting)).await?;
        }
        let mut looks = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            look(&store).await?;
            looks.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.push(median(looks));
    }
    let reference = format!(
        "{:.2} ms of 100,000 that wait against {:.2} ms of 100",
        times[1], times[0]
    );
    report.add(
        "a look of the sweep",
        times[1] / times[0],
        "ratio",
        Target::AtMost(NOISE),
        reference,
    );
    Ok(())
}

/// Does the reads of every sweep: running jobs, due jobs, queued jobs, and jobs that have waited too long.
pub(crate) async fn look(store: &dyn JobStore) -> anyhow::Result<()> {
    let now = SystemClock.now();
    store.running(WATCHED).await?;
    store.due(now, BATCH).await?;
    for lane in Lane::ALL {
        store.queued(lane, BATCH).await?;
    }
    store.pending_since(now - DAY, BATCH).await?;
    Ok(())
}

/// Adds jobs that wait for a worker, all at the same time; returns how many.
pub(crate) async fn enqueue(store: &dyn JobStore, jobs: usize) -> anyhow::Result<usize> {
    let jobs: Vec<_> = (0..jobs).map(|_| job_of(&Tenant::default())).collect();
    try_join_all(jobs.iter().map(async |job| {
        store.create(job).await?;
        store.mark_dispatched(job.id, due(job)).await
    }))
    .await?;
    Ok(jobs.len())
}
