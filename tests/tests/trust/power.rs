//! A power loss: of all that was written, only what was synchronised is there afterwards.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use callboard_tests::{Finished, Service, callboard, playbooks};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;

#[tokio::test]
async fn what_was_promised_before_a_power_loss_is_there_after_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, shadow) = (folder.path().join("data"), folder.path().join("shadow"));
    let library = folder.path().join("power_loss.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/power_loss.c");
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl");
    ensure!(compile.status()?.success(), "the shim does not compile");
    let mut command = callboard(&data)?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--playbooks"]);
    command
        .arg(playbooks())
        .env("SHADOW", &shadow)
        .env("LD_PRELOAD", &library);
    let mut service = Service::spawn(command)?;
    let client = service.client();
    let mut ended = Vec::new();
    for _ in 0..5 {
        ended.push(client.run(&json!({"playbook": "hello.yml"})).await?);
    }
    let file = folder.path().join("go");
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "waiting,"});
    let running = client.submit(&request).await?;
    client.until(&running, |job| job["status"] == "running").await?;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(client.submit(&json!({"playbook": "hello.yml"})).await?);
    }
    service.signal(Signal::KILL)?;
    service.wait()?;

    let integrity: String =
        Connection::open(shadow.join("callboard.db"))?.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(integrity == "ok", "{integrity}");
    let service = Service::start_in(&shadow, &[])?;
    let client = service.client();
    for job in &ended {
        let id = job["job_id"].as_str().unwrap_or_default();
        ensure!(client.job(id).await? == *job, "{job}");
        let verified = Finished::from(callboard(&shadow)?.args(["verify", id]).output()?);
        ensure!(verified.code == 0, "{verified:?}");
    }
    for id in &waiting {
        ensure!(client.ended(id).await?["status"] == "successful");
    }
    ensure!(client.ended(&running).await?["reason"] == "lost");
    ensure!(client.get("/api/v1/jobs?limit=1").await?.body["total"] == 26);
    Ok(())
}
