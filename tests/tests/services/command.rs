//! `callboard run --service`, and `callboard services`.

use std::io::BufRead as _;

use anyhow::{Context, ensure};
use callboard_testkit::calls::{JSON, Server};
use callboard_tests::Finished;
use callboard_tests::callboard;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{echo, write};

#[tokio::test]
async fn a_call_is_run_from_the_command_line() -> anyhow::Result<()> {
    let answers: [(u16, &[_], &str); 2] = [(503, &[], "down"), (200, JSON, r#"{"id": 7}"#)];
    let (server, address) = Server::start(&answers).await?;
    let folder = tempfile::tempdir()?;
    let registry = write(folder.path(), &echo(&address))?;
    std::fs::write(folder.path().join("input.json"), r#"{"text": "hello"}"#)?;
    let run = async |input: &str, more: &[&str]| {
        let mut command = callboard(&folder.path().join("data"))?;
        command
            .current_dir(folder.path())
            .args([
                "run",
                "--service",
                "echo",
                "--operation",
                "say",
                "--input",
                input,
                "--services",
            ])
            .arg(&registry)
            .args(more);
        anyhow::Ok(
            tokio::task::spawn_blocking(move || command.output())
                .await?
                .map(Finished::from)?,
        )
    };
    let finished = run("@input.json", &[]).await?;
    ensure!(
        finished.code == 0 && finished.stdout.contains(r#"{"id": 7}"#),
        "{finished:?}"
    );
    ensure!(finished.stderr.contains("successful in"), "{finished:?}");
    ensure!(server.asked() == 2, "{} requests", server.asked());
    let finished = run(r#"{"text": "hello"}"#, &["--json"]).await?;
    let record: Value = serde_json::from_str(&finished.stdout)?;
    ensure!(
        record["kind"] == "http" && record["result"]["output"]["id"] == 7,
        "{record}"
    );
    let finished = run(r#"{"text": 1}"#, &[]).await?;
    ensure!(
        finished.code == 1 && finished.stderr.contains("/input/text"),
        "{finished:?}"
    );
    let finished = run("@nothing.json", &[]).await?;
    ensure!(
        finished.code == 1 && finished.stderr.contains("nothing.json"),
        "{finished:?}"
    );
    Ok(())
}

#[test]
fn a_registry_is_checked_with_the_line_of_each_fault() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let services = |arguments: &[&str]| {
        let mut command = std::process::Command::new(callboard_tests::program::path("callboard")?);
        command.current_dir(folder.path()).arg("services").args(arguments);
        anyhow::Ok(Finished::from(command.output()?))
    };
    let finished = services(&["init"])?;
    ensure!(finished.code == 0, "{finished:?}");
    let finished = services(&["check", "services.yml"])?;
    ensure!(
        finished.code == 0 && finished.stdout.contains("4 services, 5 operations"),
        "{finished:?}"
    );
    let finished = services(&["init"])?;
    ensure!(
        finished.code == 1 && finished.stderr.contains("services.yml"),
        "{finished:?}"
    );
    write(
        folder.path(),
        "services:\n  - name: a\n    runner_config: {base_url: 'http://a.example.com'}\n    operations:\n      - {name: x, timout: 3}\n      - {name: x}\n",
    )?;
    let finished = services(&["check", "services.yml"])?;
    ensure!(finished.code == 1, "{finished:?}");
    ensure!(
        finished.stderr.contains("services.yml:5:") && finished.stderr.contains("services.yml:6:"),
        "{finished:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_call_that_waits_for_a_retry_is_ended_by_a_signal() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(503, &[("retry-after", "3000")], "down")]).await?;
    let folder = tempfile::tempdir()?;
    let long = echo(&address).replace("initial_interval: 0", "max_interval: 7200");
    let registry = write(folder.path(), &long)?;
    let mut command = callboard(&folder.path().join("data"))?;
    command
        .args([
            "run",
            "--service",
            "echo",
            "--operation",
            "say",
            "--input",
            r#"{"text": "a"}"#,
            "--services",
        ])
        .arg(&registry)
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let mut log = std::io::BufReader::new(child.stderr.take().context("standard error is piped")?);
    let mut line = String::new();
    while !line.contains("goes back to the queue") {
        line.clear();
        ensure!(log.read_line(&mut line)? > 0, "it ended");
    }
    kill_process(Pid::from_child(&child), Signal::INT)?;
    let ended = tokio::task::spawn_blocking(move || child.wait()).await??;
    ensure!(ended.code() == Some(130) && server.asked() == 1, "{ended:?}");
    Ok(())
}
