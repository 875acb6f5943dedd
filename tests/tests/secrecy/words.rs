//! Passwords that are words of Callboard's or Ansible's own, numbers, or parts of names: what is told stays readable, and has
//! none of them where they are values.

use std::fs;

use anyhow::{Context, ensure};
use callboard_tests::Service;
use callboard_tests::client::Client;
use serde_json::{Value, json};

const MASK: &str = "********";

const FAILS: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - {name: Say, ansible.builtin.debug: {msg: {number: '{{ 48151623 | int }}', text: WORD}}}
    - {name: Give up, ansible.builtin.fail: {msg: because of WORD}}
";

#[tokio::test]
async fn a_password_that_is_a_word_of_an_event_leaves_sentence_counts_and_events_as_they_are() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    for word in [
        "host",
        "task",
        "processed",
        "stats",
        "changed",
        "failures",
        "event_data",
        "failed",
        "playbook_failed",
    ] {
        let host = json!({"type": "inline", "hosts": ["web1"], "host_vars": {"web1": {"ansible_connection": "local"}}});
        let job = run(&client, word, &FAILS.replace("WORD", word), &host).await?;
        let error = job["error"].as_str().context("a sentence")?;
        ensure!(
            error == format!("1 of 1 host failed: web1 in task \"Give up\" (playbook.yml:6): because of {MASK}"),
            "{word}: {job}"
        );
        ensure!(job["reason"] == "playbook_failed" && job["status"] == "failed", "{job}");
        let counts = &job["result"]["stats"]["web1"];
        ensure!(
            counts["ok"] == 1 && counts["failures"] == 1 && counts["processed"] == 1,
            "{word}: {job}"
        );
        let events = client.events(job["job_id"].as_str().unwrap_or_default()).await?;
        let of = |name: &str| {
            events
                .iter()
                .find(|event| event["event"] == name)
                .map(|event| &event["event_data"])
        };
        let failed = of("runner_on_failed").context("the failure")?;
        ensure!(failed["host"] == "web1" && failed["task"] == "Give up", "{failed}");
        ensure!(failed["res"]["msg"] == format!("because of {MASK}"), "{failed}");
        let stats = of("playbook_on_stats").context("the counts")?;
        ensure!(
            stats["processed"]["web1"] == 1 && stats["failures"]["web1"] == 1,
            "{stats}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_number_and_the_names_of_hosts_and_groups_are_hidden_everywhere() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let job = run(
        &client,
        "48151623",
        &FAILS.replace("WORD", "nothing"),
        &json!("localhost,"),
    )
    .await?;
    absent(&client, &data, &job, "48151623").await?;

    let grouped = "
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.add_host: {name: web-s3cret7, groups: [in_s3cret7], ansible_connection: local}
- hosts: in_s3cret7
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {var: groups}
    - ansible.builtin.fail: {msg: no}
";
    let job = run(&client, "s3cret7", grouped, &json!("localhost,")).await?;
    ensure!(job["result"]["stats"][format!("web-{MASK}")]["failures"] == 1, "{job}");
    ensure!(job["result"]["failures"][0]["host"] == format!("web-{MASK}"), "{job}");
    ensure!(
        job["error"]
            .as_str()
            .is_some_and(|told| told.contains(&format!("web-{MASK} in task"))),
        "{job}"
    );
    absent(&client, &data, &job, "s3cret7").await
}

/// What `base64` and `od` make of a longer text, in which the secret goes over the ends of lines.
#[tokio::test]
async fn a_secret_is_hidden_over_the_lines_and_columns_that_programs_write() -> anyhow::Result<()> {
    const SECRET: &str = "correct-horse/battery";
    let (service, data) = Service::start(&[])?;
    let text: String = (0..14)
        .map(|letters| format!("{}{SECRET}\n", "x".repeat(letters)))
        .collect();
    let file = data.path().join("text");
    fs::write(&file, text)?;
    let file = file.display();
    let tasks = ["base64", "base64 -w 64", "od -A x -t x1z", "od -x", "od -A d -t x1"].map(|program| {
        format!("    - {{ansible.builtin.command: {program} {file}, register: told}}\n    - {{ansible.builtin.debug: {{var: told}}}}\n")
    });
    let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{}", tasks.concat());
    let client = service.client();
    let job = run(&client, SECRET, &playbook, &json!("localhost,")).await?;
    ensure!(job["status"] == "successful", "{job}");
    let id = job["job_id"].as_str().unwrap_or_default();
    let log = String::from_utf8_lossy(&client.logs(id).await?).into_owned();
    ensure!(log.matches(MASK).count() > 10, "{log}");
    for told in [log, json!(client.events(id).await?).to_string()] {
        let told: String = told.chars().filter(|char| !char.is_whitespace()).collect();
        // "horse" and "t-hor" in base64, in numbers, in words of two bytes, and as it is
        for part in [
            "aG9yc2",
            "LWhvcnNl",
            "dC1ob3Jz",
            "686f727365",
            "686f7372",
            "6f687372",
            "rect-horse",
            "horse/b",
        ] {
            ensure!(!told.contains(part), "{part}: {told}");
        }
    }
    Ok(())
}

/// Runs a playbook with a password.
async fn run(client: &Client, password: &str, playbook: &str, inventory: &Value) -> anyhow::Result<Value> {
    let credential =
        json!({"name": format!("of-{}", password.replace('/', "-")), "kind": "password", "password": password});
    let stored = client.post("/api/v1/credentials", credential.to_string()).await?;
    ensure!(stored.status == 201, "{stored:?}");
    client
        .run(&json!({
            "source": {"type": "inline", "content": playbook}, "inventory": inventory,
            "credentials": {"password": credential["name"]}, "options": {"verbosity": 1},
        }))
        .await
}

/// Checks that what was kept of a job's run has no such text; its request has what the client sent.
async fn absent(client: &Client, data: &tempfile::TempDir, job: &Value, text: &str) -> anyhow::Result<()> {
    let id = job["job_id"].as_str().unwrap_or_default();
    let told = [&job["result"], &job["error"], &job["progress"], &job["attempts"]]
        .map(Value::to_string)
        .concat();
    ensure!(!told.contains(text), "{told}");
    ensure!(!json!(client.events(id).await?).to_string().contains(text));
    for entry in fs::read_dir(data.path().join("logs").join(id).join("1"))? {
        let path = entry?.path();
        ensure!(
            !String::from_utf8_lossy(&fs::read(&path)?).contains(text),
            "{}",
            path.display()
        );
    }
    Ok(())
}
