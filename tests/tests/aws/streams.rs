//! The function that streams jobs, as its URL invokes it. The Runtime Interface Emulator passes on a response when all of it is there, so that
//! what is written here is what a client gets on AWS, but not when.

use anyhow::{Context, ensure};
use callboard_tests::aws::{Function, Resources};
use callboard_tests::sse::{self, Message, log};
use callboard_tests::wait;
use serde_json::{Value, json};

use crate::{event, start};

#[tokio::test]
async fn a_stream_lasts_until_the_job_has_ended_and_resumes_where_it_was_left() -> anyhow::Result<()> {
    let (stack, folder) = (start()?, tempfile::tempdir()?);
    let client = stack.client();
    let file = folder.path().join("go");
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let id = client.submit(&request).await?;
    let function = streaming(&stack.resources).await?;
    let whole = asking(&id, "")?;
    let (streamed, ended) = tokio::join!(function.invoke_streaming(&whole), async {
        client
            .until(&id, |job| job["progress"]["current_task"].is_string())
            .await?;
        tokio::fs::write(&file, "").await?;
        client.ended(&id).await
    });
    ended?;
    let streamed = streamed?;
    ensure!(
        streamed.prelude["statusCode"] == 200 && streamed.prelude["headers"]["content-type"] == "text/event-stream",
        "{}",
        streamed.prelude
    );
    let messages = sse::read(&streamed.body)?;
    let of = |status: &str| messages.iter().any(|message| message.data["status"] == status);
    ensure!(of("running") && of("successful"), "{messages:?}");
    ensure!(log(&messages, 1)? == String::from_utf8(client.logs(&id).await?)?);
    let end = messages.last().context("an end")?;
    ensure!(
        end.event == "end" && end.data["reason"] == "ended",
        "one response is enough: {messages:?}"
    );

    let seen = messages.iter().position(|message| message.event == "log");
    let seen = seen.context("output")?;
    let rest = function.invoke_streaming(&asking(&id, &messages[seen].id)?).await?;
    ensure!(outputs(&sse::read(&rest.body)?) == outputs(&messages[seen + 1..]));
    let nothing = function.invoke_streaming(&asking(&id, &end.id)?).await?;
    ensure!(
        nothing.prelude["statusCode"] == 204 && nothing.body.is_empty(),
        "{nothing:?}"
    );
    Ok(())
}

/// Joins the output that messages show.
fn outputs(messages: &[Message]) -> String {
    messages
        .iter()
        .filter_map(|message| message.data["text"].as_str())
        .collect()
}

#[tokio::test]
async fn what_is_not_a_stream_of_a_job_is_not_there() -> anyhow::Result<()> {
    let function = streaming(&Resources::create().await?).await?;
    let problem = async |event: &Value| {
        let streamed = function.invoke_streaming(event).await?;
        let problem: Value = serde_json::from_slice(&streamed.body)?;
        ensure!(
            streamed.prelude["statusCode"] == 404
                && streamed.prelude["headers"]["content-type"] == "application/problem+json",
            "{streamed:?}"
        );
        problem["type"]
            .as_str()
            .map(str::to_owned)
            .context("a problem has a type")
    };
    let mut asked = event("url-stream.json")?;
    ensure!(problem(&asked).await? == "urn:callboard:problem:no-such-job");
    for (method, path) in [
        ("GET", "/api/v1/jobs"),
        ("POST", "/api/v1/jobs"),
        ("GET", "/health/ready"),
    ] {
        asked["rawPath"] = path.into();
        asked["requestContext"]["http"]["method"] = method.into();
        ensure!(problem(&asked).await? == "urn:callboard:problem:no-such-route");
    }
    Ok(())
}

#[tokio::test]
async fn a_way_of_answering_that_is_unknown_is_refused_by_name() -> anyhow::Result<()> {
    let mut environment = Resources::create().await?.environment("StreamFunction")?;
    environment.insert("CALLBOARD_ANSWERS".to_owned(), "slowly".to_owned());
    let function = Function::start("query", &environment).await?;
    ensure!(function.invoke(&event("url-stream.json")?).await.is_err());
    let told = "CALLBOARD_ANSWERS must be whole or stream";
    wait::until("the function says why it does not start", || {
        function.log().contains(told)
    })
    .await
}

async fn streaming(resources: &Resources) -> anyhow::Result<Function> {
    Function::start("query", &resources.environment("StreamFunction")?).await
}

/// Makes the event of a request for a job's stream, after the message with the id `last` unless that is empty.
fn asking(job: &str, last: &str) -> anyhow::Result<Value> {
    let mut event = event("url-stream.json")?;
    event["rawPath"] = format!("/api/v1/jobs/{job}/stream").into();
    if !last.is_empty() {
        event["headers"]["last-event-id"] = last.into();
    }
    Ok(event)
}
