//! Real playbooks through the real service: everything that Ansible can do works as with `ansible-playbook`.

mod callbacks;
mod configuration;
mod connecting;
mod environment;
mod failing;
mod failures;
mod features;
mod homes;
mod inventories;
mod options;
mod secrets;
mod variables;

use anyhow::Context;
use callboard_tests::Client;
use serde_json::{Value, json};

/// An inline inventory of hosts that are all this machine.
pub(crate) fn hosts(hosts: &Value) -> Value {
    let vars = json!({
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    });
    json!({"type": "inline", "data": {"all": {"hosts": hosts, "vars": vars}}})
}

/// A job that has ended: its record and what it printed, without colours.
pub(crate) struct Played {
    pub(crate) id: String,
    pub(crate) job: Value,
    pub(crate) log: String,
}

/// Runs a job to its end.
pub(crate) async fn play(client: &Client, request: &Value) -> anyhow::Result<Played> {
    let job = client.run(request).await?;
    let id = job["job_id"].as_str().context("a job has an id")?.to_owned();
    let log = callboard_tests::text::plain(&client.logs(&id).await?);
    Ok(Played { id, job, log })
}
