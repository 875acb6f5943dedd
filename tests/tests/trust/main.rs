//! What is promised of every job, kept by the real program when it is killed, overrun and fed what it cannot hold.

mod children;
mod damage;
mod disk;
mod doctor;
mod kills;
mod load;
mod memory;
mod power;
mod refusals;
mod verifying;

use anyhow::Context;
use callboard_tests::Client;
use serde_json::json;

/// Runs a job to its end; returns its id.
pub(crate) async fn run(client: &Client) -> anyhow::Result<String> {
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    job["job_id"].as_str().map(str::to_owned).context("an id")
}
