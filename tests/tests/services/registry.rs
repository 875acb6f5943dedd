//! What is registered, and how it changes.

use anyhow::ensure;
use callboard_testkit::calls::{JSON, Server};
use reqwest::StatusCode;
use serde_json::json;

use crate::{World, echo, eventually, write};

#[tokio::test]
async fn services_and_their_operations_are_listed_with_their_schemas() -> anyhow::Result<()> {
    let world = World::start(&echo("127.0.0.1:1"))?;
    let client = world.service.client();
    let list = client.get("/api/v1/services").await?.body;
    ensure!(
        list["revision"].as_str().is_some_and(|revision| revision.len() == 12),
        "{list}"
    );
    let service = &list["services"][0];
    ensure!(
        service["name"] == "echo" && service["execution_type"] == "http" && service["category"] == "tests",
        "{service}"
    );
    assert_eq!(client.get("/api/v1/services/echo").await?.body, *service);
    let operation = client.get("/api/v1/services/echo/operations/say").await?.body;
    assert_eq!(operation, service["operations"][0]);
    ensure!(operation["input_schema"]["required"] == json!(["text"]), "{operation}");
    ensure!(
        operation["max_retries"] == 2 && operation["timeout"] == 300,
        "{operation}"
    );
    for (path, kind) in [
        ("/api/v1/services/ech", "no-such-service"),
        ("/api/v1/services/echo/operations/sing", "no-such-operation"),
    ] {
        let answer = client.get(path).await?;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.body["type"], format!("urn:callboard:problem:{kind}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_registry_is_read_again_and_a_bad_one_changes_nothing() -> anyhow::Result<()> {
    let (_server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let folder = world.registry.parent().unwrap_or(&world.registry);
    write(
        folder,
        &echo(&address).replace("idempotent: true", "idempotent: perhaps"),
    )?;
    let told = || async { Ok(world.service.log().contains("services.yml:11: ")) };
    eventually("the fault is logged with its line", told).await?;
    let list = client.get("/api/v1/services").await?.body;
    ensure!(list["services"][0]["name"] == "echo", "{list}");
    write(folder, &echo(&address).replace("name: say", "name: sing"))?;
    let changed = || async {
        let list = client.get("/api/v1/services").await?.body;
        Ok(list["services"][0]["operations"][0]["name"] == "sing")
    };
    eventually("the new registry is in force", changed).await?;
    let job = client
        .run(&json!({"service": "echo", "operation": "sing", "input": {"text": "a"}}))
        .await?;
    ensure!(job["status"] == "successful", "{job}");
    Ok(())
}

#[tokio::test]
async fn an_operation_is_tried_and_its_job_says_so() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(503, &[], "down"), (200, JSON, r#"{"id": 7}"#)]).await?;
    let world = World::start(&echo(&address))?;
    let client = world.service.client();
    let path = "/api/v1/services/echo/operations/say/test";
    let answer = client.post(path, r#"{"input": {"text": "hello"}}"#).await?;
    assert_eq!(answer.status, StatusCode::OK);
    let job = answer.body;
    ensure!(
        job["status"] == "successful" && job["result"]["output"] == json!({"id": 7}),
        "{job}"
    );
    ensure!(job["options"]["labels"] == json!({"callboard.test": "true"}), "{job}");
    assert_eq!(server.seen().len(), 2);
    for (body, pointer) in [
        ("", "/input"),
        (r#"{"input": {}}"#, "/input"),
        (r#"{"text": "hello"}"#, "/text"),
        (r#"{"input": {"text": "a"}, "options": {}}"#, "/options"),
        (r#"[1]"#, ""),
    ] {
        let answer = client.post(path, body).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
    Ok(())
}
