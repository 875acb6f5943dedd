//! Memory of the Rust process: after many jobs, and the extra for one running job.

use std::time::Duration;

use callboard_tests::Service;
use callboard_tests::processes::resident_kib;
use serde_json::json;

use crate::jobs::{drained, hello};
use crate::report::{Report, Target};

const JOBS: usize = 1000;

/// Resident memory after a thousand jobs, and while one more job is running.
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
    Ok(resident_kib(pid)? as f64 / 1024.0)
}
