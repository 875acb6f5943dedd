//! `/openapi.json` and `/health`.

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_documented_route_answers_as_documented() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let served = client.get("/openapi.json").await?;
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/openapi.json"))?;
    ensure!(
        serde_json::from_str::<Value>(&committed)? == served.body,
        "infra/openapi.json is old; renew it: cargo run -q -p callboard -- openapi > infra/openapi.json"
    );
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    let id = job["job_id"].as_str().unwrap_or_default();
    let paths = served.body["paths"].as_object().context("the document has no paths")?;
    ensure!(paths.len() == 7, "{:?} are documented", paths.keys());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
            check(&client, method, &path.replace("{id}", id), operation).await?;
        }
    }
    Ok(())
}

async fn check(client: &Client, method: Method, path: &str, operation: &Value) -> anyhow::Result<()> {
    let mut request = client.request(method.clone(), path);
    if operation.get("requestBody").is_some() {
        request = request.json(&operation_example(client).await?);
    }
    let answer = client.send(request).await?;
    let documented = &operation["responses"][answer.status.as_str()];
    ensure!(
        documented.is_object() && answer.status != 404,
        "{method} {path}: {answer:?}"
    );
    let Some(content) = documented["content"].as_object() else {
        return Ok(());
    };
    let kind = answer.content_type.split(';').next().unwrap_or_default();
    ensure!(content.contains_key(kind), "{method} {path}: {kind} is not documented");
    Ok(())
}

/// The document's own example of a request is one that is accepted.
async fn operation_example(client: &Client) -> anyhow::Result<Value> {
    let document = client.get("/openapi.json").await?.body;
    let example = &document["components"]["schemas"]["JobRequest"]["example"];
    ensure!(example.is_object(), "the document has no example of a request");
    Ok(example.clone())
}

#[tokio::test]
async fn health_tells_whether_the_service_lives_and_can_work() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let live = client.get("/health/live").await?;
    ensure!(live.status == 200 && live.body["status"] == "ok", "{live:?}");
    let ready = client.get("/health/ready").await?;
    let expected = json!({"status": "ready", "checks": {"ansible": "ok", "store": "ok"}});
    ensure!(ready.status == 200 && ready.body == expected, "{ready:?}");
    Ok(())
}
