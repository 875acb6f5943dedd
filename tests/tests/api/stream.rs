//! `GET /api/v1/jobs/{job_id}/stream`, to its end. Where answers are not streamed, the client connects again, as often as it takes.

use std::fs;

use anyhow::{Context, ensure};
use callboard_tests::Client;
use callboard_tests::sse::{Message, Stream, events, log, whole};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Never loses a connection.
fn never() -> usize {
    usize::MAX
}

fn statuses(messages: &[Message]) -> Vec<&str> {
    let mut statuses: Vec<&str> = messages
        .iter()
        .filter(|message| message.event == "status")
        .filter_map(|message| message.data["status"].as_str())
        .collect();
    statuses.dedup();
    statuses
}

#[tokio::test]
async fn a_stream_tells_what_a_job_is_doing_from_its_start_to_its_end() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let (first, second) = (data.path().join("first"), data.path().join("second"));
    let holder = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": first}});
    let holder = client.submit(&holder).await?;
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": second}});
    let id = client.submit(&request).await?;
    let following = async {
        let mut stream = Stream::begin(&client, &id, "", None).await?;
        let begun = stream.next().await?.context("the first message")?;
        ensure!(
            begun.event == "status" && begun.data["status"] == "pending",
            "{begun:?}"
        );
        fs::write(&first, "")?;
        whole(&client, &id, "", never).await
    };
    let (followed, written) = tokio::join!(following, async {
        client
            .until(&id, |job| job["progress"]["current_task"].is_string())
            .await?;
        fs::write(&second, "")?;
        anyhow::Ok(())
    });
    written?;
    let (messages, _) = followed?;
    let job = client.ended(&id).await?;
    let last = messages.iter().rev().find(|message| message.event == "status");
    let last = last.context("a last status")?;
    ensure!(
        last.data["status"] == "successful" && last.data["finished_at"] == job["finished_at"],
        "{last:?}"
    );
    ensure!(statuses(&messages).last() == Some(&"successful"), "{messages:?}");
    let progress = messages.iter().find(|message| message.event == "progress");
    ensure!(
        progress.is_some_and(|told| told.data["progress"].is_object()),
        "{messages:?}"
    );
    ensure!(log(&messages, 1)? == String::from_utf8(client.logs(&id).await?)?);
    ensure!(events(&messages, 1) == client.events(&id).await?);
    client.ended(&holder).await?;

    // whoever has seen the end is told to stop
    let end = messages.last().context("the end")?;
    let path = format!("/api/v1/jobs/{id}/stream");
    let request = client.request(Method::GET, &path).header("last-event-id", &end.id);
    ensure!(request.send().await?.status() == StatusCode::NO_CONTENT);
    // whoever has seen all but the end is told of the end
    let before = &messages[messages.len() - 2];
    let rest = Stream::begin(&client, &id, "", Some(&before.id)).await?.rest().await?;
    let told: Vec<&str> = rest.iter().map(|message| message.event.as_str()).collect();
    ensure!(told == ["status", "progress", "end"], "{rest:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_of_an_ended_job_tells_everything_and_a_client_chooses_what_it_wants() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let request = json!({"playbook": "count.yml", "extra_vars": {"numbers": 300}});
    let job = client.run(&request).await?;
    let id = job["job_id"].as_str().context("an id")?;
    let (printed, recorded) = (String::from_utf8(client.logs(id).await?)?, client.events(id).await?);
    let (all, _) = whole(&client, id, "", never).await?;
    ensure!(log(&all, 1)? == printed && events(&all, 1) == recorded);
    let types = |messages: &[Message]| {
        let mut types: Vec<String> = messages.iter().map(|message| message.event.clone()).collect();
        types.dedup();
        types
    };
    let (output, _) = whole(&client, id, "?types=log", never).await?;
    ensure!(types(&output) == ["log", "end"] && log(&output, 1)? == printed);
    let (told, _) = whole(&client, id, "?types=event&types=status", never).await?;
    ensure!(types(&told) == ["status", "event", "end"] && events(&told, 1) == recorded);

    // the cursor of a stream is one of events and of output as well
    let seen = told
        .iter()
        .filter(|message| message.event == "event")
        .nth(99)
        .context("an event")?;
    let page = client
        .get(&format!("/api/v1/jobs/{id}/events?limit=1000&cursor={}", seen.id))
        .await?
        .body;
    ensure!(
        page["events"]
            .as_array()
            .is_some_and(|events| *events == recorded[100..]),
        "{page}"
    );
    let first = client.get(&format!("/api/v1/jobs/{id}/events?limit=100")).await?.body;
    let cursor = first["cursor"].as_str().context("a cursor")?;
    let (rest, _) = whole(&client, id, &format!("?types=event&cursor={cursor}"), never).await?;
    ensure!(events(&rest, 1) == recorded[100..], "{first}");
    let shown = &output[0];
    let read = shown.data["text"].as_str().map_or(0, str::len);
    let path = format!("/api/v1/jobs/{id}/logs?follow=true&cursor={}", shown.id);
    let followed = client.request(Method::GET, &path).send().await?.error_for_status()?;
    ensure!(followed.text().await? == printed[read..]);
    Ok(())
}

