//! Memory of the Rust process: after many jobs, and what one running job adds.

use std::time::Duration;

use anyhow::Context;
use callboard_tests::Service;
use serde_json::json;

use crate::jobs::{drained, hello};
use crate::report::{Report, Target};

const JOBS: usize = 1000;

/// Resident memory after a thousand jobs, and with one job running beside.
pub(crate) async fn resident(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "2"])?;
    let client = service.client();
    for _ in 0..JOBS {
        client.submit(&hello()).await?;
    }
    drained(&client).await?;
    let after = resident_mib(service.pid())?;
    report.add(
        "resident after 1,000 jobs",
        after,
        "MiB",
        Target::AtMost(40.0),
        "117 MB of the Python service's API",
    );
    let running = json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 30}});
    let id = client.submit(&running).await?;
    client
        .until(&id, |job| job["progress"]["current_task"].is_string())
        .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = (resident_mib(service.pid())? - after).max(0.0);
    report.add(
        "one running job adds",
        grown,
        "MiB",
        Target::AtMost(1.0),
        "the same process before it",
    );
    Ok(())
}

pub(crate) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}
