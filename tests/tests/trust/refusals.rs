//! What the service does not take, because it could not keep it.

use std::path::Path;

use anyhow::{Context, ensure};
use callboard_core::job::JobStore;
use callboard_embedded::{Database, SqliteJobStore};
use callboard_tests::client::Answer;
use callboard_tests::contract::samples::dead_letter;
use callboard_tests::{Client, Finished, Service, callboard};
use reqwest::Method;
use serde_json::{Value, json};

/// Has a worker run a job until the file is there; returns its id.
async fn start_waiting(client: &Client, file: &Path) -> anyhow::Result<String> {
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "waiting,"});
    let id = client.submit(&request).await?;
    client.until(&id, |job| job["status"] == "running").await?;
    Ok(id)
}

fn busy(answer: &Answer) -> anyhow::Result<()> {
    ensure!(answer.status == 429, "{answer:?}");
    ensure!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_then_does_again() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1", "--max-queued", "2"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    start_waiting(&client, &file).await?;
    let hello = json!({"playbook": "hello.yml"});
    let mut accepted = Vec::new();
    let full = loop {
        let answer = client
            .post_once("/api/v1/jobs", &format!("key-{}", accepted.len()), &hello)
            .await?;
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.body["job_id"].as_str().unwrap_or_default().to_owned());
        ensure!(accepted.len() < 10, "the queue has no end");
    };
    busy(&full)?;
    std::fs::write(&file, "")?;
    for id in &accepted {
        ensure!(client.ended(id).await?["status"] == "successful");
    }
    // the key of the refused one is free
    let later = client
        .post_once("/api/v1/jobs", &format!("key-{}", accepted.len()), &hello)
        .await?;
    ensure!(
        later.status == 202 && later.header("idempotency-replayed").is_empty(),
        "{later:?}"
    );
    Ok(())
}

#[tokio::test]
async fn no_more_follow_than_may() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--max-followers", "1"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    let id = start_waiting(&client, &file).await?;
    let path = format!("/api/v1/jobs/{id}/logs?follow=true");
    let first = client.request(Method::GET, &path).send().await?;
    ensure!(first.status() == 200);
    busy(&client.get(&path).await?)?;
    std::fs::write(&file, "")?;
    client.ended(&id).await?;
    first.bytes().await?;
    ensure!(client.get(&path).await?.status == 200);
    Ok(())
}

/// Those that the queue has given up are listed, and all queued again by one call or a few.
#[tokio::test]
async fn jobs_that_were_given_up_are_listed_and_redriven_together() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    start_waiting(&client, &file).await?;
    let mut dead = Vec::new();
    let store = SqliteJobStore::new(Database::open(&data.path().join("callboard.db"))?);
    for playbook in ["hello.yml", "hello.yml", "sleep.yml"] {
        let request = json!({"playbook": playbook, "extra_vars": {"seconds": 0}});
        dead.insert(0, client.submit(&request).await?);
        store.bury(dead[0].parse()?, dead_letter()).await?;
    }
    let alive = client.submit(&json!({"playbook": "hello.yml"})).await?;
    let listed = client.get("/api/v1/jobs?dead_letter=true").await?.body;
    ensure!(listed["total"] == 3 && ids_of(&listed["jobs"]) == dead, "{listed}");
    let first = client.get("/api/v1/jobs?dead_letter=true&limit=2").await?;
    let next = first
        .header("link")
        .split('<')
        .nth(2)
        .and_then(|link| link.split('>').next());
    let next = client.get(next.context("there is a next page")?).await?.body;
    ensure!(ids_of(&next["jobs"]) == dead[2..], "{next}");
    let table = Finished::from(callboard(data.path())?.args(["list", "--dead-letter"]).output()?);
    ensure!(table.stdout.lines().count() == 3, "{table:?}");

    let path = "/api/v1/jobs/redrive?playbook=hello.yml&limit=2";
    let some = client.post(path, "").await?;
    ensure!(
        some.status == 200 && some.body["redriven"] == json!([dead[1]]),
        "{some:?}"
    );
    let cursor = some.body["next_cursor"].as_str().unwrap_or_default();
    let rest = client.post(&format!("{path}&cursor={cursor}"), "").await?.body;
    ensure!(
        rest["redriven"] == json!([dead[2]]) && rest["next_cursor"].is_null(),
        "{rest}"
    );
    let all = Finished::from(callboard(data.path())?.arg("redrive").output()?);
    ensure!(
        all.code == 0 && all.stdout.trim() == format!("{} is queued again", dead[0]),
        "{all:?}"
    );
    let none = client.post("/api/v1/jobs/redrive", "").await?.body;
    ensure!(none == json!({"redriven": [], "next_cursor": null}), "{none}");
    std::fs::write(&file, "")?;
    for id in dead.iter().chain([&alive]) {
        let job = client.ended(id).await?;
        ensure!(
            job["status"] == "successful" && job["attempt"] == 1 && job["dead_letter"].is_null(),
            "{job}"
        );
        let by = job["redrive"]["by"].as_str().unwrap_or_default();
        let expected = match dead.iter().position(|dead| dead == id) {
            Some(0) => "cli:",
            Some(_) => "ip:127.0.0.1",
            None => "",
        };
        ensure!(
            by.starts_with(expected) && by.is_empty() == expected.is_empty(),
            "{job}"
        );
    }
    Ok(())
}

fn ids_of(jobs: &Value) -> Vec<&str> {
    let jobs = jobs.as_array().into_iter().flatten();
    jobs.filter_map(|job| job["job_id"].as_str()).collect()
}

/// A job that waits is queued again, and runs once all the same; one that has ended is not.
#[tokio::test]
async fn a_job_that_waits_can_be_redriven_and_runs_once() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1"])?;
    let (client, file) = (service.client(), data.path().join("go"));
    start_waiting(&client, &file).await?;
    let id = client.submit(&json!({"playbook": "hello.yml"})).await?;
    for _ in 0..3 {
        let answer = client.post(&format!("/api/v1/jobs/{id}/redrive"), "").await?;
        ensure!(answer.status == 202 && answer.body["status"] == "pending", "{answer:?}");
    }
    let redriven = Finished::from(callboard(data.path())?.args(["redrive", &id]).output()?);
    ensure!(redriven.code == 0, "{redriven:?}");
    std::fs::write(&file, "")?;
    let job = client.ended(&id).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    let late = client.post(&format!("/api/v1/jobs/{id}/redrive"), "").await?;
    ensure!(late.status == 409, "{late:?}");
    let none = "/api/v1/jobs/01a1faf8-50a0-70a1-801c-2d3e4f506172/redrive";
    ensure!(client.post(none, "").await?.status == 404);
    Ok(())
}
