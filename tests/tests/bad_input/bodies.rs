//! Bad bodies of `POST /api/v1/jobs`.

use anyhow::ensure;
use callboard_tests::client::Answer;
use callboard_tests::{Client, Service};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cases::{invalid, unreadable};
use crate::{check_problem, check_unharmed, fields};

const MAX_BODY: usize = 50_000;

#[tokio::test]
async fn a_body_that_is_no_json_or_no_valid_request_is_refused_with_a_pointer_to_each_fault() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--max-body", &MAX_BODY.to_string()])?;
    let client = service.client();
    for (body, pointer) in unreadable() {
        let what = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let answer = post(&client, "application/json", body).await?;
        check_problem(&what, &answer, "not-json", &[&pointer])?;
    }
    let mut wrong = Vec::new();
    for (body, pointers) in invalid().into_iter().chain(fields::invalid()) {
        let what = body.to_string();
        let answer = client.post("/api/v1/jobs", what.clone()).await?;
        wrong.extend(
            check_problem(&what, &answer, "invalid-request", &pointers)
                .err()
                .map(|error| format!("{error:.600}")),
        );
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let answer = post(&client, kind, br#"{"playbook": "hello.yml"}"#.to_vec()).await?;
        check_problem(kind, &answer, "unsupported-media-type", &[])?;
    }
    let empty = client.send(client.request(Method::POST, "/api/v1/jobs")).await?;
    check_problem("neither body nor type", &empty, "unsupported-media-type", &[])?;
    let large = json!({"playbook": "hello.yml", "extra_vars": {"a": "a".repeat(MAX_BODY)}}).to_string();
    let answer = client.post("/api/v1/jobs", large.clone()).await?;
    check_problem("too large", &answer, "payload-too-large", &[])?;
    let answer = client.post("/api/v1/jobs?sync=true", large).await?;
    check_problem("too large", &answer, "payload-too-large", &[])?;
    check_unharmed(&service, &client).await?;
    let logs = std::fs::read_dir(data.path().join("logs"))?;
    ensure!(logs.count() == 1, "output of jobs that never were is left");
    Ok(())
}

#[tokio::test]
async fn what_is_just_within_the_limits_is_taken_as_it_stands() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--max-body", &MAX_BODY.to_string()])?;
    let client = service.client();
    let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let body = |value: &str| format!(r#"{{"playbook": "hello.yml", "extra_vars": {{"a": {value}}}}}"#);
    let room = MAX_BODY - body("\"\"").len();
    for value in [
        deep.as_str(),
        &format!("{:?}", "a".repeat(room)),
        r#"["\u0000", "\u001b[31m", "\ud83d\ude00", "{{ x }}"]"#,
        "[18446744073709551615, -9223372036854775808, 9007199254740992.0, 1e-7]",
    ] {
        let body = body(value);
        let request: Value = serde_json::from_str(&body)?;
        let job = client.run(&request).await?;
        ensure!(job["status"] == "successful", "{job}");
        assert_eq!(job["extra_vars"], request["extra_vars"]);
    }
    Ok(())
}

async fn post(client: &Client, kind: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
    let request = client.request(Method::POST, "/api/v1/jobs");
    client.send(request.header("content-type", kind).body(body)).await
}
