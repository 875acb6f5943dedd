//! AWS Lambda's Invoke API, played by a server of our own: AWS's emulator tells neither errors of functions nor their logs, runs no
//! versions, and checks no signatures.

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_testkit::calls::{Given, JSON, Server, never};
use callboard_testkit::wait::until;
use serde_json::{Value, json};

use crate::world::{KEY, SESSION, call, runner};

const QUICK: &str = "max_retries: 2, retry: {initial_interval: 0, max_interval: 1}, idempotent: true";

#[tokio::test]
async fn a_function_returns_its_answer_after_its_log_with_what_it_cost() -> anyhow::Result<()> {
    let log = format!(
        "START\nI know {KEY}\nREPORT RequestId: 1\tDuration: 1999.2 ms\tBilled Duration: 2000 ms\tMemory Size: 512 MB\tMax Memory Used: 38 MB\n"
    );
    let log = STANDARD.encode(log);
    let headers = [
        ("content-type", "application/json"),
        ("x-amz-executed-version", "7"),
        ("x-amz-log-result", log.as_str()),
    ];
    let body = format!(r#"{{"id": 7, "told": "{SESSION}"}}"#);
    let (server, address) = Server::start(&[(200, &headers, &body)]).await?;
    let config = "function: 'arn:aws:lambda:eu-central-1:123456789012:function:resize', qualifier: $LATEST";
    let operation = "output_schema: {required: [id]}";
    let run = call(&runner(&address, None)?, config, operation, &json!({"a": 1}), never()).await?;
    let result = run.result()?;
    ensure!(result["output"] == json!({"id": 7, "told": "********"}), "{result}");
    let called = "arn:aws:lambda:eu-central-1:123456789012:function:resize:$LATEST (version 7)";
    ensure!(result["called"] == called && result["accepted"] == false, "{result}");
    let usd = result["usage"]["cost"]["usd"].as_f64().unwrap_or_default();
    ensure!((usd - 0.000_016_866_7).abs() < 1e-12, "{result}");
    ensure!(
        result["usage"]["cost"]["price_table"]
            .as_str()
            .is_some_and(|table| table.ends_with("2026-11")),
        "{result}"
    );
    ensure!(
        run.stdout.starts_with("START\nI know ********\nREPORT ") && run.stdout.ends_with('}'),
        "{}",
        run.stdout
    );
    ensure!(
        !run.kept().contains(KEY) && !run.kept().contains(SESSION),
        "{}",
        run.kept()
    );
    ensure!(run.names() == ["call_started", "call_answered"], "{}", run.events);
    let seen = &server.requests()[0];
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Aresize/invocations?Qualifier=%24LATEST";
    ensure!(
        seen.method == "POST" && seen.path == path && seen.body == r#"{"a":1}"#,
        "{seen:?}"
    );
    ensure!(seen.header("x-amz-invocation-type") == "RequestResponse", "{seen:?}");
    ensure!(seen.header("x-amz-log-type") == "Tail", "{seen:?}");
    let signed = [
        "x-amz-invocation-type",
        "x-amz-log-type",
        "x-amz-client-context",
        "content-type",
    ];
    seen.is_signed(KEY, "eu-central-1", "lambda", &signed)?;
    let context: Value = serde_json::from_slice(&STANDARD.decode(seen.header("x-amz-client-context"))?)?;
    ensure!(context["custom"]["callboard_job"].is_string(), "{context}");
    Ok(())
}

#[tokio::test]
async fn what_goes_wrong_is_told_by_whose_fault_it_is() -> anyhow::Result<()> {
    let failed: &[(&str, &str)] = &[("x-amz-function-error", "Unhandled")];
    let not_there: &[(&str, &str)] = &[(
        "x-amzn-errortype",
        "ResourceNotFoundException:http://internal.amazon.com/x/",
    )];
    let signature: &[(&str, &str)] = &[("x-amzn-errortype", "InvalidSignatureException")];
    let fault = format!(r#"{{"errorType": "ValueError", "errorMessage": "no {KEY}"}}"#);
    let long = json!({"errorMessage": "x".repeat(100_000)}).to_string();
    let canonical =
        format!(r#"{{"message": "The Canonical String should have been 'POST x-amz-security-token:{SESSION}'"}}"#);
    for (answer, reason, told) in [
        (
            (200, failed, fault.as_str()),
            "function_error",
            "The function reported an error (Unhandled): ValueError: no ********.",
        ),
        (
            (200, failed, "null"),
            "function_error",
            "The function reported an error (Unhandled).",
        ),
        ((200, failed, long.as_str()), "function_error", "xxxx."),
        (
            (404, not_there, r#"{"Message": "Function not found: f"}"#),
            "http_status",
            "AWS Lambda answered ResourceNotFoundException (status 404): Function not found: f.",
        ),
        (
            (403, signature, canonical.as_str()),
            "http_status",
            "AWS Lambda answered InvalidSignatureException (status 403).",
        ),
        ((200, JSON, r#"{"id": "x"}"#), "output_invalid", "/id"),
    ] {
        let (server, address) = Server::start(&[answer]).await?;
        let operation = format!("{QUICK}, output_schema: {{properties: {{id: {{type: integer}}}}}}");
        let run = call(&runner(&address, None)?, "function: f", &operation, &json!({}), never()).await?;
        let result = run.result()?;
        let error = result["error"].as_str().unwrap_or_default();
        ensure!(result["reason"] == reason && error.contains(told), "{told}: {result}");
        ensure!(
            error.len() < 2100 && !run.kept().contains(KEY) && !run.kept().contains(SESSION),
            "{}",
            run.kept()
        );
        ensure!(server.asked() == 1, "it was called again");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_is_repeated_where_the_function_was_not_started_or_may_start_again() -> anyhow::Result<()> {
    let busy: Given<'_> = (429, &[("x-amzn-errortype", "TooManyRequestsException")], "{}");
    let down: Given<'_> = (500, &[("x-amzn-errortype", "ServiceException")], "{}");
    let good: Given<'_> = (200, JSON, "{}");
    for (answers, operation, asked, reason) in [
        (vec![busy, down, good], QUICK, 3, json!(null)),
        (vec![down, good], "timeout: 30", 1, json!("http_status")),
        (vec![busy, good], "timeout: 30", 1, json!("http_status")),
    ] {
        let (server, address) = Server::start(&answers).await?;
        let run = call(&runner(&address, None)?, "function: f", operation, &json!({}), never()).await?;
        let result = run.result()?;
        ensure!(
            result["reason"] == reason && server.asked() == asked,
            "{operation}: {result}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_call_without_waiting_says_that_it_was_only_accepted() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(202, &[], "")]).await?;
    let config = "function: f, invocation: async, region: us-east-1";
    let run = call(&runner(&address, None)?, config, "timeout: 30", &json!({}), never()).await?;
    let result = run.result()?;
    ensure!(
        result["status"] == "successful" && result["accepted"] == true,
        "{result}"
    );
    ensure!(
        result["output"] == json!(null) && result["usage"]["cost"] == json!(null),
        "{result}"
    );
    let seen = &server.requests()[0];
    ensure!(seen.header("x-amz-invocation-type") == "Event", "{seen:?}");
    seen.is_signed(KEY, "us-east-1", "lambda", &[])
}

#[tokio::test]
async fn an_input_that_lambda_would_refuse_is_not_sent() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    let runner = runner(&address, None)?;
    for (config, bytes) in [("function: f", 6 << 20), ("function: f, invocation: async", 1 << 20)] {
        let input = json!({"a": "x".repeat(bytes - 8)});
        let accepted = call(&runner, config, "timeout: 30", &input, never()).await?.result()?;
        ensure!(accepted["status"] == "successful", "{accepted}");
        let before = server.asked();
        let input = json!({"a": "x".repeat(bytes - 7)});
        let result = call(&runner, config, "timeout: 30", &input, never()).await?.result()?;
        let error = result["error"].as_str().unwrap_or_default();
        ensure!(
            result["reason"] == "request_invalid" && error.contains("takes at most"),
            "{error}"
        );
        ensure!(server.asked() == before, "it was sent");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_stopped_says_that_the_function_goes_on() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[]).await?;
    let runner = runner(&address, None)?;
    let begun = until("the function is called", || server.asked() > 0);
    let run = call(&runner, "function: f", "timeout: 600", &json!({}), begun).await?;
    let doing = run.ended.doing.as_deref().unwrap_or_default();
    ensure!(run.ended.stopped && doing.contains("goes on"), "{:?}", run.ended);
    let result = call(&runner, "function: f", "timeout: 1", &json!({}), never())
        .await?
        .result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    ensure!(result["error"] == "The function did not answer within 1 s.", "{result}");
    Ok(())
}
