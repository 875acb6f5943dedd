//! Calls of a real server, each with what came of it, what is kept, and what the server saw.

mod auth;
mod mtls;
mod oauth;
mod on_the_way;
mod world;

use anyhow::ensure;
use callboard_core::job::JobStatus;
use callboard_testkit::calls::{Given, JSON, Server, never};
use callboard_testkit::wait::until;
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{PRIVATE, TOKEN, call};

#[tokio::test]
async fn a_call_returns_what_the_service_answers_without_its_secrets() -> anyhow::Result<()> {
    let body = format!(r#"{{"id": 7, "token": "{TOKEN}"}}"#);
    let (server, address) = Server::start(&[(201, JSON, &body)]).await?;
    let operation =
        "runner_config: {path: '/orders/{id}', idempotency_header: Idempotency-Key}, output_schema: {required: [id]}";
    let run = call(&address, PRIVATE, operation, json!({"id": "a/b"}), never()).await?;
    let result = run.result()?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{result}");
    ensure!(result["output"] == json!({"id": 7, "token": "********"}), "{result}");
    ensure!(
        result["status_code"] == 201 && result["output_truncated"] == false,
        "{result}"
    );
    ensure!(
        result["called"]
            .as_str()
            .is_some_and(|called| called.ends_with("/v1/orders/a%2Fb")),
        "{result}"
    );
    let seen = server.seen().join("\n");
    ensure!(
        seen.contains("POST /v1/orders/a%2Fb") && seen.contains("idempotency-key"),
        "{seen}"
    );
    ensure!(seen.contains(&format!("Bearer {TOKEN}")), "{seen}");
    ensure!(seen.ends_with(r#"{"id":"a/b"}"#), "{seen}");
    ensure!(
        run.events.contains("call_started") && run.events.contains("call_answered"),
        "{}",
        run.events
    );
    let kept = [run.stdout, run.events, result.to_string()].concat();
    ensure!(!kept.contains(TOKEN), "{kept}");
    Ok(())
}

#[tokio::test]
async fn a_call_is_tried_again_only_where_that_does_no_harm() -> anyhow::Result<()> {
    let down: (u16, &[(&str, &str)], &str) = (503, &[], "down");
    let busy: (u16, &[(&str, &str)], &str) = (429, &[("retry-after", "0")], "");
    let good: (u16, &[(&str, &str)], &str) = (200, JSON, "{}");
    let quick = "max_retries: 3, retry: {initial_interval: 0}";
    let keyed = format!("{quick}, runner_config: {{idempotency_header: Idempotency-Key}}");
    let final_reason = "max_retries: 3, retry: {initial_interval: 0, non_retryable: [http_status]}, idempotent: true";
    for (answers, operation, asked, reason) in [
        (vec![down, down, good], keyed.as_str(), 3, None),
        (vec![down, good], quick, 1, Some("http_status")),
        (vec![busy, good], quick, 2, None),
        (vec![down, good], final_reason, 1, Some("http_status")),
        (vec![down], keyed.as_str(), 4, Some("http_status")),
        ((vec![(404, &[] as &[_], "no")]), keyed.as_str(), 1, Some("http_status")),
    ] {
        let (server, address) = Server::start(&answers).await?;
        let run = call(&address, PRIVATE, operation, json!({}), never()).await?;
        let result = run.result()?;
        ensure!(result["reason"] == json!(reason), "{operation}: {result}");
        ensure!(server.asked() == asked, "{operation}: asked {} times", server.asked());
        ensure!(
            run.events.matches("call_retried").count() == asked - 1,
            "{}",
            run.events
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_named() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    drop(listener);
    let run = call(
        &address,
        PRIVATE,
        "max_retries: 1, retry: {initial_interval: 0}",
        json!({}),
        never(),
    )
    .await?;
    let result = run.result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    ensure!(
        result["error"]
            .as_str()
            .is_some_and(|error| error.contains("127.0.0.1")),
        "{result}"
    );
    // nothing was sent, so it is tried again, whatever the operation does
    ensure!(run.events.matches("call_started").count() == 2, "{}", run.events);
    let (server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    let public = "runner_config: {auth: {type: none}}";
    let run = call(&address, "type: public", public, json!({}), never()).await?;
    ensure!(
        run.result()?["error"]
            .as_str()
            .is_some_and(|error| error.contains("not public")),
        "{}",
        run.result()?
    );
    ensure!(server.asked() == 0, "a private address was called");
    Ok(())
}

#[tokio::test]
async fn an_output_that_breaks_its_schema_or_its_limit_is_kept() -> anyhow::Result<()> {
    let (_server, address) = Server::start(&[(200, JSON, r#"{"id": "x"}"#)]).await?;
    let operation = "output_schema: {properties: {id: {type: integer}}}";
    let result = call(&address, PRIVATE, operation, json!({}), never()).await?.result()?;
    ensure!(
        result["reason"] == "output_invalid" && result["output"] == json!({"id": "x"}),
        "{result}"
    );
    let large = "0123456789".repeat(10_000);
    let (_server, address) = Server::start(&[(200, &[], &large)]).await?;
    let operation = "runner_config: {max_response_bytes: 1000}";
    let run = call(&address, PRIVATE, operation, json!({}), never()).await?;
    let result = run.result()?;
    ensure!(
        result["status"] == "successful" && result["output_truncated"] == true,
        "{result}"
    );
    ensure!(
        result["output"].as_str().is_some_and(|text| text.len() == 1000),
        "{result}"
    );
    ensure!(run.stdout == large, "the log has all of it");
    Ok(())
}

#[tokio::test]
async fn work_that_goes_on_is_asked_for_at_the_service_alone() -> anyhow::Result<()> {
    let poll = "runner_config: {poll: {url_from: /status, interval: 1, until: {properties: {state: {const: done}}}}}";
    let (server, address) = Server::start(&[
        (202, JSON, r#"{"status": "/v1/jobs/1"}"#),
        (200, JSON, r#"{"state": "running"}"#),
        (200, JSON, r#"{"state": "done", "n": 3}"#),
    ])
    .await?;
    let result = call(&address, PRIVATE, poll, json!({}), never()).await?.result()?;
    ensure!(result["output"] == json!({"state": "done", "n": 3}), "{result}");
    ensure!(
        server
            .seen()
            .last()
            .is_some_and(|seen| seen.starts_with("GET /v1/jobs/1")),
        "{:?}",
        server.seen()
    );
    for elsewhere in [
        "http://169.254.169.254/latest",
        "//evil.example.com/x",
        "http://127.0.0.1.evil.example.com/",
    ] {
        let body = json!({"status": elsewhere}).to_string();
        let (server, address) = Server::start(&[(202, JSON, &body)]).await?;
        let result = call(&address, PRIVATE, poll, json!({}), never()).await?.result()?;
        ensure!(
            result["error"]
                .as_str()
                .is_some_and(|error| error.contains("another origin")),
            "{result}"
        );
        ensure!(server.asked() == 1, "{elsewhere}");
    }
    Ok(())
}

#[tokio::test]
async fn what_follows_an_accepted_call_never_repeats_it() -> anyhow::Result<()> {
    let poll = "poll: {url_from: /status, interval: 1, until: {properties: {state: {const: done}}}}";
    let retries = "max_retries: 3, retry: {initial_interval: 0}, timeout: 6";
    let accepted: Given<'_> = (202, JSON, r#"{"status": "/v1/jobs/1"}"#);
    let busy: Given<'_> = (429, &[("retry-after", "0")], "");
    let done: Given<'_> = (200, JSON, r#"{"state": "done"}"#);
    let see_other: Given<'_> = (303, &[("location", "/v1/there")], "");
    for (answers, operation, status) in [
        (
            vec![accepted, busy, done],
            format!("{retries}, runner_config: {{{poll}}}"),
            200,
        ),
        (
            vec![see_other, busy, done],
            format!("{retries}, runner_config: {{redirects: 2}}"),
            429,
        ),
    ] {
        let (server, address) = Server::start(&answers).await?;
        let result = call(&address, PRIVATE, &operation, json!({}), never())
            .await?
            .result()?;
        ensure!(result["status_code"] == status, "{result}");
        let posts = server.seen().iter().filter(|seen| seen.starts_with("POST")).count();
        ensure!(posts == 1, "{posts} posts: {:?}", server.seen());
    }
    // a place that does not answer is asked again, until the time is over
    let body = r#"{"status": "/v1/jobs/1"}"#;
    let (server, address) = Server::start(&[(202, JSON, body), (503, &[], "")]).await?;
    let operation = format!("{retries}, runner_config: {{{poll}}}");
    let result = call(&address, PRIVATE, &operation, json!({}), never())
        .await?
        .result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    let posts = server.seen().iter().filter(|seen| seen.starts_with("POST")).count();
    ensure!(posts == 1 && server.asked() > 2, "{posts} posts: {:?}", server.seen());
    Ok(())
}

#[tokio::test]
async fn a_secret_that_json_hides_is_not_in_the_output() -> anyhow::Result<()> {
    let escaped: String = TOKEN
        .chars()
        .map(|char| format!("\\u{:04X}", u32::from(char)))
        .collect();
    let body = format!(r#"{{"token": "{escaped}", "{escaped}": 1}}"#);
    let (_server, address) = Server::start(&[(200, JSON, &body)]).await?;
    let result = call(&address, PRIVATE, "timeout: 30", json!({}), never())
        .await?
        .result()?;
    ensure!(!result.to_string().contains(TOKEN), "{result}");
    ensure!(result["output"]["token"] == "********", "{result}");
    Ok(())
}

#[tokio::test]
async fn redirects_are_followed_within_the_service_and_only_where_that_is_allowed() -> anyhow::Result<()> {
    for (place, operation, asked, status) in [
        ("/v1/there", "runner_config: {redirects: 2}", 2, 200),
        ("/v1/there", "timeout: 30", 1, 307),
        ("https://evil.example.com/", "runner_config: {redirects: 2}", 1, 307),
        ("//evil.example.com/", "runner_config: {redirects: 2}", 1, 307),
    ] {
        let (server, address) = Server::start(&[(307, &[("location", place)], ""), (200, JSON, "{}")]).await?;
        let result = call(&address, PRIVATE, operation, json!({}), never()).await?.result()?;
        ensure!(
            result["status_code"] == status && server.asked() == asked,
            "{place} {operation}: {result}"
        );
    }
    let (_server, address) = Server::start(&[(302, &[("location", "/v1/again")], "")]).await?;
    let operation = "runner_config: {redirects: 2}";
    let result = call(&address, PRIVATE, operation, json!({}), never()).await?.result()?;
    ensure!(
        result["error"]
            .as_str()
            .is_some_and(|error| error.contains("more than 2 times")),
        "{result}"
    );
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_stopped_or_too_slow_is_broken_off() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[]).await?;
    let begun = until("the service is asked", || server.asked() > 0);
    let run = call(&address, PRIVATE, "timeout: 600", json!({}), begun).await?;
    ensure!(run.ended.stopped && run.ended.doing.is_some(), "{:?}", run.ended);
    let result = call(&address, PRIVATE, "timeout: 1", json!({}), never())
        .await?
        .result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    ensure!(
        result["error"]
            .as_str()
            .is_some_and(|error| error.contains("within 1 s")),
        "{result}"
    );
    Ok(())
}
