//! The id of a request: in its answer, and in every line that is logged for it.

use anyhow::{Context, ensure};
use callboard_tests::Client;
use callboard_tests::client::Answer;
use callboard_tests::log::json_lines;
use callboard_tests::wait::until;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn lines_of_the_log_have_the_ids_of_their_request_and_job() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--log-format", "json"])?;
    let client = service.client();
    let request = client
        .request(Method::POST, "/api/v1/jobs")
        .json(&json!({"playbook": "hello.yml"}));
    let answer = client.send(request.header("x-request-id", "deploy-42")).await?;
    assert_eq!(id_of(&answer)?, "deploy-42");
    let job = answer.body["job_id"].as_str().context("an id")?;
    client.ended(job).await?;
    let ended = |line: &Value| line["message"] == "job ended" && line["job.id"] == job;
    until("the end is in the log", || json_lines(&service.log()).iter().any(ended)).await?;
    let lines = json_lines(&service.log());
    let about = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.with_context(|| format!("no line says {message:?}"))
    };
    let recorded = about("job recorded")?;
    ensure!(
        recorded["request.id"] == "deploy-42" && recorded["job.id"] == job,
        "{recorded}"
    );
    for message in ["job started", "job ended"] {
        ensure!(about(message)?["job.id"] == job, "{lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_id_that_no_log_should_have_is_replaced() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let long = "a".repeat(129);
    for bad in ["", " ", "two words", "quote\"", &long] {
        let given = id_of(&get(&client, &[bad]).await?)?;
        ensure!(given != bad && given.len() == 36, "{bad:?} became {given:?}");
    }
    ensure!(id_of(&get(&client, &["one", "two"]).await?)?.len() == 36);
    for good in [
        "a",
        &long[1..],
        "Root=1-67891233-abcdef012345678912345678",
        "team/ci:7+8@x_y.z",
    ] {
        assert_eq!(id_of(&get(&client, &[good]).await?)?, good);
    }
    let one = client.get("/nowhere").await?;
    let other = client.get("/nowhere").await?;
    ensure!(one.status == 404 && id_of(&one)? != id_of(&other)?, "{one:?}");
    Ok(())
}

async fn get(client: &Client, ids: &[&str]) -> anyhow::Result<Answer> {
    let request = client.request(Method::GET, "/health/live");
    let request = ids
        .iter()
        .fold(request, |request, id| request.header("x-request-id", *id));
    client.send(request).await
}

fn id_of(answer: &Answer) -> anyhow::Result<String> {
    let ids: Vec<_> = answer.headers.get_all("x-request-id").iter().collect();
    ensure!(ids.len() == 1, "{ids:?}");
    Ok(ids[0].to_str()?.to_owned())
}
