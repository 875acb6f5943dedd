//! The service dies without a word.

use anyhow::ensure;
use callboard_tests::{Service, processes, wait};
use rustix::process::Signal;
use serde_json::json;

use crate::{check_end, daemon_runs, start_daemon};

/// Takes as long as a lease: half a minute.
#[tokio::test]
async fn jobs_of_a_killed_service_are_ended_with_it_and_found_lost_when_their_lease_is_over() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    let client = service.client();
    let markers = ["once", "again"].map(|name| data.path().join(name).display().to_string());
    let once = start_daemon(&client, &markers[0], &json!({})).await?;
    let again = start_daemon(&client, &markers[1], &json!({"max_attempts": 2})).await?;
    daemon_runs(&client, &once, &markers[0]).await?;
    daemon_runs(&client, &again, &markers[1]).await?;
    service.signal(Signal::KILL)?;
    service.wait()?;
    for marker in &markers {
        let gone = || processes::with_marker(marker).is_empty();
        wait::until("the jobs of the killed service are gone", gone).await?;
    }

    let service = Service::start_in(data.path(), &[])?;
    let client = service.client();
    let lost = client.ended(&once).await?;
    check_end(&lost, "failed", "lost")?;
    let stdout = lost["result"]["stdout"].as_str().unwrap_or_default();
    ensure!(stdout.contains("TASK [Go on until stopped]"), "{stdout}");
    let second = client.until(&again, |job| job["attempt"] == 2).await?;
    ensure!(second["status"] == "running", "{second}");
    client.delete(&format!("/api/v1/jobs/{again}")).await?;
    check_end(&client.ended(&again).await?, "canceled", "canceled_by_request")
}
