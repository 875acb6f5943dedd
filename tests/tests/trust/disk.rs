//! A full disk: nothing is accepted that cannot be kept, no job ends wrongly, and work goes on when there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_tests::client::{Answer, Client};
use callboard_tests::program::inherit;
use callboard_tests::{Service, callboard, playbooks};
use serde_json::{Value, json};

/// Room for the database, and for the output of a few jobs.
const MIB: usize = 24;

#[tokio::test]
async fn a_full_disk_refuses_submissions_holds_jobs_up_and_loses_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let service = start(folder.path())?;
    let (client, disk) = (service.client(), seen_by(&service, folder.path()));
    let filler = disk.join("filler");
    let kept = client.run(&json!({"playbook": "hello.yml"})).await?;
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": folder.path().join("go")}, "inventory": "waiting,"});
    let running = client.submit(&waiting).await?;
    client.until(&running, |job| job["status"] == "running").await?;

    fill(&filler)?;
    let mut refused = None;
    for _ in 0..500 {
        let answer = client
            .post("/api/v1/jobs", json!({"playbook": "hello.yml"}).to_string())
            .await?;
        if answer.status != 202 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("a full disk refuses nothing")?;
    ensure!(
        refused.status == 503 && !refused.header("retry-after").is_empty(),
        "{refused:?}"
    );
    ensure!(
        client.job(kept["job_id"].as_str().unwrap_or_default()).await? == kept,
        "what is kept can be read"
    );
    ensure!(client.job(&running).await?["status"] == "running");
    ensure!(client.get("/health/live").await?.status == 200);
    unready(&client, &["store", "output"], "No space left on device").await?;
    let password = json!({"name": "web", "kind": "password", "password": "x".repeat(8000)});
    unavailable(&client.post("/api/v1/credentials", password.to_string()).await?)?;

    fs::remove_file(&filler)?;
    ready(&client).await?;
    fs::write(disk.join("go"), "")?;
    let job = client.ended(&running).await?;
    ensure!(
        job["status"] == "successful" && job["result"]["log"]["complete"] == true,
        "{job}"
    );
    let again = client.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(again["status"] == "successful", "{again}");
    let pending = |answer: &Value| answer["total"] == 0;
    for _ in 0..600 {
        if pending(&client.get("/api/v1/jobs?status=pending&limit=1").await?.body) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let failed = client.get("/api/v1/jobs?status=failed&limit=100").await?.body;
    ensure!(failed["total"] == 0, "{failed}");
    Ok(())
}

#[tokio::test]
async fn a_full_folder_for_running_jobs_is_no_fault_of_the_playbook() -> anyhow::Result<()> {
    let (data, work) = (
        tempfile::tempdir()?,
        tempfile::Builder::new().prefix("w").tempdir_in("/tmp")?,
    );
    let service = start_on(
        work.path(),
        data.path(),
        &["--work", &work.path().display().to_string()],
    )?;
    let content = "- hosts: all\n  gather_facts: false\n  tasks:\n    \
        - {name: Fill, ansible.builtin.command: \"dd if=/dev/zero of={{ lookup('env', 'HOME') }}/filler bs=1M\", ignore_errors: true}\n    \
        - {name: Copy, ansible.builtin.copy: {content: \"{{ 'x' * 9000 }}\", dest: ~/copied}}\n";
    let request = json!({"source": {"type": "inline", "content": content}, "options": {"max_attempts": 2}});
    let job = service.client().run(&request).await?;
    let error = format!(
        "The folder for running jobs, {}, is full; make room",
        work.path().display()
    );
    ensure!(job["reason"] == "runner_error" && job["attempt"] == 2, "{job}");
    ensure!(
        job["error"].as_str().is_some_and(|told| told.starts_with(&error)),
        "{job}"
    );
    let again = service.client().run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(again["status"] == "successful", "{again}");
    Ok(())
}

#[tokio::test]
async fn a_data_folder_that_is_deleted_takes_nothing_more_and_is_told_of() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let service = Service::start_in(&data, &[])?;
    let client = service.client();
    client.run(&json!({"playbook": "hello.yml"})).await?;
    ready(&client).await?;
    let aside = folder.path().join("aside");
    fs::rename(&data, &aside)?;

    let password = json!({"name": "web", "kind": "password", "password": "long enough"}).to_string();
    for _ in 0..2 {
        let job = json!({"playbook": "hello.yml"}).to_string();
        unavailable(&client.post("/api/v1/jobs", job).await?)?;
        unavailable(&client.post("/api/v1/credentials", &*password).await?)?;
        unavailable(&client.delete("/api/v1/credentials/web").await?)?;
    }
    unready(&client, &["store", "output"], "the file is gone").await?;
    ensure!(!data.exists(), "the folder was made again, with less in it");
    fs::rename(&aside, &data)?;
    ready(&client).await?;
    ensure!(client.run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    Ok(())
}

fn unavailable(answer: &Answer) -> anyhow::Result<()> {
    let kind = answer.body["type"] == "urn:callboard:problem:unavailable";
    ensure!(
        answer.status == 503 && kind && !answer.header("retry-after").is_empty(),
        "{answer:?}"
    );
    Ok(())
}

/// Waits until the service says that what is named is failing, with these words.
async fn unready(client: &Client, names: &[&str], told: &str) -> anyhow::Result<()> {
    let failing = |body: &Value| names.iter().all(|name| body["checks"][*name]["status"] == "failing");
    let found = until(client, |answer| answer.status == 503 && failing(&answer.body)).await?;
    ensure!(found.body.to_string().contains(told), "{found:?}");
    Ok(())
}

async fn ready(client: &Client) -> anyhow::Result<()> {
    until(client, |answer| answer.status == 200).await.map(drop)
}

/// Asks for readiness until the answer is the one that is wanted.
async fn until(client: &Client, wanted: impl Fn(&Answer) -> bool) -> anyhow::Result<Answer> {
    let mut answer = client.get("/health/ready").await?;
    for _ in 0..150 {
        if wanted(&answer) {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        answer = client.get("/health/ready").await?;
    }
    anyhow::bail!("the service does not say so: {answer:?}")
}

/// Starts a service whose data folder is a small file system of its own.
fn start(folder: &Path) -> anyhow::Result<Service> {
    start_on(folder, &folder.join("data"), &[])
}

/// Starts a service in whose sight a folder is a small file system of its own.
fn start_on(folder: &Path, data: &Path, arguments: &[&str]) -> anyhow::Result<Service> {
    let inner = callboard(data)?;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!(
        "mount -t tmpfs -o size={MIB}m,mode=0700 tmpfs \"$0\" && exec \"$@\""
    ));
    command.arg(folder).arg(inner.get_program());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .args(arguments);
    inherit(&mut command, &inner);
    Service::spawn(command)
}

/// The service's own view of a folder: its mounts are not everybody's.
fn seen_by(service: &Service, folder: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", service.pid()));
    root.join(folder.strip_prefix("/").unwrap_or(folder))
}

/// Writes until there is no room for another byte.
fn fill(path: &Path) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
    Ok(())
}
