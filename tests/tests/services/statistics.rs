//! `GET /api/v1/stats`.

use anyhow::ensure;
use callboard_testkit::calls::{JSON, Server};
use reqwest::StatusCode;
use serde_json::json;

use crate::{World, echo};

#[tokio::test]
async fn jobs_are_counted_once_however_often_they_were_tried() -> anyhow::Result<()> {
    let answers: [(u16, &[_], &str); 5] = [
        (503, &[], "down"),
        (200, JSON, "{}"),
        (404, &[], "gone"),
        (200, JSON, "{}"),
        (200, JSON, "{}"),
    ];
    let (_server, address) = Server::start(&answers).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let call = json!({"service": "echo", "operation": "say", "input": {"text": "a"}});
    for _ in 0..4 {
        client.run(&call).await?;
    }
    client.run(&json!({"playbook": "hello.yml"})).await?;
    let stats = client.get("/api/v1/stats/performance?window=2d").await?.body;
    let entry = &stats["entries"][0];
    ensure!(
        entry["service"] == "echo" && entry["operation"] == "say" && entry["kind"] == "http",
        "{stats}"
    );
    ensure!(
        entry["jobs"] == 4 && entry["successful"] == 3 && entry["failed"] == 1,
        "{entry}"
    );
    ensure!(entry["attempts"] == 5 && entry["success_rate"] == 0.75, "{entry}");
    let took = &entry["duration_seconds"];
    ensure!(
        took["p50"].as_f64() <= took["p99"].as_f64() && took["p99"].as_f64() <= took["max"].as_f64(),
        "{took}"
    );
    ensure!(stats["entries"][1]["playbook"] == "hello.yml", "{stats}");
    let by_kind = client.get("/api/v1/stats/performance?by=kind&kind=http").await?.body;
    let entry = &by_kind["entries"][0];
    ensure!(
        entry["jobs"] == 4 && entry["service"].is_null() && by_kind["entries"][1].is_null(),
        "{by_kind}"
    );
    let resources = client.get("/api/v1/stats/resources?service=echo").await?.body;
    ensure!(
        resources["entries"][0]["jobs"] == 4 && resources["entries"][0]["output_bytes"] == 10,
        "{resources}"
    );
    let failures = client.get("/api/v1/stats/failures").await?.body;
    let entry = &failures["entries"][0];
    ensure!(
        entry["reason"] == "http_status" && entry["jobs"] == 1 && entry["share"] == 0.25,
        "{failures}"
    );
    ensure!(
        entry["last_error"].as_str().is_some_and(|error| error.contains("404")),
        "{failures}"
    );
    for query in ["window=0h", "window=3", "by=host", "window=9999d"] {
        let answer = client.get(&format!("/api/v1/stats/performance?{query}")).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    Ok(())
}
