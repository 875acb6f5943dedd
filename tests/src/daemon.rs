//! Jobs that start a process in its own session that ignores SIGTERM, and that run until they are stopped.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::Client;
use crate::{processes, wait};

/// Submits such a job; `marker` is on the command line of every process that it starts.
///
/// # Errors
/// The job is refused.
pub async fn start(client: &Client, marker: &str, options: &Value) -> anyhow::Result<String> {
    let request = json!({"playbook": "start_daemon.yml", "extra_vars": {"marker": marker}, "options": options});
    client.submit(&request).await
}

/// Waits until such a job has started all of its processes.
///
/// # Errors
/// The job ends before that, or it takes too long.
pub async fn runs(client: &Client, id: &str, marker: &str) -> anyhow::Result<()> {
    let waits = |job: &Value| job["progress"]["current_task"] == "Go on until stopped";
    client.until(id, waits).await?;
    let both = || processes::with_marker(marker).len() >= 2;
    wait::until("the daemon and its task run", both).await
}

/// Two such jobs and their markers: one may be started once, the other twice.
pub struct Two {
    /// The job that may be started once.
    pub once: String,
    /// The job that may be started twice.
    pub again: String,
    /// The markers of both.
    pub markers: [String; 2],
}

/// Starts both jobs and waits until they run; the markers are paths below `data`.
///
/// # Errors
/// The jobs do not start to run.
pub async fn start_two(client: &Client, data: &Path) -> anyhow::Result<Two> {
    let markers = ["once", "again"].map(|name| data.join(name).display().to_string());
    let once = start(client, &markers[0], &json!({})).await?;
    let again = start(client, &markers[1], &json!({"max_attempts": 2})).await?;
    runs(client, &once, &markers[0]).await?;
    runs(client, &again, &markers[1]).await?;
    Ok(Two { once, again, markers })
}
