//! The cost of losing nothing and running nothing twice, and how soon the jobs of a killed service have ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_core::base::time::SystemClock;
use callboard_core::job::{JobQueue, JobStore, Ticket};
use callboard_core::output::{LogStore, Output, OutputLimits};
use callboard_core::request::Lane;
use callboard_core::submit::{IdempotencyStore, Reservation};
use callboard_embedded::{Database, FileLogStore, SqliteIdempotencyStore, SqliteJobStore, SqliteQueue};
use callboard_tests::contract::samples::{due, job, lease, now, success};
use callboard_tests::{Service, daemon};
use rustix::process::Signal;
use serde_json::json;

use crate::jobs::hello;
use crate::report::{Report, Target, median};

const KILLS: usize = 3;
const JOBS: usize = 4;
const LIVES: usize = 200;
const ROUNDS: usize = 20;
/// The sizes of the output of hello.yml and of its events.
const PRINTED: usize = 470;
const EVENTS: usize = 4862;

/// The time for all writes to disk that a job causes, compared with the job's wall time. It is an upper bound: a service that
/// promises less would also write records.
pub(crate) async fn cost(report: &mut Report) -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let database = Database::open(&data.path().join("beside.db"))?;
    let (store, keys) = (
        SqliteJobStore::new(database.clone()),
        SqliteIdempotencyStore::new(database.clone()),
    );
    let queue = SqliteQueue::new(database, Arc::new(SystemClock));
    let logs: Arc<dyn LogStore> = Arc::new(FileLogStore::new(data.path().join("beside")));
    let (mut walls, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answer = client.post("/api/v1/jobs?sync=true", hello().to_string()).await?;
        ensure!(answer.body["status"] == "successful", "{answer:?}");
        walls.push(begun.elapsed().as_secs_f64());
    }
    for _ in 0..LIVES {
        let begun = Instant::now();
        let (job, held) = (job(), lease());
        let reservation = Reservation {
            job: job.id,
            request_sha256: "0".repeat(64),
            at: job.created_at,
            wait: Duration::ZERO,
            answered: false,
        };
        keys.reserve(&job.tenant, &job.id.to_string().parse()?, &reservation)
            .await?;
        store.create(&job).await?;
        queue.send(&Ticket::of(&job), Duration::ZERO).await?;
        store.mark_dispatched(job.id, due(&job)).await?;
        let message = queue
            .try_receive(Lane::Programs, Duration::from_secs(60))
            .await?
            .context("a message")?;
        store.claim(job.id, held, now()).await?;
        let output = Output::new(logs.clone(), job.id, 1, OutputLimits::default());
        output.stdout(&vec![b'x'; PRINTED + EVENTS]).await?;
        output.close(true, Duration::ZERO).await?;
        store.finish(job.id, held.token, success(), now()).await?;
        queue.acknowledge(message).await?;
        writes.push(begun.elapsed().as_secs_f64());
    }
    let (wall, written) = (median(walls), median(writes));
    let reference = format!(
        "{:.2} ms of writes, one after the other, in {:.0} ms",
        written * 1e3,
        wall * 1e3
    );
    report.add(
        "hello.yml: share of what is written for it",
        written / wall,
        "ratio",
        Target::AtMost(0.05),
        reference,
    );
    Ok(())
}

/// The time from SIGKILL to the final state, when the service is restarted at once.
pub(crate) async fn recovery(report: &mut Report) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for _ in 0..KILLS {
        let workers = JOBS.to_string();
        let (mut service, data) = Service::start(&["--workers", &workers])?;
        let client = service.client();
        let mut jobs = Vec::new();
        for number in 0..JOBS {
            let marker = data.path().join(number.to_string()).display().to_string();
            let id = daemon::start(&client, &marker, &json!({})).await?;
            daemon::runs(&client, &id, &marker).await?;
            jobs.push(id);
        }
        service.signal(Signal::KILL)?;
        let killed = Instant::now();
        service.wait()?;
        let service = Service::start_in(data.path(), &[])?;
        for id in jobs {
            let job = service.client().ended(&id).await?;
            ensure!(job["reason"] == "lost", "{job}");
            took.push(killed.elapsed().as_secs_f64());
        }
    }
    let longest = took.iter().copied().fold(0.0, f64::max);
    let reference = format!(
        "{} jobs of {KILLS} kills, with the start of the next service",
        took.len()
    );
    report.add(
        "kill to final state, median",
        median(took),
        "s",
        Target::AtMost(60.0),
        reference.clone(),
    );
    report.add(
        "kill to final state, longest",
        longest,
        "s",
        Target::AtMost(60.0),
        reference,
    );
    Ok(())
}
