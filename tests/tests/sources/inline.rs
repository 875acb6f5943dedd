//! A playbook in the request.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service};
use serde_json::{Value, json};

#[tokio::test]
async fn ansible_reads_the_very_bytes_of_the_request() -> anyhow::Result<()> {
    const PLAY: &str = "- hosts: all\n  gather_facts: false\n  vars:\n    word: !unsafe '{{ left }}'\n  tasks:\n    \
        - ansible.builtin.debug: {msg: \"{{ lookup('pipe', 'sha256sum < ' ~ file) }}\"}\n      \
        vars: {file: \"{{ playbook_dir }}/playbook.yml\"}\n";
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let large = format!("{PLAY}# {}", "x".repeat((1 << 20) - PLAY.len() - 2));
    ensure!(large.len() == 1 << 20);
    for content in [
        PLAY.to_owned(),
        PLAY.replace('\n', "\r\n"),
        format!("\u{feff}---\n{PLAY}"),
        format!("---   \n#\té \u{1f600} \u{a0} trailing   \n{PLAY}\n\n...\n  \n"),
        format!("{PLAY}# no end"),
        large,
    ] {
        let (job, said) = play(&client, &content).await?;
        ensure!(job["status"] == "successful" && job["playbook"].is_null(), "{job}");
        ensure!(
            said == digest(&content)?,
            "{:?} became something else",
            content.get(..500)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_playbook_that_is_too_large_or_none_is_refused() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let large = "#".repeat((1 << 20) + 1);
    for (content, told) in [
        (json!(large), "must have at most 1048576 bytes, not 1048577"),
        (json!(""), "must not be empty"),
        (json!(" \n\t\n"), "must hold a playbook"),
        (json!("a\u{0}b"), "must not hold NUL"),
        (json!([{"hosts": "all"}]), "must be a string, not a list"),
        (Value::Null, "is missing"),
    ] {
        let request = json!({"source": {"type": "inline", "content": content}});
        let answer = client.post("/api/v1/jobs", request.to_string()).await?;
        let errors = answer.body["errors"].as_array().context("faults")?;
        ensure!(answer.status == 422 && errors.len() == 1, "{told}: {answer:?}");
        ensure!(errors[0]["pointer"] == "/source/content", "{told}: {}", answer.body);
        ensure!(
            errors[0]["detail"].as_str().context("a detail")?.starts_with(told),
            "{told}: {}",
            answer.body
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_playbook_that_ansible_cannot_read_fails_the_job_with_the_line() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    for (content, line) in [
        (
            "- hosts: all\n  tasks:\n    - debug: {msg: [\n",
            "playbook.yml, line 4,",
        ),
        (
            "- hosts: all\n  tasks:\n    - no_such_module: {}\n",
            "playbook.yml, line 3,",
        ),
        ("just words", "playbook.yml, line 1,"),
    ] {
        let (job, _said) = play(&client, content).await?;
        ensure!(job["status"] == "failed" && job["reason"] == "playbook_failed", "{job}");
        ensure!(job["error"].as_str().is_some_and(|error| error.contains(line)), "{job}");
    }
    Ok(())
}

/// Runs a playbook; returns its record and what its last `debug` said.
async fn play(client: &Client, content: &str) -> anyhow::Result<(Value, String)> {
    let job = client
        .run(&json!({"source": {"type": "inline", "content": content}}))
        .await?;
    let events = client.events(job["job_id"].as_str().context("an id")?).await?;
    let said = events
        .iter()
        .filter_map(|event| event["event_data"]["res"]["msg"].as_str())
        .next_back();
    Ok((job.clone(), said.unwrap_or_default().to_owned()))
}

/// Returns what `sha256sum` says of a file that holds this.
fn digest(content: &str) -> anyhow::Result<String> {
    let mut file: File = tempfile::tempfile()?;
    file.write_all(content.as_bytes())?;
    file.rewind()?;
    let output = Command::new("sha256sum").stdin(file).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
