//! How long the jobs of a tenant wait for those of another.

use anyhow::ensure;
use callboard_core::base::time::Timestamp;
use callboard_tests::{Client, Service};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use crate::jobs::hello;
use crate::report::{Report, Target, median};

/// How many jobs of the one tenant wait.
const MANY: usize = 10_000;
const AT_ONCE: usize = 16;
const ROUNDS: usize = 9;

/// The wait of a single job for a worker while another tenant has thousands in line, against the time that a job takes.
pub(crate) async fn turns(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "2", "--max-queued", "20000"])?;
    let operator = tenant(&service.client(), "default").await?;
    let (many, few) = (tenant(&operator, "many").await?, tenant(&operator, "few").await?);
    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(timed(&few).await?.1);
    }
    let request = hello();
    let submissions = stream::iter(0..MANY).map(|_| many.submit(&request));
    let _ids: Vec<String> = submissions.buffer_unordered(AT_ONCE).try_collect().await?;
    let mut waits = Vec::new();
    for _ in 0..ROUNDS {
        waits.push(timed(&few).await?.0);
    }
    let left = many.get("/api/v1/jobs?status=pending").await?.body["total"].clone();
    ensure!(
        left == 1000,
        "{left} jobs still wait, so that there is nothing to measure"
    );
    let (wait, job) = (median(waits), median(alone));
    report.add(
        "wait of a job among 10,000 of another tenant",
        wait / job,
        "jobs",
        Target::AtMost(1.5),
        format!("{wait:.0} ms against {job:.0} ms that a job takes"),
    );
    Ok(())
}

/// Makes a key of a tenant, and returns a client that shows it.
async fn tenant(client: &Client, name: &str) -> anyhow::Result<Client> {
    client
        .make_key(&json!({"name": name, "scopes": ["admin"], "tenant": name}))
        .await
}

/// Runs a job; returns how long it waited, and how long it took, in milliseconds.
async fn timed(client: &Client) -> anyhow::Result<(f64, f64)> {
    let id = client.submit(&hello()).await?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful", "{job}");
    let at = |name: &str| {
        let at: Timestamp = job[name].as_str().unwrap_or_default().parse()?;
        anyhow::Ok(at)
    };
    let (created, started, finished) = (at("created_at")?, at("started_at")?, at("finished_at")?);
    Ok((ms(created, started), ms(started, finished)))
}

fn ms(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64() * 1e3
}