#[tokio::test]
async fn a_stream_goes_through_all_attempts_or_shows_one() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let request = json!({
        "playbook": "die_once.yml", "extra_vars": {"file": data.path().join("died")}, "options": {"max_attempts": 3},
    });
    let id = client.submit(&request).await?;
    let (messages, _) = whole(&client, &id, "", never).await?;
    ensure!(statuses(&messages).last() == Some(&"successful"), "{messages:?}");
    for attempt in [1, 2] {
        let printed = client.log_of(&id, attempt).await?;
        ensure!(log(&messages, attempt)? == printed, "{attempt}: {messages:?}");
        let page = client
            .get(&format!("/api/v1/jobs/{id}/events?attempt={attempt}"))
            .await?
            .body;
        ensure!(page["events"] == json!(events(&messages, attempt)), "{page}");
        let (alone, _) = whole(&client, &id, &format!("?attempt={attempt}&types=log,event"), never).await?;
        ensure!(log(&alone, attempt)? == printed && json!(events(&alone, attempt)) == page["events"]);
        let end = alone.last().context("an end")?;
        ensure!(
            end.data["reason"] == "attempt_ended"
                && alone
                    .iter()
                    .all(|other| other.data["attempt"] == attempt || other.event == "end"),
            "{alone:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_place_of_a_stream_is_refused() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let job = client.run(&json!({"playbook": "hello.yml"})).await?;
        ids.push(job["job_id"].as_str().context("an id")?.to_owned());
    }
    let (of_other, _) = whole(&client, &ids[1], "", never).await?;
    let other = &of_other.first().context("a message")?.id;
    let id = &ids[0];
    let tag = &id[24..];
    for (query, parameter) in [
        (format!("cursor={other}"), "cursor"),
        (format!("cursor=2-0-0-{tag}"), "cursor"),
        (format!("cursor=0-0-0-{tag}"), "cursor"),
        (format!("cursor=1-x-0-{tag}"), "cursor"),
        ("cursor=1".to_owned(), "cursor"),
        ("cursor=".to_owned(), "cursor"),
        ("types=log,nothing".to_owned(), "types"),
        ("types=".to_owned(), "types"),
        ("attempt=0".to_owned(), "attempt"),
        ("after=1".to_owned(), "after"),
    ] {
        refused(&client, &format!("/api/v1/jobs/{id}/stream?{query}"), parameter).await?;
    }
    for what in ["events?", "logs?follow=true&"] {
        refused(&client, &format!("/api/v1/jobs/{id}/{what}cursor={other}"), "cursor").await?;
    }
    refused(&client, &format!("/api/v1/jobs/{id}/logs?cursor=1-0-0-{tag}"), "cursor").await?;
    refused(
        &client,
        &format!("/api/v1/jobs/{id}/events?cursor=1-0-0-{tag}&after=1"),
        "cursor",
    )
    .await?;
    let path = format!("/api/v1/jobs/{id}/stream");
    let request = client.request(Method::GET, &path).header("last-event-id", other);
    let refused = client.send(request).await?;
    ensure!(
        refused.status == StatusCode::BAD_REQUEST && refused.body["errors"][0]["header"] == "Last-Event-ID",
        "{refused:?}"
    );
    let answer = client.get(&format!("{path}?attempt=2")).await?;
    ensure!(
        answer.status == 404 && answer.body["type"] == "urn:callboard:problem:no-such-attempt",
        "{answer:?}"
    );
    let unknown = client
        .get("/api/v1/jobs/01890000-0000-7000-8000-000000000000/stream")
        .await?;
    ensure!(
        unknown.status == 404 && unknown.body["type"] == "urn:callboard:problem:no-such-job",
        "{unknown:?}"
    );
    Ok(())
}

async fn refused(client: &Client, path: &str, parameter: &str) -> anyhow::Result<()> {
    let answer = client.get(path).await?;
    let errors: &Value = &answer.body["errors"];
    ensure!(
        answer.status == StatusCode::UNPROCESSABLE_ENTITY && errors[0]["parameter"] == parameter,
        "{path}: {answer:?}"
    );
    Ok(())
}
