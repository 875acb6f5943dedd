//! Several programs on one data folder.

use anyhow::ensure;
use callboard_tests::{Finished, Service, callboard, playbooks};
use serde_json::json;

#[tokio::test]
async fn a_data_folder_is_served_by_one_and_runs_share_its_jobs() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let other = Finished::from(
        callboard(data.path())?
            .args(["serve", "--listen", "127.0.0.1:0"])
            .output()?,
    );
    ensure!(
        other.code == 1 && other.stderr.contains("is held by another `callboard serve`"),
        "{other:?}"
    );
    ensure!(
        other.stderr.contains(&format!("process {}", service.pid())),
        "{other:?}"
    );
    let mut jobs = Vec::new();
    for number in 0..10 {
        let hello = json!({"playbook": "hello.yml", "inventory": format!("host{number},")});
        jobs.push(client.submit(&hello).await?);
    }
    let run = callboard(data.path())?
        .arg("run")
        .arg(playbooks().join("hello.yml"))
        .output()?;
    let run = Finished::from(run);
    ensure!(run.code == 0, "{run:?}");
    for id in &jobs {
        let job = client.ended(id).await?;
        ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    }
    ensure!(client.get("/api/v1/jobs?status=successful").await?.body["total"] == 11);
    Ok(())
}

#[tokio::test]
async fn a_data_folder_whose_service_was_killed_is_free_at_once() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    drop(service);
    let service = Service::start_in(data.path(), &[])?;
    let job = service.client().run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(job["status"] == "successful", "{job}");
    Ok(())
}
