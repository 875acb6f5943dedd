//! What a bad request gets: an answer that names each fault, and nothing half-made stays behind.

mod bodies;
mod cases;
mod credentials;
mod failing;
mod fields;
mod routes;

use anyhow::ensure;
use callboard_tests::client::Answer;
use callboard_tests::{Client, Service};
use serde_json::{Value, json};

/// What docs/problems.md says of each kind of problem.
const PROBLEMS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems.md"));

/// Checks that an answer is a problem as RFC 9457 has it, of this kind, as it is documented, and with these places.
fn check_problem(what: &str, answer: &Answer, kind: &str, places: &[&str]) -> anyhow::Result<()> {
    let body = &answer.body;
    ensure!(answer.content_type == "application/problem+json", "{what}: {answer:?}");
    ensure!(
        body["type"] == format!("urn:callboard:problem:{kind}"),
        "{what}: {answer:?}"
    );
    let (status, title) = (answer.status.as_u16(), body["title"].as_str().unwrap_or_default());
    let documented = format!("\n## {kind}\n\n{status}. {title}. Sending the same request again ");
    ensure!(PROBLEMS.contains(&documented), "{what}: {body} is not as documented");
    ensure!(body["status"] == status && is_text(&body["detail"]), "{what}: {body}");
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(errors.iter().all(|error| is_text(&error["detail"])), "{what}: {body}");
    let found: Vec<_> = errors.iter().map(place).collect();
    ensure!(found == places, "{what}: found {found:?}, expected {places:?}: {body}");
    Ok(())
}

/// A fault is in the body, in the query, or in a header.
fn place(error: &Value) -> &str {
    let place = ["pointer", "parameter", "header"]
        .iter()
        .find_map(|kind| error.get(kind));
    place.and_then(Value::as_str).unwrap_or("nowhere")
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Checks that the service still works, that a good job is the only one there is, and that no folder is left.
async fn check_unharmed(service: &Service, client: &Client) -> anyhow::Result<()> {
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(job["status"] == "successful", "{job}");
    let list = client.get("/api/v1/jobs").await?;
    ensure!(list.body["total"] == 1, "something half-made is left: {list:?}");
    ensure!(list.body["jobs"][0]["job_id"] == job["job_id"], "{list:?}");
    ensure!(
        !service.log().contains("ERROR"),
        "the service logged: {}",
        service.log()
    );
    Ok(())
}
