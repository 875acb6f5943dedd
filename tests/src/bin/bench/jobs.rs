//! Whole jobs: their time compared with `ansible-playbook`, and their throughput.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service};
use serde_json::{Value, json};

use crate::report::{Report, Target, median};

const ROUNDS: usize = 20;
const BATCH: usize = 240;

/// The request of a job that prints one line.
pub(crate) fn hello() -> Value {
    json!({"playbook": "hello.yml"})
}

/// The time from POST to the finished record, in alternation with the stock program.
pub(crate) async fn wall_time(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let stock = stock_ansible(&service)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (our, their) = (job(&client).await?, playbook(&stock)?);
        if round > 0 {
            ours.push(our);
            theirs.push(their);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let reference = format!(
        "{:.0} ms against {:.0} ms of ansible-playbook",
        ours * 1e3,
        theirs * 1e3
    );
    report.add(
        "hello.yml, POST to finished record",
        ours / theirs,
        "ratio",
        Target::AtMost(0.35),
        reference,
    );
    Ok(())
}

async fn job(client: &Client) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answer = client.post("/api/v1/jobs?sync=true", hello().to_string()).await?;
    ensure!(answer.body["status"] == "successful", "{answer:?}");
    Ok(start.elapsed().as_secs_f64())
}

fn playbook(stock: &PathBuf) -> anyhow::Result<f64> {
    let start = Instant::now();
    let path = callboard_tests::playbooks().join("hello.yml");
    let status = Command::new(stock)
        .args(["-i", "localhost,"])
        .arg(path)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "ansible-playbook failed");
    Ok(start.elapsed().as_secs_f64())
}

/// Returns the `ansible-playbook` of the environment that the service itself uses.
pub(crate) fn stock_ansible(service: &Service) -> anyhow::Result<PathBuf> {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", service.pid()))?;
    let hosts = children
        .split_whitespace()
        .filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok());
    for command in hosts {
        let program = String::from_utf8_lossy(&command)
            .split('\0')
            .next()
            .map(PathBuf::from)
            .unwrap_or_default();
        let stock = program.with_file_name("ansible-playbook");
        if stock.is_file() {
            return Ok(stock);
        }
    }
    // `children` needs a kernel option; also, the service's threads each have their own part of the list
    find_in_tasks(service.pid()).context("the Ansible host of the service was not found")
}

fn find_in_tasks(pid: u32) -> Option<PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let children = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<String> = children
        .flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    pids.iter().find_map(|pid| {
        let command = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).ok()?;
        let stock = PathBuf::from(String::from_utf8_lossy(&command).split('\0').next()?);
        Some(stock.with_file_name("ansible-playbook")).filter(|path| path.is_file())
    })
}

/// Jobs per minute with two workers.
pub(crate) async fn throughput(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "2"])?;
    let client = service.client();
    client.run(&hello()).await?;
    let start = Instant::now();
    for _ in 0..BATCH {
        client.submit(&hello()).await?;
    }
    drained(&client).await?;
    let rate = BATCH as f64 / start.elapsed().as_secs_f64() * 60.0;
    report.add(
        "hello.yml, 2 workers",
        rate,
        "jobs/min",
        Target::AtLeast(600.0),
        "101 of the Python service",
    );
    Ok(())
}

/// Waits until no job is pending or running.
pub(crate) async fn drained(client: &Client) -> anyhow::Result<()> {
    for status in ["pending", "running"] {
        while client.get(&format!("/api/v1/jobs?status={status}&limit=1")).await?.body["total"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
