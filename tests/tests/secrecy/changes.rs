//! Credentials that change between two jobs, or between a job's submission and its start.

use std::fs;

use anyhow::ensure;
use reqwest::{Method, StatusCode};
use serde_json::json;

const NOTHING: &str = "- {hosts: all, gather_facts: false, tasks: []}";

#[tokio::test]
async fn a_credential_that_goes_while_the_job_waits_fails_it_by_name() -> anyhow::Result<()> {
    let site = crate::site(&[])?;
    let (client, file) = (site.client(), site.data.path().join("go"));
    site.store("short-lived", &json!({"kind": "password", "password": "not-for-long"}))
        .await?;
    let busy = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let mut before = Vec::new();
    for _worker in 0..4 {
        before.push(client.submit(&busy).await?);
    }
    let mut request = crate::inline(NOTHING);
    request["credentials"] = json!({"become_password": "short-lived"});
    let waiting = client.submit(&request).await?;
    let gone = client.delete("/api/v1/credentials/short-lived").await?;
    ensure!(gone.status == StatusCode::NO_CONTENT, "{gone:?}");
    fs::write(&file, "")?;
    site.played(&waiting)
        .await?
        .failed("credential_unavailable", &["\"short-lived\""])?;
    let faults = site.refused(&request).await?;
    ensure!(faults["/credentials/become_password"].is_string(), "{faults}");
    for id in before {
        client.ended(&id).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_new_value_is_the_next_jobs() -> anyhow::Result<()> {
    let site = crate::site(&[])?;
    let hash = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: \"{{ lookup('file', lookup('env', 'HOME') \
        ~ '/../k/become') | hash('sha256') }}\"}}]\n";
    let mut request = crate::inline(hash);
    request["credentials"] = json!({"become_password": "rotated"});
    site.store("rotated", &json!({"kind": "password", "password": "the-first-value"}))
        .await?;
    let first = site.play(&request).await?;
    let put = site.client().request(Method::PUT, "/api/v1/credentials/rotated");
    let body = json!({"kind": "password", "password": "the-second-value"}).to_string();
    let answer = site
        .client()
        .send(put.header("Content-Type", "application/json").body(body))
        .await?;
    ensure!(answer.status == StatusCode::OK, "{answer:?}");
    let second = site.play(&request).await?;
    for (played, hash) in [
        (
            first,
            "a3ac4a10f007d301806fc8585d6ee00c7c97ea79da7b2aad72738e9d8a1b5dcf",
        ),
        (
            second,
            "5a549136333ff1f02018d03206cea648304223c756d789df2b353db995c7c61a",
        ),
    ] {
        ensure!(played.messages() == [hash], "{} {}", played.job, played.log);
    }
    Ok(())
}
