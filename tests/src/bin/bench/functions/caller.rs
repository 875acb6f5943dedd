//! The caller: start-up time, memory, what a batch takes beyond its slowest call, and what calls cost.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use callboard_tests::aws::{Function, Resources};
use callboard_tests::wait;
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
        logged(&function, "INIT REPORT(", 1).await?;
        inits.push(init_ms(&function.log())?);
    }
    let calls = Calls::start(&resources, serve().await?).await?;
    let (mut ten, mut one) = (Vec::new(), Vec::new());
    for number in 0..BATCHES {
        ten.push(calls.run_batch(CALLS, 2 * number + 1).await?);
        one.push(calls.run_batch(1, 2 * number + 2).await?);
    }
    let (ten, one) = (median(ten), median(one));
    let over = ten - one;
    let pid = calls.caller.pid().context("the function runs")?;
    let memory = crate::memory::resident_mib(pid)?;
    let under = "under the Runtime Interface Emulator";
    report.add("caller: init", median(inits), "ms", Target::AtMost(60.0), under);
    let less = format!("{ten:.0} ms, against {one:.0} ms of a batch that has only its slowest call, of {SLOW} ms");
    report.add(
        "caller: a batch of 10 over its slowest",
        over,
        "ms",
        Target::AtMost(20.0),
        less,
    );
    let after = format!("after {BATCHES} batches of {CALLS}, and as many of one");
    report.add("caller: resident", memory, "MiB", Target::AtMost(64.0), after);
    report.add(
        "caller: zip",
        zip_mb("caller")?,
        "MB",
        Target::AtMost(12.0),
        "stripped, deflated",
    );
    let (usd, parts) = cost(ten);
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

    /// Executes a batch of `calls`, one slow and the others quick; returns how many milliseconds that took. `number` counts the batches.
    async fn run_batch(&self, calls: usize, number: usize) -> anyhow::Result<f64> {
        let mut records = Vec::new();
        for place in 0..calls {
            let mut record = self.batch["Records"][0].clone();
            let wait = if place == 0 { SLOW } else { QUICK };
            record["body"] = self.submit(wait).await?.to_string().into();
            record["messageId"] = place.to_string().into();
            records.push(record);
        }
        let answer = self.caller.invoke(&json!({"Records": records})).await?;
        ensure!(
            answer["batchItemFailures"] == json!([]),
            "{answer} {}",
            self.caller.log()
        );
        logged(&self.caller, "INVOKE RTDONE(", number).await?;
        last_duration_ms(&self.caller.log())
    }
}

/// Waits until the emulator has logged something so many times: what it prints is read a little later than its answer.
async fn logged(function: &Function, what: &str, times: usize) -> anyhow::Result<()> {
    wait::until(what, || function.log().matches(what).count() >= times).await
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

/// Returns what a thousand calls of 200 ms cost from their submission to their end, in batches that take so many milliseconds, and of
/// what.
fn cost(batch_ms: f64) -> (f64, String) {
    let (calls, batches) = (1000.0, 1000.0 / CALLS as f64);
    let lambda = batches * (REQUEST + batch_ms / 1e3 * 0.25 * GIB_SECOND);
    let sqs = (calls + 2.0 * batches) * SQS;
    // of the reads, two are those of the breaker of its service
    let dynamodb = calls * (17.0 * WRITE + 2.5 * READ);
    let s3 = calls * 2.0 * PUT;
    let parts = format!("Lambda {lambda:.4}, SQS {sqs:.4}, DynamoDB {dynamodb:.4}, S3 {s3:.4}");
    (lambda + sqs + dynamodb + s3, parts)
}
