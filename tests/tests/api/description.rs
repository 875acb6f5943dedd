//! `/openapi.json`.

use anyhow::{Context, ensure};
use callboard_core::request::Reason;
use callboard_tests::Client;
use callboard_tests::client::Answer;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_documented_route_answers_as_documented() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let client = service.client().showing(&key);
    let served = client
        .request(Method::GET, "/openapi.json")
        .send()
        .await?
        .text()
        .await?;
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/openapi.json"))?;
    ensure!(committed == served, "infra/openapi.json is old; renew it: make openapi");
    let document: Value = serde_json::from_str(&served)?;
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    let id = job["job_id"].as_str().unwrap_or_default();
    let paths = document["paths"].as_object().context("the document has no paths")?;
    let body = json!({"name": "documented", "scopes": ["jobs:read"]});
    let key = client.post("/api/v1/keys", body.to_string()).await?.body;
    let key = key["id"].as_str().unwrap_or_default();
    ensure!(paths.len() == 29, "{:?} are documented", paths.keys());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
            let path = path
                .replace("{job_id}", id)
                .replace("{name}", "prod-become")
                .replace("{key_id}", key);
            let example = operation.pointer("/requestBody/content/application~1json/example");
            let answer = ask(&client, method.clone(), &path, example).await?;
            // nothing is registered here, and a key is no session: tests/services and the sessions have the other answers
            let absent = path.contains("{service}") || path == "/api/v1/session" && method == Method::DELETE;
            check(&format!("{method} {path}"), &answer, operation, absent)?;
        }
    }
    Ok(())
}

async fn ask(client: &Client, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
    let request = client.request(method, path);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    client.send(request).await
}

/// An answer has a status and a type that the document has for its route.
fn check(route: &str, answer: &Answer, operation: &Value, absent: bool) -> anyhow::Result<()> {
    let documented = &operation["responses"][answer.status.as_str()];
    ensure!(
        documented.is_object() && (answer.status == 404) == absent && answer.status != 422,
        "{route}: {answer:?}"
    );
    if let Some(content) = documented["content"].as_object() {
        let kind = answer.content_type.split(';').next().unwrap_or_default();
        ensure!(content.contains_key(kind), "{route}: {kind} is not documented");
    }
    Ok(())
}

#[test]
fn the_documentation_says_of_each_reason_what_to_do() -> anyhow::Result<()> {
    let document: Value = serde_json::from_str(include_str!("../../../infra/openapi.json"))?;
    let reasons: Vec<Reason> = serde_json::from_value(document["components"]["schemas"]["Reason"]["enum"].clone())?;
    let rows = include_str!("../../../docs/reasons.md").lines();
    let documented: Vec<&str> = rows.filter_map(|row| row.strip_prefix("| `")).collect();
    for reason in &reasons {
        let again = if reason.is_retryable() { "` (again) | " } else { "` | " };
        let row = format!("{reason}{again}");
        ensure!(
            documented.iter().any(|documented| documented.starts_with(&row)),
            "{row}"
        );
    }
    ensure!(documented.len() == reasons.len(), "{documented:?}");
    Ok(())
}
