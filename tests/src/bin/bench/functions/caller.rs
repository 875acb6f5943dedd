//! The caller: start-up time, memory, what a batch takes beyond its slowest call, and what calls cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use callboard_aws::{DynamoDbJobStore, JobStoreSettings, S3LogStore};
use callboard_core::base::id::JobId;
use callboard_core::job::JobStore;
use callboard_core::output::{LogStore, Output, OutputLimits};
use callboard_tests::aws::{Function, Resources};
use callboard_tests::contract::samples::{create, lease, now, success};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{STARTS, file, init_ms, last_duration_ms, zip_mb};
use crate::report::{Report, Target, median};

const BATCHES: usize = 100;
const CALLS: usize = 10;
/// How long the slowest call of a batch takes, and the others, in milliseconds.
const SLOW: u64 = 200;
const QUICK: u64 = 20;
/// The dollars of a unit, in us-east-1.
const REQUEST: f64 = 0.20e-6;
const GIB_SECOND: f64 = 0.000_016_666_7;
const SQS: f64 = 0.40e-6;
const WRITE: f64 = 0.625e-6;
const READ: f64 = 0.125e-6;
const PUT: f64 = 0.005e-3;

/// Submits calls, and makes batches of them.
struct Calls {
    submit: Function,
    caller: Function,
    post: Value,
    batch: Value,
}

/// The caller: init, memory after a hundred batches, a batch of ten, the size of the upload, and the cost of a thousand calls.
pub(crate) async fn caller(report: &mut Report) -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let environment = resources.environment("CallerFunction")?;
    let mut inits = Vec::new();
    for _ in 0..STARTS {
        let function = Function::start("caller", &environment).await?;
        function.invoke(&json!({"Records": []})).await?;
        inits.push(init_ms(&function.log())?);
    }
    let calls = Calls::start(&resources, serve().await?).await?;
    let mut over = Vec::new();
    for _ in 0..BATCHES {
        let took = calls.run_batch().await?;
        over.push(took - SLOW as f64 - stores_alone(&resources).await?);
    }
    let over = median(over);
    let pid = calls.caller.pid().context("the function runs")?;
    let memory = crate::memory::resident_mib(pid)?;
    let under = "under the Runtime Interface Emulator";
    report.add("caller: init", median(inits), "ms", Target::AtMost(60.0), under);
    let less = format!("less {SLOW} ms, and the same calls of DynamoDB and S3 alone");
    report.add(
        "caller: a batch of 10 over its slowest",
        over,
        "ms",
        Target::AtMost(20.0),
        less,
    );
    let after = format!("after {BATCHES} batches of {CALLS}");
    report.add("caller: resident", memory, "MiB", Target::AtMost(64.0), after);
    report.add(
        "caller: zip",
        zip_mb("caller")?,
        "MB",
        Target::AtMost(10.0),
        "stripped, deflated",
    );
    let (usd, parts) = cost(over.max(0.0));
    report.add("caller: 1,000 calls of 200 ms", usd, "USD", Target::AtMost(0.05), parts);
    Ok(())
}

impl Calls {
    async fn start(resources: &Resources, service: SocketAddr) -> anyhow::Result<Self> {
        let mut environment = resources.environment("SubmitFunction")?;
        let operation =
            |wait: u64| json!({"name": format!("wait{wait}"), "runner_config": {"path": format!("/{wait}")}});
        let service = json!({
            "name": "bench", "security_policy": {"network": "private"},
            "runner_config": {"base_url": format!("http://{service}")},
            "operations": [operation(SLOW), operation(QUICK)],
        });
        environment.insert(
            "CALLBOARD_SERVICES".to_owned(),
            json!({"services": [service]}).to_string(),
        );
        Ok(Self {
            submit: Function::start("submit", &environment).await?,
            caller: Function::start("caller", &resources.environment("CallerFunction")?).await?,
            post: serde_json::from_str(&file("http-submit-minimal.json")?)?,
            batch: serde_json::from_str(&file("sqs-calls.json")?)?,
        })
    }

    async fn submit(&self, wait: u64) -> anyhow::Result<Value> {
        let mut event = self.post.clone();
        let body = json!({"service": "bench", "operation": format!("wait{wait}")}).to_string();
        event["headers"]["content-length"] = body.len().to_string().into();
        event["body"] = body.into();
        let answer = self.submit.invoke(&event).await?;
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
        ensure!(answer["statusCode"] == 202, "{answer}");
        Ok(json!({"job_id": body["job_id"]}))
    }

    /// Executes a batch of one slow call and quick ones; returns how many milliseconds that took.
    async fn run_batch(&self) -> anyhow::Result<f64> {
        let mut records = Vec::new();
        for number in 0..CALLS {
            let mut record = self.batch["Records"][0].clone();
            let wait = if number == 0 { SLOW } else { QUICK };
            record["body"] = self.submit(wait).await?.to_string().into();
            record["messageId"] = number.to_string().into();
            records.push(record);
        }
        let answer = self.caller.invoke(&json!({"Records": records})).await?;
        ensure!(
            answer["batchItemFailures"] == json!([]),
            "{answer} {}",
            self.caller.log()
        );
        last_duration_ms(&self.caller.log())
    }
}

/// Serves a service that answers after as many milliseconds as its path says.
async fn serve() -> anyhow::Result<SocketAddr> {
    let wait = async |Path(wait): Path<u64>| {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        "done"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/{wait}", post(wait));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Returns how many milliseconds the calls of DynamoDB and S3 for a batch take, all jobs at once.
async fn stores_alone(resources: &Resources) -> anyhow::Result<f64> {
    let settings = JobStoreSettings {
        table: resources.table.clone(),
        bucket: resources.bucket.clone(),
        retention: Duration::from_secs(30 * 24 * 3600),
    };
    let store = DynamoDbJobStore::new(&resources.config, settings);
    let logs: Arc<dyn LogStore> = Arc::new(S3LogStore::new(&resources.config, resources.bucket.clone()));
    let mut ids = Vec::new();
    for _ in 0..CALLS {
        ids.push(create(&store).await?.id);
    }
    let begun = Instant::now();
    try_join_all(ids.into_iter().map(|id| life(&store, &logs, id))).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

async fn life(store: &DynamoDbJobStore, logs: &Arc<dyn LogStore>, id: JobId) -> anyhow::Result<()> {
    let held = lease();
    store.claim(id, held, now()).await?;
    let limits = OutputLimits {
        max_bytes: 1 << 20,
        max_events: 1000,
    };
    let output = Output::new(logs.clone(), id, 1, limits);
    output.stdout(b"done").await?;
    output.event(&json!({"event": "call_answered"})).await?;
    output.close(true, Duration::ZERO).await?;
    store.finish(id, held.token, success(), now()).await?;
    Ok(())
}

/// Returns what a thousand calls of 200 ms cost from their submission to their end, in batches of ten, and of what.
fn cost(over_ms: f64) -> (f64, String) {
    let (calls, batches) = (1000.0, 1000.0 / CALLS as f64);
    let lambda = batches * (REQUEST + (SLOW as f64 + over_ms) / 1e3 * 0.25 * GIB_SECOND);
    let sqs = (calls + 2.0 * batches) * SQS;
    let dynamodb = calls * (17.0 * WRITE + 0.5 * READ);
    let s3 = calls * 2.0 * PUT;
    let parts = format!("Lambda {lambda:.4}, SQS {sqs:.4}, DynamoDB {dynamodb:.4}, S3 {s3:.4}");
    (lambda + sqs + dynamodb + s3, parts)
}
