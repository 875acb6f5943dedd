//! A real server, and the run of a job that calls it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use callboard_core::base::id::Tenant;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, SecretError, Secrets};
use callboard_core::job::{Attempt, Job};
use callboard_core::output::{LogKey, LogStore, Output, OutputLimits, Stream};
use callboard_core::request::Kinds;
use callboard_core::run::{Ended, Runner, Stop, StopReason};
use callboard_embedded::FileLogStore;
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::kind::Services;
use callboard_kind_service::registry::Registry;
use callboard_runner_http::HttpRunner;
use callboard_testkit::contract::samples::{HOUR, now};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) const TOKEN: &str = "s3cr3t-t0k3n-of-the-service";

/// Keeps a token for one host.
struct Keeper(String);

#[async_trait]
impl Secrets for Keeper {
    async fn resolve(&self, _: &Tenant, _: &CredentialRef, _: &[CredentialKind]) -> Result<Credential, SecretError> {
        Ok(Credential::Bearer {
            token: Secret::new(TOKEN),
            hosts: vec![self.0.clone()],
        })
    }

    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("there is no cloud"))
    }
}

/// An answer: status, headers, body.
pub(crate) type Given<'a> = (u16, &'a [(&'static str, &'a str)], &'a str);
type Kept = (u16, Vec<(&'static str, String)>, String);

/// A server that answers each request with the next of its answers, and keeps what it saw.
#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<Vec<Kept>>>,
    seen: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(answers: &[Given<'_>]) -> anyhow::Result<(Self, SocketAddr)> {
        let server = Self::default();
        let owned = answers.iter().map(|(status, headers, body)| {
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
            (*status, headers.collect(), (*body).to_owned())
        });
        *server.answers.lock().map_err(|_| anyhow::anyhow!("poisoned"))? = owned.collect();
        let router = Router::new().fallback(any(answer)).with_state(server.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((server, address))
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let number = server.asked.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let told = format!(
        "{} {} {:?} {}",
        parts.method,
        parts.uri,
        parts.headers,
        String::from_utf8_lossy(&body)
    );
    if let Ok(mut seen) = server.seen.lock() {
        seen.push(told);
    }
    let answers = server.answers.lock().map(|answers| answers.clone()).unwrap_or_default();
    let Some((status, headers, body)) = answers.get(number.min(answers.len().saturating_sub(1))).cloned() else {
        std::future::pending::<()>().await;
        return StatusCode::OK.into_response();
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A run of a job: its end, and what is kept.
pub(crate) struct Run {
    pub(crate) ended: Ended,
    pub(crate) stdout: String,
    pub(crate) events: String,
}

impl Run {
    pub(crate) fn result(&self) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(&self.ended.outcome)?)
    }
}

pub(crate) async fn call(
    address: SocketAddr,
    service: &str,
    operation: &str,
    input: Value,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Run> {
    let text = format!(
        "services:\n  - name: a\n    {service}\n    runner_config: {{base_url: 'http://{address}/v1', auth: {{type: bearer, credential: t}}}}\n    operations: [{{name: x, {operation}}}]\n"
    );
    let registry = Registry::parse(&[("services.yml".to_owned(), text.clone())]);
    let registry = registry.map_err(|faults| anyhow::anyhow!("{text}\n{faults:?}"))?;
    let services = Services::new(Arc::new(InForce::new(registry)), Arc::default());
    let kinds = Kinds::new(Arc::new(services), Vec::new());
    let read = kinds.read(&json!({"service": "a", "operation": "x", "input": input}));
    let read = read.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let mut job = Job::new(Tenant::default(), read.request, now(), HOUR);
    let folder = tempfile::tempdir()?;
    let logs: Arc<dyn LogStore> = Arc::new(FileLogStore::new(folder.path().join("logs")));
    let (stopper, stopped) = watch::channel(None);
    let runner = HttpRunner::new(Arc::new(Keeper(address.to_string())));
    let stopping = async {
        stop.await?;
        stopper.send_replace(Some(StopReason::Shutdown));
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        run = attempts(&runner, &mut job, &logs, Stop::new(stopped)) => run,
        failed = stopping => Err(failed.err().context("nothing stops the job")?),
    }
}

/// Runs a job until it needs no other attempt, as a worker does.
async fn attempts(runner: &HttpRunner, job: &mut Job, logs: &Arc<dyn LogStore>, stop: Stop) -> anyhow::Result<Run> {
    let work = std::mem::take(&mut job.request.work);
    let (mut stdout, mut events) = (String::new(), String::new());
    loop {
        job.state.attempt += 1;
        let attempt = job.state.attempt;
        let output = Output::new(logs.clone(), job.id, attempt, OutputLimits::default());
        let ended = runner.run(job, work.clone(), &output, stop.clone()).await;
        output.close(true, Duration::from_secs(30)).await?;
        for (stream, kept) in [(Stream::Stdout, &mut stdout), (Stream::Events, &mut events)] {
            let key = LogKey {
                job: job.id,
                attempt,
                stream,
            };
            kept.push_str(&String::from_utf8_lossy(&logs.read(key, 0..u64::MAX).await?));
        }
        let Some(pause) = ended.again else {
            return Ok(Run { ended, stdout, events });
        };
        tokio::time::sleep(pause).await;
        job.state.given_up.push(Attempt {
            retried: true,
            ..Attempt::begun(attempt, None)
        });
    }
}

pub(crate) async fn never() -> anyhow::Result<()> {
    std::future::pending().await
}

pub(crate) const PRIVATE: &str = "security_policy: {network: private}";
pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
