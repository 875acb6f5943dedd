//! What the record says of each way in which a playbook can fail: a table that is read by people, kept as a snapshot.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

/// How many jobs wait and run at a time.
const AT_ONCE: usize = 4;
/// Files that are no playbooks of their own.
const PARTS: [&str; 2] = ["failing_tasks", "vaulted"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_failing_is_told_with_host_task_place_and_cause() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let names = playbooks()?;
    ensure!(names.len() > 65, "{names:?}");
    let told: BTreeMap<String, String> = stream::iter(names)
        .map(|name| {
            let client = &client;
            async move { anyhow::Ok((name.clone(), told(client, &name).await.context(name)?)) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let table = told.iter().fold(String::new(), |mut table, (name, told)| {
        let _written = writeln!(table, "## {name}\n{told}");
        table
    });
    insta::assert_snapshot!("failing", table);
    Ok(())
}

fn playbooks() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(callboard_tests::playbooks().join("failing"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?;
        if path.extension().is_some_and(|ending| ending == "yml") && !PARTS.contains(&name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

async fn told(client: &Client, name: &str) -> anyhow::Result<String> {
    // one host after the other, so that their order is always the same
    let mut options = json!({"forks": 1});
    if name == "timeout" {
        options["timeout"] = json!(10);
    }
    let request = json!({
        "playbook": format!("failing/{name}.yml"), "inventory": crate::hosts(&inventory(name)), "options": options,
    });
    let job = client.run(&request).await?;
    ensure!(job["status"] == "failed", "{job}");
    let mut text = format!("{} (rc {})\n{}\n", job["reason"], job["result"]["rc"], job["error"]);
    for failure in job["result"]["failures"].as_array().context("a list of failures")? {
        text.push_str(&format!("- {failure}\n"));
    }
    Ok(stable(&text))
}

/// Two hosts that are this machine; for some cases others.
fn inventory(name: &str) -> Value {
    let gone = json!({"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1});
    match name {
        "many_hosts" => (1..=50).map(|number| (format!("h{number:02}"), json!({}))).collect(),
        "unreachable" | "unreachable_loop" => json!({"a": {}, "gone": gone}),
        "unreachable_and_failed" => json!({"a": {}, "b": {}, "gone": gone}),
        "delegated_unreachable" => json!({"a": {}, "gone": gone}),
        "any_errors_fatal" | "serial" | "max_fail_percentage" | "free" | "run_once" => {
            json!({"a": {}, "b": {}, "c": {}})
        }
        "forgiven" | "two_tasks" | "second_play" => json!({"a": {}, "b": {}}),
        _ => json!({"a": {}}),
    }
}

/// Replaces what differs from run to run: folders, process ids, times.
fn stable(text: &str) -> String {
    let playbooks = callboard_tests::playbooks().display().to_string();
    let mut text = text.replace(&playbooks, "PLAYBOOKS");
    let mut from = 0;
    while let Some(at) = text[from..].find("/var/tmp/cb-") {
        let start = from + at;
        let end = text[start..]
            .find(['"', '\'', ' ', '\\', ','])
            .map_or(text.len(), |end| start + end);
        text.replace_range(start..end, "WORK");
        from = start;
    }
    text
}
