//! Single requests: the time of a submission, and how many records can be read per second.

use std::time::{Duration, Instant};

use anyhow::ensure;
use callboard_tests::{Client, Service};
use serde_json::json;

use crate::jobs::hello;
use crate::report::{Report, Target, median};

const SUBMISSIONS: usize = 500;
const CONNECTIONS: usize = 8;
const READING: Duration = Duration::from_secs(3);

/// Submissions while the workers are blocked by other jobs, so that Ansible does not take the CPU away.
pub(crate) async fn submit(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "1"])?;
    let client = service.client();
    let long = client
        .submit(&json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 300}}))
        .await?;
    client
        .until(&long, |job| job["progress"]["current_task"].is_string())
        .await?;
    let mut samples = Vec::new();
    for _ in 0..SUBMISSIONS {
        let start = Instant::now();
        client.submit(&hello()).await?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.add(
        "POST of a job, p50",
        median(samples),
        "ms",
        Target::AtMost(2.0),
        "12 ms of the Python service",
    );
    Ok(())
}

/// Records read over eight connections at once.
pub(crate) async fn get(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let id = service.client().submit(&hello()).await?;
    service.client().ended(&id).await?;
    let start = Instant::now();
    let readers = (0..CONNECTIONS).map(|_| tokio::spawn(read(service.client(), id.clone(), start + READING)));
    let mut total = 0;
    for reader in readers.collect::<Vec<_>>() {
        total += reader.await??;
    }
    let rate = total as f64 / start.elapsed().as_secs_f64();
    report.add(
        "GET of a job, 8 connections",
        rate,
        "req/s",
        Target::AtLeast(5000.0),
        "236 of the Python service",
    );
    Ok(())
}

async fn read(client: Client, id: String, until: Instant) -> anyhow::Result<u64> {
    let mut count = 0;
    while Instant::now() < until {
        let path = format!("/api/v1/jobs/{id}");
        let response = client.request(reqwest::Method::GET, &path).send().await?;
        ensure!(response.status().is_success(), "{}", response.status());
        response.bytes().await?;
        count += 1;
    }
    Ok(count)
}
