//! `DELETE /api/v1/jobs/{job_id}` and `POST /api/v1/jobs/{job_id}/cancel`.

use anyhow::ensure;
use callboard_tests::{Service, daemon, wait};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{check_end, nothing_lives};

#[tokio::test]
async fn a_pending_job_that_is_canceled_never_starts() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    let before = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let before = client.submit(&before).await?;
    client.until(&before, |job| job["status"] == "running").await?;
    let hello = json!({"playbook": "hello.yml"});
    let (first, second) = (client.submit(&hello).await?, client.submit(&hello).await?);
    for (id, answer) in [
        (&first, client.delete(&format!("/api/v1/jobs/{first}")).await?),
        (
            &second,
            client.post(&format!("/api/v1/jobs/{second}/cancel"), "").await?,
        ),
    ] {
        ensure!(answer.status == StatusCode::OK, "{answer:?}");
        let job = client.job(id).await?;
        check_end(&job, "canceled", "canceled_by_request")?;
        let expected = json!({"job_id": id, "status": "canceled", "cancel": job["cancel"]});
        assert_eq!(answer.body, expected);
        check_cancel(&job)?;
    }
    std::fs::write(&file, "")?;
    ensure!(client.ended(&before).await?["status"] == "successful");
    ensure!(client.run(&hello).await?["status"] == "successful");
    for id in [&first, &second] {
        let job = client.job(id).await?;
        ensure!(job["attempt"] == 0 && job["started_at"].is_null(), "{job}");
        ensure!(job["result"]["stdout"] == "" && job["result"]["rc"].is_null(), "{job}");
        ensure!(client.events(id).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn canceled_is_written_once_everything_that_the_job_started_is_gone() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let marker = data.path().join("marker").display().to_string();
    let id = daemon::start(&client, &marker, &json!({})).await?;
    daemon::runs(&client, &id, &marker).await?;
    let (delete, cancel) = (format!("/api/v1/jobs/{id}"), format!("/api/v1/jobs/{id}/cancel"));
    let first = client.delete(&delete).await?;
    ensure!(
        first.status == StatusCode::ACCEPTED && first.body["status"] == "running",
        "{first:?}"
    );
    let again = client.post(&cancel, "").await?;
    ensure!(
        again.status == StatusCode::ACCEPTED && again.body == first.body,
        "{again:?}"
    );
    let job = client.ended(&id).await?;
    nothing_lives(&marker)?;
    check_end(&job, "canceled", "canceled_by_request")?;
    let mut told = first.body["cancel"].clone();
    ensure!(told["outcome"].take() == "pending", "{first:?}");
    told["outcome"] = json!("stopped");
    ensure!(job["cancel"] == told, "{job}");
    check_cancel(&job)?;
    let stdout = job["result"]["stdout"].as_str().unwrap_or_default();
    ensure!(stdout.contains("TASK [Go on until stopped]"), "{stdout}");
    for late in [client.delete(&delete).await?, client.post(&cancel, "").await?] {
        ensure!(
            late.status == StatusCode::CONFLICT && late.content_type == "application/problem+json",
            "{late:?}"
        );
    }
    ensure!(client.job(&id).await? == job, "a late cancel changed the record");
    Ok(())
}

#[tokio::test]
async fn a_task_that_handles_sigterm_has_the_grace_to_clean_up() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let file = data.path().join("file");
    let request = json!({"playbook": "clean_up.yml", "extra_vars": {"file": file}});
    let id = client.submit(&request).await?;
    let started = file.with_extension("started");
    wait::until("the task handles SIGTERM", || started.exists()).await?;
    client.delete(&format!("/api/v1/jobs/{id}")).await?;
    let job = client.ended(&id).await?;
    check_end(&job, "canceled", "canceled_by_request")?;
    ensure!(
        file.with_extension("cleaned").exists(),
        "the task was killed before its time"
    );
    nothing_lives(&file.display().to_string())
}

/// The record says who canceled, and when.
fn check_cancel(job: &Value) -> anyhow::Result<()> {
    let by = job["cancel"]["by"].as_str().unwrap_or_default();
    let at = job["cancel"]["at"].as_str().unwrap_or_default();
    ensure!(by == "ip:127.0.0.1", "{job}");
    ensure!(
        Some(at) >= job["created_at"].as_str() && Some(at) <= job["finished_at"].as_str(),
        "{job}"
    );
    Ok(())
}
