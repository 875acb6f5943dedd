//! The service dies without a word.

use anyhow::ensure;
use callboard_tests::{Service, daemon, processes, wait};
use rustix::process::Signal;

use crate::check_end;

/// Takes as long as a lease: half a minute.
#[tokio::test]
async fn jobs_of_a_killed_service_are_ended_with_it_and_found_lost_when_their_lease_is_over() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    let client = service.client();
    let daemon::Two { once, again, markers } = daemon::start_two(&client, data.path()).await?;
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
