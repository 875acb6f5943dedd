//! `GET /api/v1/jobs/{job_id}`: its headers, and what it calls things.

use anyhow::ensure;
use callboard_tests::Client;
use callboard_tests::client::Answer;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_record_leads_to_output_and_events_and_that_of_an_ended_job_is_sent_once() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let accepted = client.post("/api/v1/jobs", waiting.to_string()).await?;
    let id = accepted.body["job_id"].as_str().unwrap_or_default().to_owned();
    let path = format!("/api/v1/jobs/{id}");
    let links = format!("<{path}>; rel=\"self\", <{path}/logs>; rel=\"logs\", <{path}/events>; rel=\"events\"");
    let pending = client.get(&path).await?;
    ensure!(
        accepted.header("link") == links && pending.header("link") == links,
        "{pending:?}"
    );
    ensure!(pending.header("etag").is_empty(), "{pending:?}");
    std::fs::write(&file, "")?;
    client.ended(&id).await?;

    let ended = client.get(&path).await?;
    let etag = ended.header("etag");
    ensure!(etag.starts_with('"') && ended.header("link") == links, "{ended:?}");
    for known in [
        etag.to_owned(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = unless(&client, &path, &known).await?;
        ensure!(
            answer.status == 304 && answer.header("etag") == etag && answer.body.is_null(),
            "{answer:?}"
        );
    }
    for other in ["\"x\"", "", "x"] {
        let answer = unless(&client, &path, other).await?;
        ensure!(answer.status == 200 && answer.body == ended.body, "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    for (path, allow) in [
        ("/api/v1/jobs", "GET,HEAD,POST"),
        ("/api/v1/jobs/01a1faf8-50a0-70a1-801c-2d3e4f506172", "GET,HEAD,DELETE"),
        ("/api/v1/credentials/a", "GET,HEAD,PUT,DELETE"),
    ] {
        let answer = client.send(client.request(Method::PATCH, path)).await?;
        ensure!(
            answer.status == 405 && answer.header("allow") == allow,
            "{path}: {answer:?}"
        );
        ensure!(
            answer.body["type"] == "urn:callboard:problem:method-not-allowed",
            "{answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_playbook_in_the_request_has_no_name() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let source = json!({"type": "inline", "content": "- hosts: all\n  gather_facts: false\n  tasks: []\n"});
    let job = client
        .run(&json!({"source": source, "options": {"labels": {"team": "web"}}}))
        .await?;
    ensure!(job["playbook"].is_null() && job["source"] == source, "{job}");
    let listed = client.get("/api/v1/jobs").await?.body["jobs"][0].clone();
    ensure!(
        listed["playbook"].is_null() && listed["labels"] == json!({"team": "web"}),
        "{listed}"
    );
    Ok(())
}

async fn unless(client: &Client, path: &str, known: &str) -> anyhow::Result<Answer> {
    client
        .send(client.request(Method::GET, path).header("if-none-match", known))
        .await
}
