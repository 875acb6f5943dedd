//! Several programs on one data folder.

use anyhow::ensure;
use callboard_tests::{Finished, Service, callboard, daemon, playbooks};
use serde_json::json;

use crate::{check_end, nothing_lives};

#[tokio::test]
async fn services_and_runs_on_one_data_folder_share_its_jobs_and_each_job_runs_once() -> anyhow::Result<()> {
    let (one, data) = Service::start(&[])?;
    let other = Service::start_in(data.path(), &[])?;
    let clients = [one.client(), other.client()];
    let mut jobs = Vec::new();
    for number in 0..10 {
        let hello = json!({"playbook": "hello.yml", "inventory": format!("host{number},")});
        jobs.push(clients[number % 2].submit(&hello).await?);
    }
    let run = callboard(data.path())?
        .arg("run")
        .arg(playbooks().join("hello.yml"))
        .output()?;
    let run = Finished::from(run);
    ensure!(run.code == 0, "{run:?}");
    for (number, id) in jobs.iter().enumerate() {
        let job = clients[1 - number % 2].ended(id).await?;
        ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    }
    for client in &clients {
        ensure!(client.get("/api/v1/jobs?status=successful").await?.body["total"] == 11);
    }

    for number in 0..2 {
        let marker = data.path().join(format!("marker{number}")).display().to_string();
        let id = daemon::start(&clients[number], &marker, &json!({})).await?;
        daemon::runs(&clients[number], &id, &marker).await?;
        clients[1 - number].delete(&format!("/api/v1/jobs/{id}")).await?;
        let job = clients[1 - number].ended(&id).await?;
        nothing_lives(&marker)?;
        check_end(&job, "canceled", "canceled_by_request")?;
    }
    Ok(())
}
