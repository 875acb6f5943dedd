//! Measures what the runner adds to a program that does nothing: `cargo run --release -p callboard-runner-shell --example overhead`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, SecretError, Secrets};
use callboard_core::job::{Job, JobStatus};
use callboard_core::output::{Output, OutputLimits};
use callboard_core::request::Kinds;
use callboard_core::run::{Runner, Stop};
use callboard_embedded::FileLogStore;
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::kind::Services;
use callboard_kind_service::registry::Registry;
use callboard_process::JobFolders;
use callboard_runner_shell::ShellRunner;
use callboard_testkit::contract::samples::{HOUR, now};
use serde_json::json;
use tokio::sync::watch;

const RUNS: u32 = 500;
const AT_ONCE: u32 = 2;

struct None;

#[async_trait]
impl Secrets for None {
    async fn resolve(&self, _: &Tenant, _: &CredentialRef, _: &[CredentialKind]) -> Result<Credential, SecretError> {
        Err(SecretError::new("there is none"))
    }

    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("there is no cloud"))
    }
}

fn main() -> anyhow::Result<()> {
    callboard_sandbox::launch_if_asked();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folders = Arc::new(JobFolders::create(Path::new("/tmp"), 40)?);
    let launcher = std::env::args_os().nth(1).map_or("/proc/self/exe".into(), Into::into);
    let runner = Arc::new(ShellRunner::new(
        Arc::new(None),
        folders,
        Duration::from_secs(5),
        launcher,
    ));
    println!("{}", runner.abilities().await?);
    let started = Instant::now();
    for _ in 0..RUNS {
        ensure!(tokio::process::Command::new("/bin/true").status().await?.success());
    }
    let alone = started.elapsed() / RUNS;
    println!("fork and exec alone: {alone:?}");
    for (name, policy) in [
        ("without limits", json!({})),
        (
            "with limits",
            json!({"resource_limits": {"cpu_seconds": 10, "memory_mb": 100, "disk_mb": 10, "processes": 50}}),
        ),
        ("without network", json!({"network": "none"})),
    ] {
        let started = Instant::now();
        for _ in 0..RUNS {
            run(&runner, &policy).await?;
        }
        let each = started.elapsed() / RUNS;
        let started = Instant::now();
        let series = (0..AT_ONCE).map(|_| {
            let (runner, policy) = (Arc::clone(&runner), policy.clone());
            tokio::spawn(async move {
                for _ in 0..RUNS {
                    run(&runner, &policy).await?;
                }
                anyhow::Ok(())
            })
        });
        for series in series.collect::<Vec<_>>() {
            series.await??;
        }
        let a_minute = 60.0 * f64::from(RUNS * AT_ONCE) / started.elapsed().as_secs_f64();
        println!(
            "{name}: {each:?}, {:?} more than alone; {a_minute:.0} a minute with {AT_ONCE} at once",
            each.saturating_sub(alone)
        );
    }
    Ok(())
}

async fn run(runner: &ShellRunner, policy: &serde_json::Value) -> anyhow::Result<()> {
    let service = json!({
        "name": "a", "execution_type": "shell", "security_policy": policy,
        "operations": [{"name": "x", "runner_config": {"command": "/bin/true"}}],
    });
    let registry = Registry::parse(&[("a.yml".to_owned(), json!({"services": [service]}).to_string())]);
    let registry = registry.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let kinds = Kinds::new(
        Arc::new(Services::new(Arc::new(InForce::new(registry)), Arc::default())),
        Vec::new(),
    );
    let read = kinds.read(&json!({"service": "a", "operation": "x"}));
    let read = read.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let mut job = Job::new(Tenant::default(), read.request, now(), HOUR);
    job.state.attempt = 1;
    let work = std::mem::take(&mut job.request.work);
    let logs = Arc::new(FileLogStore::new("/tmp/callboard-overhead".into()));
    let output = Output::new(logs, job.id, 1, OutputLimits::default());
    let (_never, stopped) = watch::channel(Option::None);
    let ended = runner.run(&job, work, &output, Stop::new(stopped)).await;
    ensure!(ended.outcome.status == JobStatus::Successful, "{ended:?}");
    ended.outcome.usage.context("no usage")?;
    Ok(())
}
