//! What is too large for an item of the table, or for an answer of a function.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::start;

#[tokio::test]
async fn a_request_of_half_a_megabyte_runs_and_reads_back() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let filler = "x".repeat(500_000);
    let request = json!({"playbook": "hello.yml", "extra_vars": {"name": "large", "filler": filler}});
    let job = client.run(&request).await?;
    assert_eq!(job["status"], "successful", "{}", job["error"]);
    assert_eq!(job["extra_vars"], request["extra_vars"]);
    Ok(())
}

#[tokio::test]
async fn output_that_no_answer_can_hold_is_read_from_the_bucket_and_by_ranges() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let request = json!({"playbook": "output/much.yml", "extra_vars": {"times": 90, "lines": 1000}});
    let id = client.submit(&request).await?;
    let job = client.ended(&id).await?;
    assert_eq!(job["status"], "successful", "{job}");
    assert_eq!(job["result"]["stdout_truncated"], true);
    let path = format!("/api/v1/jobs/{id}/logs");
    let whole = client.logs(&id).await?;
    assert_eq!(job["result"]["stdout_bytes"], whole.len());
    let mut parts = Vec::new();
    while parts.len() < whole.len() {
        let range = format!("bytes={}-", parts.len());
        let part = client.request(Method::GET, &path).header("Range", range).send().await?;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        parts.extend_from_slice(&part.bytes().await?);
    }
    assert!(parts == whole, "the parts differ from the whole");
    let plain = client.get(&format!("{path}?format=text")).await?;
    assert_eq!(
        plain.body["type"], "urn:callboard:problem:output-too-large",
        "{plain:?}"
    );
    Ok(())
}
