//! Calls of services: what a job adds to the bare call, how many there are a minute, and the memory of many at once.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use callboard_tests::{Client, Service};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::jobs::drained;
use crate::memory::resident_mib;
use crate::report::{Report, Target, median};

const ROUNDS: usize = 100;
const BATCH: usize = 2000;
/// How many submissions are sent at once.
const SENDERS: usize = 8;
/// How many calls are in flight at once.
const MANY: usize = 1000;
const IMAGE: &str = "callboard-test/tool:1";

/// A server that answers at once, or only when it is released.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    held: Arc<AtomicUsize>,
    released: Arc<Semaphore>,
}

impl Server {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Self {
            address: listener.local_addr()?,
            held: Arc::default(),
            released: Arc::new(Semaphore::new(0)),
        };
        let answer = |Json(input): Json<Value>| async move { Json(json!({"got": input})) };
        let router = Router::new()
            .route("/say", post(answer))
            .route("/hold", post(hold))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(server)
    }
}

async fn hold(State(server): State<Server>) -> Json<Value> {
    server.held.fetch_add(1, Ordering::SeqCst);
    if let Ok(permit) = server.released.acquire().await {
        permit.forget();
    }
    Json(json!({}))
}

/// Starts a service with one operation of each type.
fn start(server: &Server, more: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    let folder = tempfile::tempdir()?;
    let http = format!("http://{}", server.address);
    let registry = json!({"services": [
        {
            "name": "web", "security_policy": {"network": "private"}, "runner_config": {"base_url": http},
            "operations": [{"name": "say", "runner_config": {"path": "/say"}}, {"name": "hold", "runner_config": {"path": "/hold"}}],
        },
        {
            "name": "program", "execution_type": "shell",
            "operations": [{"name": "true", "runner_config": {"command": "/bin/true"}}],
        },
        {
            "name": "container", "execution_type": "container",
            "operations": [{"name": "true", "runner_config": {"image": IMAGE, "command": ["/bin/true"]}}],
        },
    ]});
    let file = folder.path().join("services.json");
    std::fs::write(&file, registry.to_string())?;
    let (data, file) = (folder.path().join("data"), file.display().to_string());
    let arguments = [&["--services", &file], more].concat();
    Ok((Service::start_in(&data, &arguments)?, folder))
}

fn call(service: &str, operation: &str) -> Value {
    json!({"service": service, "operation": operation, "input": {"text": "hello"}})
}

/// Runs a job, from POST to its record; returns the milliseconds.
async fn job(client: &Client, request: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answer = client.post("/api/v1/jobs?sync=true", request).await?;
    ensure!(answer.body["status"] == "successful", "{answer:?}");
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Measures a job and the bare call in turn; returns both medians, in milliseconds.
async fn both<F: Future<Output = anyhow::Result<()>>>(
    client: &Client,
    request: &Value,
    rounds: usize,
    bare: impl Fn() -> F,
) -> anyhow::Result<(f64, f64)> {
    let request = request.to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds + 5 {
        let our = job(client, &request).await?;
        let start = Instant::now();
        bare().await?;
        let their = start.elapsed().as_secs_f64() * 1e3;
        if round >= 5 {
            ours.push(our);
            theirs.push(their);
        }
    }
    Ok((median(ours), median(theirs)))
}

fn add(report: &mut Report, name: &'static str, (ours, theirs): (f64, f64), most: f64, bare: &str) {
    let reference = format!("{ours:.1} ms against {theirs:.1} ms of {bare}");
    report.add(name, ours - theirs, "ms", Target::AtMost(most), reference);
}

/// What an HTTP job adds to the same call by reqwest.
pub(crate) async fn http(report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start().await?;
    let (service, _folder) = start(&server, &[])?;
    let client = service.client();
    let direct = reqwest::Client::new();
    let url = format!("http://{}/say", server.address);
    let bare = || async {
        let answer = direct.post(&url).json(&json!({"text": "hello"})).send().await?;
        answer.json::<Value>().await?;
        Ok(())
    };
    let measured = both(&client, &call("web", "say"), ROUNDS, bare).await?;
    add(report, "http job over the bare call", measured, 5.0, "reqwest");
    Ok(())
}

/// What a job of a program adds to its fork and execution.
pub(crate) async fn shell(report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start().await?;
    let (service, _folder) = start(&server, &[])?;
    let bare = || async {
        ensure!(Command::new("/bin/true").status()?.success());
        Ok(())
    };
    let measured = both(&service.client(), &call("program", "true"), ROUNDS, bare).await?;
    add(report, "shell job over fork and exec", measured, 5.0, "/bin/true");
    Ok(())
}

/// What a job of a container adds to `docker run`.
pub(crate) async fn container(report: &mut Report) -> anyhow::Result<()> {
    let engine = std::env::var("CALLBOARD_TEST_DOCKER").context("CALLBOARD_TEST_DOCKER names no engine")?;
    let server = Server::start().await?;
    let (service, _folder) = start(&server, &["--engine", &engine])?;
    let bare = || async {
        let mut docker = Command::new("docker");
        docker.args([
            "--host",
            &engine,
            "run",
            "--rm",
            "--network",
            "none",
            IMAGE,
            "/bin/true",
        ]);
        ensure!(docker.stdout(Stdio::null()).status()?.success());
        Ok(())
    };
    let measured = both(&service.client(), &call("container", "true"), 15, bare).await?;
    add(report, "container job over docker run", measured, 50.0, "docker run");
    Ok(())
}

/// Jobs per minute of calls and of programs, end to end.
pub(crate) async fn throughput(report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start().await?;
    for (name, request) in [
        ("http jobs", call("web", "say")),
        ("shell jobs, 2 workers", call("program", "true")),
    ] {
        let (service, _folder) = start(&server, &["--workers", "2"])?;
        let (client, request) = (service.client(), request.to_string());
        job(&client, &request).await?;
        let start = Instant::now();
        submit(&client, &request, BATCH).await?;
        drained(&client).await?;
        let rate = BATCH as f64 / start.elapsed().as_secs_f64() * 60.0;
        report.add(
            name,
            rate,
            "jobs/min",
            Target::AtLeast(12_000.0),
            "1,000 wanted by the seed",
        );
    }
    Ok(())
}

/// Resident memory with a thousand calls in flight.
pub(crate) async fn memory(report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start().await?;
    let (service, _folder) = start(&server, &["--calls", "1000"])?;
    let client = service.client();
    submit(&client, &call("web", "hold").to_string(), MANY).await?;
    while server.held.load(Ordering::SeqCst) < MANY {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let resident = resident_mib(service.pid())?;
    server.released.add_permits(MANY);
    drained(&client).await?;
    report.add(
        "resident with 1,000 http jobs in flight",
        resident,
        "MiB",
        Target::AtMost(64.0),
        "the calls' own server is another process",
    );
    Ok(())
}

/// Submits jobs, some at once.
async fn submit(client: &Client, request: &str, jobs: usize) -> anyhow::Result<()> {
    let sending = (0..SENDERS).map(|_| async {
        for _ in 0..jobs / SENDERS {
            let answer = client.post("/api/v1/jobs", request).await?;
            ensure!(answer.status == 202, "{answer:?}");
        }
        anyhow::Ok(())
    });
    try_join_all(sending).await.map(drop)
}
