//! The functions under the Runtime Interface Emulator: start-up time, call time, memory and size.

mod caller;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_aws::{DynamoDbJobStore, JobStoreSettings, SqsQueue};
use callboard_core::job::{JobQueue, JobStore, Ticket};
use callboard_tests::aws::{Function, Resources, stack};
use callboard_tests::contract::samples::{create, due, job, now};
use serde_json::{Value, json};

pub(crate) use self::caller::caller;
use crate::report::{Report, Target, median};

const STARTS: usize = 5;
const CALLS: usize = 300;

/// Submit and query: init, a warm call, memory, and the size of the upload.
pub(crate) async fn zips(report: &mut Report) -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let settings = JobStoreSettings {
        table: resources.table.clone(),
        bucket: resources.bucket.clone(),
        retention: Duration::from_secs(30 * 24 * 3600),
    };
    let store = DynamoDbJobStore::new(&resources.config, settings);
    let queue = SqsQueue::new(
        &resources.config,
        resources.jobs.url.clone(),
        resources.calls.url.clone(),
    );
    let known = create(&store).await?;
    let get = file("http-get.json")?.replace("01a1faf8-50a0-70a1-801c-2d3e4f506172", &known.id.to_string());
    let post = file("http-submit-minimal.json")?;
    for (name, logical, event, status) in [
        ("submit", "SubmitFunction", post, 202),
        ("query", "QueryFunction", get, 200),
    ] {
        let (event, environment): (Value, _) = (serde_json::from_str(&event)?, resources.environment(logical)?);
        let mut inits = Vec::new();
        for _ in 0..STARTS {
            let function = Function::start(name, &environment).await?;
            function.invoke(&event).await?;
            inits.push(init_ms(&function.log())?);
        }
        let function = Function::start(name, &environment).await?;
        let mut overheads = Vec::new();
        for _ in 0..CALLS {
            let answer = function.invoke(&event).await?;
            ensure!(answer["statusCode"] == status, "{answer}");
            let alone = Instant::now();
            if name == "submit" {
                let job = job();
                store.create(&job).await?;
                queue.send(&Ticket::of(&job), Duration::ZERO).await?;
                store.mark_dispatched(job.id, due(&job)).await?;
            } else {
                store.get(known.id, now()).await?;
            }
            overheads.push((alone.elapsed().as_secs_f64() * 1e3, last_duration_ms(&function.log())?));
        }
        let over = median(overheads.iter().map(|(alone, call)| call - alone).collect());
        let whole = median(overheads.iter().map(|(_, call)| *call).collect());
        let pid = function.pid().context("the function runs")?;
        let (init, memory, zip) = (median(inits), crate::memory::resident_mib(pid)?, zip_mb(name)?);
        let under = "under the Runtime Interface Emulator";
        let [init_name, warm_name, memory_name, zip_name] = if name == "submit" {
            [
                "submit: init",
                "submit: warm call over the store",
                "submit: resident",
                "submit: zip",
            ]
        } else {
            [
                "query: init",
                "query: warm call over the store",
                "query: resident",
                "query: zip",
            ]
        };
        report.add(init_name, init, "ms", Target::AtMost(60.0), under);
        let reference = format!("the whole call {whole:.1} ms, less the same calls of DynamoDB and SQS alone");
        report.add(warm_name, over, "ms", Target::AtMost(3.0), reference);
        let calls = format!("after {CALLS} calls");
        report.add(memory_name, memory, "MiB", Target::AtMost(40.0), calls);
        report.add(zip_name, zip, "MB", Target::AtMost(10.0), "stripped, deflated");
    }
    Ok(())
}

/// The worker: the time from its start until the Ansible host is ready.
pub(crate) async fn worker(report: &mut Report) -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let mut environment = resources.environment("WorkerFunction")?;
    environment.extend(stack::ansible());
    let mut inits = Vec::new();
    for _ in 0..3 {
        let function = Function::start("worker", &environment).await?;
        function.invoke(&json!({"Records": []})).await?;
        inits.push(init_ms(&function.log())? / 1e3);
    }
    let under = "init, under the Runtime Interface Emulator, without the image";
    report.add(
        "worker: Ansible host ready",
        median(inits),
        "s",
        Target::AtMost(1.5),
        under,
    );
    Ok(())
}

fn file(name: &str) -> anyhow::Result<String> {
    let path = format!("{}/../events/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).context(path)
}

/// Reads the init time that the emulator reported: `INIT REPORT(durationMs: 8.6)`.
fn init_ms(log: &str) -> anyhow::Result<f64> {
    let rest = log.split("INIT REPORT(durationMs: ").nth(1);
    let number = rest.and_then(|rest| rest.split(')').next());
    Ok(number.context("the emulator tells how long init took")?.parse()?)
}

/// Reads the last call time that the emulator reported: `INVOKE RTDONE(... duration: 4.2ms)`.
fn last_duration_ms(log: &str) -> anyhow::Result<f64> {
    let rest = log.rsplit("produced bytes: 0, duration: ").next();
    let number = rest.and_then(|rest| rest.split("ms)").next());
    Ok(number.context("the emulator tells how long a call took")?.parse()?)
}

/// Makes the zip as cargo-lambda does, with the stripped program as `bootstrap`.
fn zip_mb(name: &str) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let (bootstrap, zip) = (folder.path().join("bootstrap"), folder.path().join("bootstrap.zip"));
    let program = callboard_tests::program::path(name)?;
    run(Command::new("strip").arg("-o").arg(&bootstrap).arg(program))?;
    run(Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(&zip)
        .arg(&bootstrap))?;
    Ok(std::fs::metadata(zip)?.len() as f64 / 1e6)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
