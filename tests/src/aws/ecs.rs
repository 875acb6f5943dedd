//! Plays ECS and CloudWatch Logs: no emulator runs the containers of tasks. This one does, by Docker, and gives its answers the shape of
//! AWS's; what its events become is read from the template.

mod definition;
mod docker;
mod tasks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::definition::definition;
use self::docker::Docker;
use self::tasks::Task;

/// The cluster.
pub const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/jobs";
/// The group of the stack's tasks.
pub const GROUP: &str = "callboard-test";
/// The image of the tests of containers.
pub const IMAGE: &str = "callboard-test/tool:1";

/// The services. They stop with their test.
#[derive(Clone)]
pub struct Ecs {
    /// The address of both services.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    docker: Docker,
    tasks: Mutex<HashMap<String, Task>>,
    /// How often each operation was asked for.
    asked: Mutex<HashMap<String, usize>>,
    /// How many of the next tasks there is no room for.
    crowded: AtomicUsize,
    /// Whether tasks are started, and nobody is told.
    silent: AtomicBool,
    /// After how many events the answers to who reads a log stop coming.
    readable: AtomicUsize,
    ended: UnboundedSender<Value>,
}

type Answer = Result<Value, (&'static str, String)>;

impl Ecs {
    /// Starts the services. The events of tasks that have ended come from the receiver.
    ///
    /// # Errors
    /// There is no Docker engine.
    pub async fn start() -> anyhow::Result<(Self, UnboundedReceiver<Value>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (ended, events) = unbounded_channel();
        let ecs = Self {
            url: format!("http://{}", listener.local_addr()?),
            shared: Arc::new(Shared {
                docker: Docker::from_environment()?,
                tasks: Mutex::default(),
                asked: Mutex::default(),
                crowded: AtomicUsize::new(0),
                silent: AtomicBool::new(false),
                readable: AtomicUsize::new(usize::MAX),
                ended,
            }),
        };
        let router = Router::new().route("/", post(answer)).with_state(ecs.shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((ecs, events))
    }

    /// Returns how often an operation was asked for, such as `RunTask`.
    #[must_use]
    pub fn asked(&self, operation: &str) -> usize {
        lock(&self.shared.asked).get(operation).copied().unwrap_or(0)
    }

    /// Has no room for so many of the next tasks.
    pub fn crowd(&self, tasks: usize) {
        self.shared.crowded.store(tasks, Ordering::SeqCst);
    }

    /// Starts tasks without an answer, or answers again.
    pub fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// Answers whoever reads a log for so many events only.
    pub fn let_read(&self, events: usize) {
        self.shared.readable.store(events, Ordering::SeqCst);
    }

    /// Returns how many tasks were started.
    #[must_use]
    pub fn tasks(&self) -> usize {
        lock(&self.shared.tasks).len()
    }

    /// Returns how many tasks run.
    #[must_use]
    pub fn running(&self) -> usize {
        let tasks = lock(&self.shared.tasks);
        tasks.values().filter(|task| task.stopped_at.is_none()).count()
    }

    /// Makes what AWS's rule makes of the event of a task that has ended, if the rule is for it.
    ///
    /// # Errors
    /// The template has no such rule.
    pub fn message(template: &super::Template, event: &Value) -> anyhow::Result<Option<String>> {
        let rule = template.properties("TaskEndedRule")?;
        let target = rule.at("/Targets/0")?;
        anyhow::ensure!(target.text("/Arn")? == "CallsQueue.Arn", "the rule has another target");
        let texts = |pointer: &str| anyhow::Ok(rule.at(pointer)?.text("/0")?);
        let fits = event["source"] == texts("/EventPattern/source")?
            && event["detail-type"] == texts("/EventPattern/detail-type")?
            && event["detail"]["lastStatus"] == texts("/EventPattern/detail/lastStatus")?
            && event["detail"]["group"] == GROUP
            && event["detail"]["clusterArn"] == CLUSTER;
        if !fits {
            return Ok(None);
        }
        let path = target.text("/InputTransformer/InputPathsMap/job")?;
        let pointer = path.strip_prefix('$').context("a path")?.replace('.', "/");
        let value = event.pointer(&pointer).context("the path leads nowhere")?;
        let written = target.text("/InputTransformer/InputTemplate")?;
        Ok(Some(written.replace("<job>", &value.to_string())))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for id in lock(&self.tasks).keys() {
            self.docker.remove(id);
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let signed = headers
        .get("authorization")
        .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("AWS4-HMAC-SHA256")));
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    *lock(&shared.asked).entry(operation.to_owned()).or_default() += 1;
    let answered = match operation {
        _ if !signed => Err(("MissingAuthenticationToken", "not signed".to_owned())),
        "DescribeTaskDefinition" => definition(&input),
        "RunTask" => shared.run(&input).await,
        "DescribeTasks" => Ok(shared.describe(&input)),
        "ListTasks" => Ok(shared.list(&input)),
        "StopTask" => shared.stop(&input),
        "GetLogEvents" => shared.log(&input).await,
        other => Err(("InvalidAction", other.to_owned())),
    };
    match answered {
        Ok(answer) => (StatusCode::OK, Json(answer)),
        Err((kind, message)) => (
            StatusCode::BAD_REQUEST,
            Json(json!({"__type": format!("com.amazonaws#{kind}"), "message": message})),
        ),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
